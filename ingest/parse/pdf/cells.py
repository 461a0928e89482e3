"""Pieces of a line that stand in cells of their own: apart by a gap or by a rule."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ingest.parse.pdf.lines import PageWord, TextLine
from ingest.parse.pdf.rules import Rule

_LETTERS = 0.85  # of the glyphs' height: the size that gaps are measured in
_TEXT_GAP = 0.85  # sizes: between words of one cell the gap is smaller
_GUTTER_GAP = 0.18  # where a gutter is known already, and a number stands beside it
_WIDE_GUTTER_GAP = 0.5  # where none does
_GROUPS_GAP = 0.7  # between the groups of three digits of one number
_SIGN_GAP = 0.6  # between a number and the sign that it belongs to
_FIGURES_GAP = 0.2  # between numbers that can't be groups of one
_NUMBERS_GAP = 0.42
_RULE_SLACK = 1.0

_NUMBER = re.compile(
    r"[-+(<>~±−–]*[$€£¥]?\s?\d[\d.,'’ ]*\s?[%‰]?[)*]*[⁰¹²³⁴-⁹a-d†‡]*|[-–—−]+|…|\.\.|\(?n/?a\)?",
    re.IGNORECASE,
)
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")
_DIGIT = re.compile(r"\d")
_FIRST_GROUP = re.compile(r"[-+(−–$€£]*\d{1,3}")
_GROUP = re.compile(r"\d{3}(?!\d)")
_FIGURES = re.compile(r"\d[-–.,/%)]|[%)]$")
_SIGN = re.compile(r"[-–−+±/×x*=<>%]")
_LEADER = re.compile(r"[.·…_]+")
_SHORTEST_LEADER = 3  # characters
CURRENCIES = frozenset("$€£¥")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one line that stand in one cell."""

    words: tuple[PageWord, ...]
    line: int
    left: float
    right: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Column:
    """The stretch that the pieces of a column take, in points."""

    left: float
    right: float


@lru_cache(maxsize=16_384)
def is_number(text: str) -> bool:
    """Whether a cell holds a figure, or the sign that stands for none."""
    if _NUMBER.fullmatch(text):
        return True
    return bool(_DIGIT.search(text)) and not _TWO_LETTERS.search(text)


def pieces_of(
    line: TextLine, number: int, rules: Sequence[Rule], columns: Sequence[Column] = ()
) -> list[Piece]:
    """The pieces of line `number`, dots that lead to a number left out.

    Args:
        rules: Those that run down the page.
        columns: Where known, words are parted between them by narrower gaps as well.
    """
    crossing = [rule.at for rule in rules if rule.start - 1 <= line.middle <= rule.end + 1]
    groups = [[line.words[0]]]
    for before, word in pairwise(line.words):
        if _is_apart(before, word, crossing) or _is_at_gutter(before, word, columns):
            groups.append([])
        groups[-1].append(word)
    for group, following in pairwise(groups):
        if following[0].text in CURRENCIES or is_number(following[0].text):
            _drop_leader(group)
    return [
        Piece(
            tuple(words), number, min(w.area.left for w in words), max(w.area.right for w in words)
        )
        for words in groups
        if words
    ]


def _drop_leader(words: list[PageWord]) -> None:
    """Take the dots at the end of words away, where they are so many that they lead somewhere."""
    first = len(words)
    while first and _LEADER.fullmatch(words[first - 1].text):
        first -= 1
    if sum(len(word.text) for word in words[first:]) >= _SHORTEST_LEADER:
        del words[first:]


def _is_apart(before: PageWord, word: PageWord, crossing: Iterable[float]) -> bool:
    left, right = before.area.right, word.area.left
    if any(left - _RULE_SLACK <= at <= right + _RULE_SLACK for at in crossing):
        return True
    gap = (right - left) / _size(before, word)
    if gap > _TEXT_GAP:
        return True
    return is_number(before.text) and is_number(word.text) and _are_two(before.text, word.text, gap)


def _are_two(before: str, after: str, gap: float) -> bool:
    """Whether numbers side by side are two; `gap` in sizes of their letters."""
    if _FIRST_GROUP.fullmatch(before) and _GROUP.match(after):
        return gap > _GROUPS_GAP
    if _SIGN.fullmatch(before) or _SIGN.fullmatch(after):
        return gap > _SIGN_GAP
    if _FIGURES.search(before) or _FIGURES.search(after):
        return gap > _FIGURES_GAP
    return gap > _NUMBERS_GAP


def _is_at_gutter(before: PageWord, word: PageWord, columns: Sequence[Column]) -> bool:
    gap = (word.area.left - before.area.right) / _size(before, word)
    beside_number = is_number(before.text) or is_number(word.text)
    if gap <= (_GUTTER_GAP if beside_number else _WIDE_GUTTER_GAP):
        return False
    return any(
        before.area.right <= right + 1
        and word.area.left >= left - 1
        and before.middle[0] < (left + right) / 2 < word.middle[0]
        for left, right in _gutters(columns)
    )


def _gutters(columns: Sequence[Column]) -> Iterator[tuple[float, float]]:
    return ((first.right, second.left) for first, second in pairwise(columns))


def _size(before: PageWord, word: PageWord) -> float:
    return max(0.1, _LETTERS * (before.size + word.size) / 2)
