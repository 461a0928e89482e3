"""Text as it is compared: without capitals and accents, with raised figures told from digits."""

import re
import unicodedata
from typing import Final

_RAISED: Final = re.compile(r"(?<![\w.,])(\d(?:[\d.,'’]*\d)?) ?([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def folded(text: str) -> str:
    """`text` in lower case and without accents: "Économie" and "ECONOMIE" give the same."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(c for c in parts if not unicodedata.combining(c)).casefold()


def compatible(text: str) -> str:
    """`text` after Unicode's NFKC, no raised figure a digit of the number that it stands behind.

    Behind 10 it is an exponent: 10⁶ is written 10^6. Behind another number it is the mark of a note
    and left out, so that 24.91² is 24.91 and not 24.912.
    """
    return unicodedata.normalize("NFKC", _RAISED.sub(_without_mark, text))


def _without_mark(match: re.Match[str]) -> str:
    number, raised = match.groups()
    return f"10^{raised}" if number == "10" else number
