"""Words and lines of a page, from the places of its glyphs."""

import re
import statistics
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress, takewhile
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from ingest.parse.document.scripts import is_mark
from ingest.parse.pdf.glyphs import Area, Glyphs, around

BREAKS = frozenset("\r\n\x02\ufffe")
"""Ends of lines; \\x02 and U+FFFE are PDFium's for a hyphen that stands there."""

HYPHENS = "-\u2010\xad\x02\ufffe"

_WORD_GAP = 0.25  # of the glyphs' height: further apart are two words, whatever the file says
_BLANK_GAP = 0.05  # a blank in the file counts where its neighbours stand at least so far apart
_OVERHANG = 0.15  # of the height: how far letters reach over the blank behind them, in italics
_OVERHANGING = frozenset("fﬀ")
_BACKWARDS = 0.3  # a glyph that starts further back; those of a ligature share their place
_OTHER_LINE = 0.62  # of the height, between baselines
_SMALL = 0.85  # of the word's height: a mark, if it is raised or lowered as well
_RAISED, _LOWERED = 0.12, 0.08
_SAME_LINE = 0.28  # of the smaller height, between baselines of words of one line
_MARK = 0.84  # of a word's height: one that is smaller and stands right behind it may be a mark
_MARK_GAP = 0.3
_NEXT_MARK_GAP = 1.0  # of a mark's height, to the next one of the same word
_LONGEST_MARK = 4  # characters
_MOST_MARKS = 200  # of a page with more, small words are its text
_RECENT_LINES = 4
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_RAISED_FIGURES = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_WRITTEN = str.maketrans(
    {
        **{"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"},
        **dict.fromkeys(HYPHENS, "-"),
    }
)
_LEADER = re.compile(r"[.·…_]{5,}")  # leads from a label to its value, and belongs to neither
_BULLET_CODE = "ï"  # as PDFium reads a bullet of one system in the code of another; no word
_RIGHT_TO_LEFT = frozenset(("R", "AL"))
_FIRST_RIGHT_TO_LEFT = "\u0590"


@dataclass(frozen=True, slots=True)
class PageWord:
    """Glyphs that stand together, in the order of the file."""

    text: str
    numbers: tuple[int, ...]  # of its glyphs among the page's characters
    area: Area
    base: float
    size: float  # height of its glyphs, in points
    has_marks: bool = False  # raised or lowered glyphs, which `area` may leave out
    leftwards: bool = False  # of a script that is written from right to left
    confidence: float | None = None  # 0..1, where the file has no letters: of the recogniser

    @property
    def middle(self) -> tuple[float, float]:
        left, top, right, bottom = self.area
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True, slots=True)
class TextLine:
    """Words on one baseline, from left to right."""

    words: tuple[PageWord, ...]
    base: float
    size: float
    area: Area

    @property
    def middle(self) -> float:
        """The height at which the small letters have their middle: rules above it are above."""
        return self.base - 0.3 * self.size


class WordPlaces:
    """Words that are asked for by where their middles stand."""

    def __init__(self, words: Sequence[PageWord]) -> None:
        self.words = words
        areas = np.array([word.area for word in words]).reshape(-1, 4)
        self.sizes = np.array([word.size for word in words])
        self._x, self._y = ((areas[:, :2] + areas[:, 2:]) / 2).T

    def stand_in(self, area: Area, slack: float = 1.0) -> NDArray[np.bool_]:
        """For each word whether its middle lies in an area, or at most `slack` points outside."""
        across = (area.left - slack <= self._x) & (self._x <= area.right + slack)
        down = (area.top - slack <= self._y) & (self._y <= area.bottom + slack)
        inside: NDArray[np.bool_] = across & down
        return inside

    def within(self, area: Area) -> list[PageWord]:
        return self.chosen(self.stand_in(area))

    def chosen(self, marked: NDArray[np.bool_]) -> list[PageWord]:
        """The words that are marked, in their order."""
        return [self.words[place] for place in np.nonzero(marked)[0].tolist()]


def page_words(glyphs: Glyphs, text: str) -> list[PageWord]:
    """The words of a frame, in the order of the file.

    Args:
        glyphs: Those of the frame.
        text: All the page's characters, which has the blanks between them.
    """
    if not len(glyphs):
        return []
    starts = np.concatenate([[0], 1 + np.nonzero(_parted(glyphs, text))[0]])
    ends = [*starts[1:].tolist(), len(glyphs)]
    heights = glyphs.bottom - glyphs.top
    low, high = np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)
    areas = np.stack(
        [
            np.minimum.reduceat(glyphs.left, starts),
            np.minimum.reduceat(glyphs.top, starts),
            np.maximum.reduceat(glyphs.right, starts),
            np.maximum.reduceat(glyphs.bottom, starts),
        ],
        axis=1,
    ).tolist()
    plain = (high - low < 0.01 * high).tolist()
    bases, sizes = glyphs.base[starts].tolist(), high.tolist()
    words = [
        PageWord(
            glyphs.text[start:end].translate(_WRITTEN),
            glyphs.numbers[start:end],
            Area(*areas[k]),
            bases[k],
            sizes[k],
            leftwards=_is_leftwards(glyphs.text[start]),
        )
        if plain[k]
        else _mixed(glyphs, start, end)
        for k, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True))
    ]
    if _BULLET_CODE in glyphs.text:
        words = [replace(w, text="•") if w.text == _BULLET_CODE else w for w in words]
    return _with_marks(words, text)


def _parted(glyphs: Glyphs, text: str) -> NDArray[np.bool_]:
    """Whether each glyph but the first begins another word than the one before it."""
    height = np.maximum((glyphs.bottom - glyphs.top)[:-1], 0.1)
    gap = glyphs.left[1:] - glyphs.right[:-1]
    back = glyphs.left[:-1] - glyphs.left[1:]
    if max(glyphs.text) > _FIRST_RIGHT_TO_LEFT:
        leftwards = np.array([_is_leftwards(character) for character in glyphs.text[1:]])
        gap = np.where(leftwards, np.maximum(gap, glyphs.left[:-1] - glyphs.right[1:]), gap)
        back = np.where(leftwards, 0.0, back)
    apart = np.abs(np.diff(glyphs.base))
    parted = (
        (gap > _WORD_GAP * height) | (back > _BACKWARDS * height) | (apart > _OTHER_LINE * height)
    )
    overhang = _OVERHANG * height * np.array([c in _OVERHANGING for c in glyphs.text[:-1]])
    level = (gap + overhang <= _BLANK_GAP * height) & (back <= 0) & (apart <= 0.15 * height)
    for leader in _LEADER.finditer(glyphs.text):
        parted[[at - 1 for at in leader.span() if 0 < at < len(glyphs)]] = True
    numbers = np.array(glyphs.numbers)
    for place in np.nonzero(~parted & ~level & (np.diff(numbers) > 1))[0].tolist():
        parted[place] = _has_blank(text, numbers[place], numbers[place + 1])
    return np.asarray(parted, np.bool_)


def _has_blank(text: str, first: int, last: int) -> bool:
    return any(c.isspace() or c in BREAKS for c in text[first + 1 : last])


def _mixed(glyphs: Glyphs, start: int, end: int) -> PageWord:
    """A word of glyphs of several heights: figures that are raised or lowered are marks."""
    text = glyphs.text[start:end]
    lefts, tops, rights, bottoms, bases = (
        column[start:end].tolist()  # so few that numpy is the slower way
        for column in (glyphs.left, glyphs.top, glyphs.right, glyphs.bottom, glyphs.base)
    )
    heights = [bottom - top for top, bottom in zip(tops, bottoms, strict=True)]
    written_ones = [h for h, c in zip(heights, text, strict=True) if c.isalnum()]
    size = max(written_ones) if written_ones else statistics.median_high(heights)
    large = [h >= _SMALL * size for h in heights]
    base = statistics.median_low(list(compress(bases, large)))
    raised, lowered = base - _RAISED * size, base + _LOWERED * size
    ups = [not whole and own < raised for whole, own in zip(large, bases, strict=True)]
    downs = [not whole and own > lowered for whole, own in zip(large, bases, strict=True)]
    written = ""
    for place, (character, up, down) in enumerate(zip(text, ups, downs, strict=True)):
        if up:
            if _is_letter_of_note(_run(text, ups, place), written):
                written += " "
            written += character.translate(_SUPERSCRIPTS)
        elif down and written[-1:].isdigit():
            written += character.translate(_SUBSCRIPTS)
        else:
            written += character.translate(_WRITTEN)
    return PageWord(
        written,
        glyphs.numbers[start:end],
        Area(min(lefts), min(compress(tops, large)), max(rights), max(compress(bottoms, large))),
        base,
        size,
        has_marks=not all(large),
        leftwards=_is_leftwards(text[0]),
    )


def _run(text: str, raised: Sequence[bool], start: int) -> str:
    """The characters from `start` on that are all raised."""
    return "".join(
        c for c, _ in takewhile(itemgetter(1), zip(text[start:], raised[start:], strict=True))
    )


def _is_letter_of_note(raised: str, before: str) -> bool:
    """Whether raised letters refer to a note; figures are told from the number by being raised."""
    return before[-1:].isdigit() and raised[0].isalpha() and is_mark(raised, before)


def _with_marks(words: Sequence[PageWord], text: str) -> list[PageWord]:
    """Small words right behind a larger one, raised or lowered, put on its line.

    One that the file has no blank before belongs to the larger word, whichever of them it draws
    first.
    """
    usual = statistics.median_high([word.size for word in words])
    small = [n for n, w in enumerate(words) if w.size < _MARK * usual]
    if not small or len(small) > _MOST_MARKS:
        return list(words)
    owners = _owners(small, words)
    kept = {n: word for n, word in enumerate(words) if n not in owners}
    for number, owner in owners.items():
        mark = _as_mark(words[number], words[owner])
        if owner in kept and _belongs(words[number], kept[owner], text):
            kept[owner] = _joined(kept[owner], mark)
        else:
            kept[number] = mark
    for number in owners:
        before, after = kept.get(number - 1), kept.get(number + 1)
        if before and after and number not in kept and _touch(before, after):
            kept[number + 1] = _joined(kept.pop(number - 1), after)
    return [kept[number] for number in sorted(kept)]


def _touch(before: PageWord, after: PageWord) -> bool:
    """Whether words that the file parts by a mark alone stand as one."""
    if abs(before.base - after.base) > _BLANK_GAP * before.size or after.text[0].isdigit():
        return False
    return abs(after.area.left - before.area.right) <= _BLANK_GAP * before.size


def _joined(before: PageWord, after: PageWord) -> PageWord:
    return replace(
        before,
        text=before.text + after.text,
        numbers=before.numbers + after.numbers,
        area=around((before.area, after.area)),
        has_marks=before.has_marks or after.has_marks,
    )


def _owners(small: Sequence[int], words: Sequence[PageWord]) -> dict[int, int]:
    """Of small words, by their places, the places of the words that they stand behind."""
    sizes = np.array([word.size for word in words])
    bases = np.array([word.base for word in words])
    rights = np.array([word.area.right for word in words])
    owners: dict[int, int] = {}
    for number in small:
        mark = words[number]
        if len(mark.text) > _LONGEST_MARK:
            continue
        off = np.abs(bases - mark.base)
        gap = np.abs(mark.area.left - rights)
        near = (
            (mark.size < _MARK * sizes) & (off < _OTHER_LINE * sizes) & (gap <= _MARK_GAP * sizes)
        )
        if near.any():
            owners[number] = int(np.where(near, off, np.inf).argmin())
        elif number and _is_next_mark(words[number - 1], mark, number - 1 in owners):
            owners[number] = owners.get(number - 1, number - 1)
    return owners


def _is_next_mark(before: PageWord, mark: PageWord, is_mark: bool) -> bool:
    """Whether a word of figures is one more mark behind another: "² ⁵ ⁶"."""
    gap = mark.area.left - before.area.right
    if not mark.text.isdigit() or not 0 <= gap <= _NEXT_MARK_GAP * mark.size:
        return False
    if is_mark:
        return abs(mark.base - before.base) <= _BLANK_GAP * mark.size
    raised = before.base - mark.base
    return before.text[-1] in _RAISED_FIGURES and _RAISED < raised / before.size < _OTHER_LINE


def _belongs(word: PageWord, owner: PageWord, text: str) -> bool:
    """Whether a mark is written right behind its word; not so where numbers would run together."""
    if _is_raised(word, owner) and _is_letter_of_note(word.text, owner.text):
        return False
    numbers = owner.text[-1].isdigit() and word.text[0].isdigit()
    return not numbers or not _has_blank(text, owner.numbers[-1], word.numbers[0])


def _is_raised(word: PageWord, owner: PageWord) -> bool:
    return word.base < owner.base - _RAISED * owner.size


def _as_mark(word: PageWord, owner: PageWord) -> PageWord:
    """A small word as its owner's superscript or subscript, on its line."""
    written = word.text
    if _is_raised(word, owner):
        written = written.translate(_SUPERSCRIPTS)
    elif owner.text[-1].isdigit() and word.base > owner.base + _LOWERED * owner.size:
        written = written.translate(_SUBSCRIPTS)
    area = Area(word.area.left, owner.area.top, word.area.right, owner.area.bottom)
    return replace(word, text=written, area=area, base=owner.base, size=owner.size, has_marks=True)


def text_lines(words: Iterable[PageWord]) -> list[TextLine]:
    """Words that stand on one baseline, from left to right; lines from top to bottom."""
    lines: list[tuple[float, float, list[PageWord]]] = []  # with base and size of the first word
    for word in sorted(words, key=lambda w: (w.base, w.area.left)):
        word_base, word_size = word.base, word.size
        for base, size, line in lines[: -_RECENT_LINES - 1 : -1]:
            smaller = word_size if word_size < size else size
            if abs(word_base - base) <= _SAME_LINE * smaller:
                line.append(word)
                break
        else:
            lines.append((word_base, word_size, [word]))
    return [_line(line) for _, _, line in lines]


def _line(words: list[PageWord]) -> TextLine:
    if len(words) == 1:
        return TextLine(tuple(words), words[0].base, words[0].size, words[0].area)
    if any([word.leftwards for word in words]):
        ordered = sorted(words, key=lambda w: w.numbers[0])  # PDFium has them as they are read
    else:
        ordered = sorted(words, key=lambda w: w.area.left)
    return TextLine(
        tuple(ordered),
        statistics.median_low([word.base for word in words]),
        statistics.median_high([word.size for word in words]),
        around([word.area for word in words]),
    )


def _is_leftwards(character: str) -> bool:
    if character <= _FIRST_RIGHT_TO_LEFT:
        return False
    return unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
