"""Glyphs of a PDF page that its file gives no letter for.

Fonts without a mapping give a code in its place, which may be another letter or another figure:
control characters for "1,2", "0" for a prime. Such a glyph is written as U+FFFD. Where many of
them stand together the page is looked at: what is recognised at their place takes it. Where their
codes are words of a language after all, as in fonts of old typesetters, they are kept.
"""

import ctypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import repeat

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document.blocks import Block
from ingest.parse.document.text import squashed
from ingest.parse.pdf.glyphs import Area, Frame, around
from ingest.parse.pdf.hidden import Seen
from ingest.parse.pdf.legible import is_legible
from ingest.parse.pdf.lines import BREAKS, PageWord, text_lines
from sovereign_rag.domain import Word
from sovereign_rag.text.language import detect

MARK = "\ufffd"
CODES = (
    "Page {}: a part of its text layer has codes in place of letters, and recognition did not "
    "help; they are shown as \ufffd. Print the file to a new PDF in the program that wrote it, or "
    "scan it."
)

_FEWEST = 4  # such glyphs in a word: less is a sign of a formula
_DIFFERENT = 3  # of them
_WITHIN = re.compile(rf"[^\W\d_]{{2}}{MARK}[^\W\d_]{{2}}")  # two letters drawn as one
_FEWEST_LETTERS = 20  # to tell whether codes are letters
_LETTERS_SHARE = 0.7  # of the words of such codes that look like words
_ALIKE = 0.7  # of the letters that are recognised: the codes are right
_SURE = 0.75  # mean confidence from which what was recognised is taken, 0 to 1
_POINT = 0.01
_OF_CODES = 0.7  # of a run's glyphs that have no letter: the others tell nothing of their codes
_RIGHT_SHARE = 0.5  # of what was recognised that is alike: all such codes are right
_BAR = 5.0  # times its height: the width of a minus
_BAR_LOW, _BAR_HIGH = 0.1, 0.5  # heights above the line that it stands on

_ORDER = 29  # from the place of a glyph in that order to its letter

_Seen = tuple[str, Area, float | None]
"""What was recognised, where in a frame, and how surely."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Indices of the characters of a page that its file has no letter for."""

    inked: frozenset[int] = frozenset()
    blank: frozenset[int] = frozenset()
    minus: frozenset[int] = frozenset()  # what is drawn is a bar in the middle of the line


def unmapped_characters(page: pypdfium2.PdfPage, textpage: object, text: str) -> Unmapped:
    """What the page shows where its file has no letter."""
    wrong = map(pdfium.FPDFText_HasUnicodeMapError, repeat(textpage), range(len(text)))
    found = [n for n, is_wrong in enumerate(wrong) if is_wrong == 1 and text[n] not in BREAKS]
    seen: Seen | None = None
    inked, minus = set[int](), set[int]()
    for number in found:
        left, bottom, right, top = area = _drawn(textpage, number)
        if not text[number].isprintable():
            # The code of a blank is as good as any; only the page itself tells it from a letter.
            seen = seen or Seen(page)
            if min(right - left, top - bottom) < _POINT or not seen.has_ink(area):
                continue
        (minus if _is_minus(textpage, number, area) else inked).add(number)
    return Unmapped(frozenset(inked), frozenset(found) - inked - minus, frozenset(minus))


def _drawn(textpage: object, number: int) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the ink of a glyph, in points of the file."""
    left, right, bottom, top = sides = [ctypes.c_double() for _ in range(4)]
    pdfium.FPDFText_GetCharBox(textpage, number, *sides)
    return left.value, bottom.value, right.value, top.value


def _is_minus(textpage: object, number: int, area: tuple[float, float, float, float]) -> bool:
    left, bottom, right, top = area
    across, base, whole = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    pdfium.FPDFText_GetCharOrigin(textpage, number, across, base)
    pdfium.FPDFText_GetLooseCharBox(textpage, number, whole)
    raised = ((bottom + top) / 2 - base.value) / max(_POINT, whole.top - whole.bottom)
    return right - left > _BAR * (top - bottom) and _BAR_LOW < raised < _BAR_HIGH


def are_letters(codes: str) -> bool:
    """Whether the codes of glyphs without a mapping are the letters themselves."""
    return sum(map(str.isalpha, codes)) >= _FEWEST_LETTERS and is_legible(codes, _LETTERS_SHARE)


def likely_language(codes: str) -> str | None:
    """The language of codes that count glyphs in the usual order of TrueType fonts.

    A hint of how to recognise what is drawn, and no more: some fonts part from that order.
    """
    shifted = (" " if c.isspace() else chr(ord(c) + _ORDER) for c in codes)
    letters = "".join(c if c.isascii() and c.isprintable() else " " for c in shifted)
    return detect(letters) if is_legible(letters) else None


def are_many(words: Mapping[int, Sequence[PageWord]], codes: str) -> bool:
    """Whether a page has words without letters, so that it has to be looked at.

    Args:
        words: Of the page, by the turn of their frame.
        codes: The page's characters as the file has them.
    """
    return any(
        MARK in word.text and (_WITHIN.search(word.text) or _is_coded(word, codes))
        for own in words.values()
        for word in own
    )


def _is_coded(word: PageWord, codes: str) -> bool:
    """Whether a word is of several different codes; signs of formulas are few, or repeated."""
    if word.text.count(MARK) < _FEWEST:
        return False
    own = {codes[n] for n, c in zip(word.numbers, word.text, strict=False) if c == MARK}
    return sum(code.isalnum() or not code.isprintable() for code in own) >= _DIFFERENT


def recognised_at(
    words: Sequence[PageWord], frame: Frame, blocks: Sequence[Block], codes: str
) -> list[PageWord]:
    """The words of a frame; for those without letters what was recognised where they stand.

    Where that mostly is what the codes spell, the codes are letters, and stay.

    Args:
        words: Of the frame.
        frame: Turned as they are.
        blocks: What was recognised on the page.
        codes: The page's characters as the file has them.
    """
    seen = list(_recognised(blocks, frame))
    runs = [run for line in text_lines(words) for run in _runs(line.words)]
    found = [_found(own, seen) if is_coded else [] for is_coded, own in runs]
    compared = [
        _is_spelled(own, codes) and _alike(own, codes, at)
        for (_, own), at in zip(runs, found, strict=True)
        if at
    ]
    are_right = sum(compared) > _RIGHT_SHARE * len(compared)
    left: list[PageWord] = []
    for (is_coded, own), at in zip(runs, found, strict=True):
        if is_coded and are_right and _is_spelled(own, codes):
            left += [replace(w, text="".join(codes[n] for n in w.numbers)) for w in own]
        else:
            left += _read(own, at) if at else own
    return sorted(left, key=lambda word: word.numbers[0])


def _runs(words: Sequence[PageWord]) -> Iterator[tuple[bool, list[PageWord]]]:
    """Words of a line that stand together, with letters or without."""
    run: list[PageWord] = []
    for word in words:
        if run and (MARK in word.text) is not (MARK in run[-1].text):
            yield MARK in run[-1].text, run
            run = []
        run.append(word)
    if run:
        yield MARK in run[-1].text, run


def _recognised(blocks: Sequence[Block], frame: Frame) -> Iterator[_Seen]:
    for block in blocks:
        for word in block.words:
            yield block.text[word.start : word.end], _area(word, frame), word.confidence


def _area(word: Word, frame: Frame) -> Area:
    """The place of a recognised word in a frame."""
    across, down = frame.width, frame.height
    x0, y0 = frame.point(word.box.left * across, word.box.top * down)
    x1, y1 = frame.point(word.box.right * across, word.box.bottom * down)
    return Area(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _found(run: Sequence[PageWord], seen: Sequence[_Seen]) -> list[_Seen]:
    """What was recognised where a run stands, from left to right; nothing that is not sure."""
    area = around([word.area for word in run])
    found = sorted((it for it in seen if _is_within(it[1], area)), key=lambda it: it[1].left)
    sure = sum(confidence or 0.0 for *_, confidence in found)
    return found if sure >= _SURE * len(found) else []


def _read(run: Sequence[PageWord], found: Sequence[_Seen]) -> list[PageWord]:
    """Recognised words in the place of a run's, each with the glyphs that it covers."""
    places = [
        (number, word.area.left + (place + 0.5) / len(word.numbers) * word.area.width)
        for word in run
        for place, number in enumerate(word.numbers)
    ]
    base, size = run[0].base, run[0].size
    read = []
    for text, own, confidence in found:
        middle = (own.left + own.right) / 2
        covered = tuple(number for number, x in places if own.left <= x <= own.right)
        nearest = min(places, key=lambda place: abs(place[1] - middle))[0]
        numbers = covered or (nearest,)
        read.append(PageWord(text, numbers, own, base, size, confidence=confidence))
    return read


def _is_within(own: Area, area: Area) -> bool:
    return area.has((own.left + own.right) / 2, (own.top + own.bottom) / 2)


def _told(run: Sequence[PageWord], codes: str) -> str:
    return "".join(codes[number] for word in run for number in word.numbers)


def _is_spelled(run: Sequence[PageWord], codes: str) -> bool:
    """Whether a run is of codes alone that could be letters."""
    told = _told(run, codes)
    marks = sum(word.text.count(MARK) for word in run)
    return told.isprintable() and MARK not in told and marks > _OF_CODES * len(told)


def _alike(run: Sequence[PageWord], codes: str, found: Sequence[_Seen]) -> bool:
    told, seen = squashed(_told(run, codes)), squashed("".join(text for text, *_ in found))
    return bool(seen) and SequenceMatcher(None, told, seen, autojunk=False).ratio() >= _ALIKE
