"""Raised and lowered characters in a line of plain text.

A figure that stands raised behind another must not join it: "5 × 10⁶" is not 106, and the mark of
a footnote behind 24.91 is no digit of it. Raised figures become Unicode's superscripts. A mark is
told from an exponent by what it stands behind, and has a space before it; so has the letter of a
footnote behind a number, unless it may be the end of an ordinal.
"""

import re

_RAISED = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_RAISES = re.compile(r"[0-9+\-−=()ni,;. ]+")
_LOWERS = re.compile(r"[0-9+\-−=()]+")
_FIGURES = re.compile(r"[0-9]")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_LAST_NUMBER = re.compile(r"\d[\d.,'’]*$")
_LETTERS = re.compile(r"[^\W\d_](?:, ?[^\W\d_])*")  # of one note or several: a; a,b
_EXPONENTS = frozenset("nikxy")
_ENDS_OF_ORDINALS = frozenset("aoedhms")  # behind one figure or two: 1a, 2e, 12h
_UNITS = frozenset(
    (
        *("m", "cm", "mm", "dm", "km", "µm", "μm", "nm", "ha", "s", "h", "min", "kg", "mg", "g"),
        *("l", "ml", "hz", "khz", "pa", "kpa", "w", "kw", "v", "a", "k", "mol", "j", "n"),
    )
)


def superscript(text: str, before: str) -> str:
    """Raised `text` as it is written into the line that so far says `before`."""
    bare = text.strip()
    if bare and is_mark(bare, before):
        return f" {bare.translate(_RAISED) if _RAISES.fullmatch(bare) else bare}"
    if not bare or not _FIGURES.search(bare):
        return text if _is_spoken(bare) else text.translate(_RAISED)
    if not _RAISES.fullmatch(bare):
        return f"^({bare})" if before[-1:].isalnum() else text
    return bare.translate(_RAISED)


def subscript(text: str) -> str:
    """Lowered `text`; letters stay what they are."""
    bare = text.strip()
    return bare.translate(_LOWERED) if _LOWERS.fullmatch(bare) else text


def _is_spoken(text: str) -> bool:
    """Letters that are part of a word or an ordinal: "1er", "3rd", "Mme"; not an exponent n."""
    return text not in {"n", "i", "+", "-", "−"}


def is_mark(raised: str, before: str) -> bool:
    """Whether raised figures or letters refer to a note rather than being an exponent or an end."""
    number = _LAST_NUMBER.search(before)
    if not _FIGURES.search(raised):
        return number is not None and _is_note(raised, number.group())
    if raised[0] in "+-−" or not _RAISES.fullmatch(raised):
        return False
    if number is not None:
        return number.group() != "10"
    word = _LAST_WORD.search(before)
    return word is not None and len(word.group()) > 1 and word.group().lower() not in _UNITS


def _is_note(letters: str, number: str) -> bool:
    if not _LETTERS.fullmatch(letters) or letters in _EXPONENTS:
        return False
    is_short = number.isdigit() and len(number) <= 2
    return not is_short or letters not in _ENDS_OF_ORDINALS
