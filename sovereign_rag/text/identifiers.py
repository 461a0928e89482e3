"""Identifiers in a text: sections of laws, article numbers, IBANs, file references.

They are names, not numbers: REF-2024/00123-B is neither 2024 nor 123.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_IDENTIFIER: Final = re.compile(
    r"""
      (?P<section> §{1,2}\s?\d+[a-z]?\b )                                # § 433, §§ 433, § 15a
    | (?P<iban> \b[a-z]{2}\d{2}(?:\s?[a-z0-9]{4}){2,7}(?:\s?[a-z0-9]{1,3})?\b )
    | (?P<article> \b[lrda]\.?\s?\*?\d+(?:-\d+)+\b )  # L.121-3, L. 121-3, R*123-4
    | (?P<code> \b\w+(?:[-./_:+]\w+)+\b )                                # REF-2024/00123-B
    """,
    re.VERBOSE,
)
_ANY_CASE: Final = re.compile(_IDENTIFIER.pattern, re.VERBOSE | re.IGNORECASE)
_PLAIN_NUMBER: Final = re.compile(
    r"\d+\.\d+|\d{1,2}:\d{2}"
)  # 3.5, 10:30: too common to name anything
_DASHES: Final = dict.fromkeys(map(ord, "‐‑‒–—−"), "-")
_IBAN_LENGTHS: Final = range(15, 35)  # Norway's to Malta's, and one to grow


def identifiers(text: str) -> Iterator[str]:
    """The normal forms of the identifiers in `text`, in order, repeated as they are.

    Found are sections (§ 433), article numbers (L.121-3), IBANs with or without spaces, and words
    joined by - . / _ : + that hold a digit (REF-2024/00123-B, 2024-01-15). In the normal form
    letters are lower-case, there is nothing between a letter and a digit, and / and _ are -.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_DASHES).casefold()
    for match in _IDENTIFIER.finditer(folded):
        found = match.group()
        if match.lastgroup == "section":
            yield "§" + found.lstrip("§").strip()
        elif match.lastgroup == "iban":
            yield re.sub(r"\s", "", iban(found))
        elif any(c.isdigit() for c in found) and not _PLAIN_NUMBER.fullmatch(found):
            joined = re.sub(r"[/_\s]", "-", found)
            yield re.sub(r"(?<=[^\W\d_])[-.:+*]+(?=\d)|(?<=\d)[-.:+*]+(?=[^\W\d_])", "", joined)


def joined_ibans(text: str) -> str:
    """`text` with its IBANs in one word each."""

    def joined(match: re.Match[str]) -> str:
        if match.lastgroup != "iban":
            return match.group()
        end = len(iban(match.group().casefold()))
        return re.sub(r"\s", "", match.group()[:end]) + match.group()[end:]

    return _ANY_CASE.sub(joined, text)


def iban(found: str) -> str:
    """The IBAN at the beginning of what looks like one: without the "bis" of "... 3457 3201 bis".

    It ends where its check digits are right (ISO 13616); where they are right nowhere, before the
    first group that is a word, for the sums of account numbers in examples are seldom right.
    """
    groups = list(re.finditer(r"\S+", found))
    for group in reversed(groups):
        if _is_iban(found[: group.end()]):
            return found[: group.end()]
    end = len(found)
    for group in groups[2:]:
        if not any(c.isdigit() for c in group.group()):
            end = group.start()
            break
    return found[:end].rstrip()


def _is_iban(text: str) -> bool:
    compact = re.sub(r"\s", "", text)
    moved = compact[4:] + compact[:4]
    return len(compact) in _IBAN_LENGTHS and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1
