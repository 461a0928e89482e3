"""A passage and the words that were searched for -> the part that shows them, with the words apart.

For display alone: which passages are found, and in which order, is decided before.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.text.folding import folded

_LONGEST: Final = 260  # characters
_LEAD: Final = 60  # of them, before the first word that was searched for
_WORD: Final = re.compile(r"\w+")
_CELLS: Final = re.compile(r"[ \t]*\|(?:[ \t\n]*\|)+[ \t]*")
_TELLING: Final = 4  # letters; shorter ones tell something where nothing longer was asked for
_ENDING: Final = 8  # letters that a word may have beside the asked one's stem


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a passage; `found` is one of the words that were searched for."""

    text: str
    found: bool = False


def excerpt(passage: str, searched: str) -> tuple[Piece, ...]:
    """The 260 characters that hold most of the words, the first ones where none stands there.

    A word counts in another form too: `dividend` for `Dividends`, `élève` for `eleves`.
    """
    text = _CELLS.sub(" | ", passage)
    stems = _stems(searched)
    hits = [
        (word.start(), word.end(), stem)
        for word in _WORD.finditer(text)
        for stem in stems
        if _is_form_of(folded(word[0]), stem)
    ]
    start, end = _window(text, hits)
    pieces, at = [Piece("…" if start else "")], start
    for first, last, _ in hits:
        if at <= first and last <= end:
            pieces += [Piece(text[at:first]), Piece(text[first:last], found=True)]
            at = last
    pieces += [Piece(text[at:end]), Piece("…" if end < len(text) else "")]
    return tuple(piece for piece in pieces if piece.text)


def _stems(searched: str) -> list[str]:
    words = dict.fromkeys(folded(word) for word in _WORD.findall(searched))
    telling = [word for word in words if len(word) >= _TELLING or word.isdigit()]
    return [_stem(word) for word in telling or words]


def _stem(word: str) -> str:
    if word.isdigit() or len(word) < _TELLING:
        return word
    return word[: max(_TELLING, len(word) - 2)]


def _is_form_of(word: str, stem: str) -> bool:
    if len(stem) < _TELLING or stem.isdigit():
        return word == stem
    return word.startswith(stem) and len(word) <= len(stem) + _ENDING


def _window(text: str, hits: Sequence[tuple[int, int, str]]) -> tuple[int, int]:
    """Where the part begins and ends: between words, around most of the searched ones."""
    if len(text) <= _LONGEST:
        return 0, len(text)
    begin, most = 0, 0
    for first, _, _ in hits:
        there = max(0, first - _LEAD)
        held = {stem for at, last, stem in hits if there <= at and last <= there + _LONGEST}
        if len(held) > most:
            begin, most = there, len(held)
    end = min(len(text), begin + _LONGEST)
    if begin:
        begin = _between(text, begin, text.find(" ", begin, end) + 1)
    if end < len(text):
        end = _between(text, end, text.rfind(" ", begin, end))
    return begin, end


def _between(text: str, place: int, nearest: int) -> int:
    """`place` where a word ends or begins there, else the nearest such place, if there is one."""
    return place if text[place - 1].isspace() or nearest <= 0 else nearest
