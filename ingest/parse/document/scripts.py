"""Raised and lowered characters in a line of plain text.

A figure that stands raised behind another must not join it: "5 × 10⁶" is not 106, and the mark of
a footnote behind 24.91 is no digit of it. Raised figures become Unicode's superscripts. A mark is
told from an exponent by what it stands behind, and has a space before it.
"""

import re

_RAISED = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_RAISES = re.compile(r"[0-9+\-−=()ni,;. ]+")
_LOWERS = re.compile(r"[0-9+\-−=()]+")
_FIGURES = re.compile(r"[0-9]")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_LAST_NUMBER = re.compile(r"\d[\d.,'’]*$")
_UNITS = frozenset(
    (
        *("m", "cm", "mm", "dm", "km", "µm", "μm", "nm", "ha", "s", "h", "min", "kg", "mg", "g"),
        *("l", "ml", "hz", "khz", "pa", "kpa", "w", "kw", "v", "a", "k", "mol", "j", "n"),
    )
)


def superscript(text: str, before: str) -> str:
    """Raised `text` as it is written into the line that so far says `before`."""
    bare = text.strip()
    if not bare or not _FIGURES.search(bare):
        return text if _is_spoken(bare) else text.translate(_RAISED)
    if not _RAISES.fullmatch(bare):
        return f"^({bare})" if before[-1:].isalnum() else text
    made = bare.translate(_RAISED)
    return f" {made}" if _is_mark(bare, before) else made


def subscript(text: str) -> str:
    """Lowered `text`; letters stay what they are."""
    bare = text.strip()
    return bare.translate(_LOWERED) if _LOWERS.fullmatch(bare) else text


def _is_spoken(text: str) -> bool:
    """Letters that are part of a word or an ordinal: "1er", "3rd", "Mme"; not an exponent n."""
    return text not in {"n", "i", "+", "-", "−"}


def _is_mark(raised: str, before: str) -> bool:
    """Whether raised figures refer to a note rather than being an exponent."""
    if raised[0] in "+-−":
        return False
    if (number := _LAST_NUMBER.search(before)) is not None:
        return number.group() != "10"
    word = _LAST_WORD.search(before)
    return word is not None and len(word.group()) > 1 and word.group().lower() not in _UNITS
