"""The characters of a PDF page in the order of the file, and where they stand."""

import re
from collections.abc import Sequence
from itertools import repeat

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document.blocks import Block
from ingest.parse.pdf.doubled import doubled_letters
from ingest.parse.pdf.glyphs import PageGlyphs
from ingest.parse.pdf.hidden import hidden_characters, hidden_text
from ingest.parse.pdf.lines import PageWord, page_words, text_lines
from ingest.parse.pdf.unmapped import (
    MARK,
    are_letters,
    are_many,
    recognised_at,
    unmapped_characters,
)
from sovereign_rag.domain import Box

_HALF = re.compile("[\ud800-\udfff]")  # of a pictogram: PDFium leaves its other half out


class PageCharacters:
    """`text` is what PDFium has, blanks in the place of what is not seen; `hidden` is that text.

    A glyph that the file has no letter for is U+FFFD; `codes` is the text with what the file has in
    its place. `words` are the words of `text` by the turn of their frame.
    """

    def __init__(self, page: pypdfium2.PdfPage, number: int) -> None:
        self._number = number
        self._textpage = page.get_textpage()
        raw = self._textpage.raw
        count = max(0, pdfium.FPDFText_CountChars(raw))
        every = "".join(map(chr, map(pdfium.FPDFText_GetUnicode, repeat(raw), range(count))))
        every = _HALF.sub(" ", every)
        unseen = hidden_characters(page, raw, every)
        self.hidden = hidden_text(every, unseen) if unseen else ""
        wrong = unmapped_characters(page, raw, every)
        blank = wrong.blank | unseen
        doubled = doubled_letters(page, raw, every)
        written = dict.fromkeys(wrong.minus, "\u2212") | dict.fromkeys(doubled, "\ufb00")
        told = "".join(written.get(i, c) for i, c in enumerate(every)) if written else every
        self.codes = "".join(" " if i in blank else c for i, c in enumerate(told))
        inked = wrong.inked - blank
        if inked and are_letters(_words_of(every, inked)):
            inked = frozenset()
        self.text = "".join(MARK if i in inked else c for i, c in enumerate(self.codes))
        self.glyphs = PageGlyphs(page, raw, self.text, doubled)
        self.words = {
            turn: page_words(glyphs, self.text) for turn, glyphs in self.glyphs.frames.items()
        }

    @property
    def has_codes(self) -> bool:
        """Whether the page has words without letters."""
        return are_many(self.words, self.codes)

    @property
    def are_upright(self) -> bool:
        """Whether the page has text, all of it upright as the page is shown."""
        return set(self.words) == {0}

    @property
    def coded_lines(self) -> dict[int, list[Box]]:
        """Where the lines stand that have such words, by the turn of their frame."""
        lines = {
            turn: [
                self.box(word, turn)
                for line in text_lines(words)
                if _marks(line.words)
                for word in line.words
            ]
            for turn, words in self.words.items()
        }
        return {turn: boxes for turn, boxes in lines.items() if boxes}

    def coded_most(self, count: int) -> list[Box]:
        """Where the upright lines stand that have the most glyphs without a letter."""
        lines = [(_marks(line.words), line.words) for line in text_lines(self.words.get(0, ()))]
        lines.sort(key=lambda line: -line[0])
        boxes = [[self.box(word, 0) for word in words] for marks, words in lines[:count] if marks]
        return [
            Box(
                self._number,
                min(box.left for box in own),
                min(box.top for box in own),
                max(box.right for box in own),
                max(box.bottom for box in own),
            )
            for own in boxes
        ]

    def look_up(self, recognised: Sequence[Block]) -> None:
        """Put what was recognised in the place of words that the file has no letters for."""
        for turn, words in self.words.items():
            frame = self.glyphs.frame(turn)
            self.words[turn] = recognised_at(words, frame, recognised, self.codes)

    @property
    def sources(self) -> tuple[str, str]:
        """The text as PDFium has it, and with blanks wherever its glyphs stand apart.

        PDFium runs the foot of a column and the head of the next together.
        """
        words = (word.text for own in self.words.values() for word in own)
        return self.text, " ".join(words)

    @property
    def placed(self) -> dict[str, object]:
        """The characters that have places, and the middles of those, in fractions of the page."""
        numbers, middles = self.glyphs.middles
        return {"text": "".join(self.codes[number] for number in numbers), "places": middles}

    def box(self, word: PageWord, turn: int) -> Box:
        """The place of a word of a frame on the page as shown."""
        glyphs = self.glyphs
        area = glyphs.around(word.numbers) if turn or word.has_marks else word.area
        left, top, right, bottom = area
        width, height = max(glyphs.width, 0.1), max(glyphs.height, 0.1)
        if left < 0 or top < 0 or right > width or bottom > height:
            left, right = (min(width, max(0.0, x)) for x in (left, right))
            top, bottom = (min(height, max(0.0, y)) for y in (top, bottom))
        return Box(self._number, left / width, top / height, right / width, bottom / height)


def _marks(words: Sequence[PageWord]) -> int:
    return sum(word.text.count(MARK) for word in words)


def _words_of(text: str, numbers: frozenset[int]) -> str:
    """The characters with these numbers, words apart."""
    return "".join(c if i in numbers else " " for i, c in enumerate(text))
