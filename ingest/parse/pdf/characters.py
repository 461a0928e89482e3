"""The characters of a PDF page in the order of the file, and where they stand."""

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.pdf.glyphs import PageGlyphs
from ingest.parse.pdf.hidden import hidden_characters, hidden_text
from ingest.parse.pdf.lines import PageWord, page_words
from sovereign_rag.domain import Box


class PageCharacters:
    """`text` is what PDFium has, blanks in the place of what is not seen; `hidden` is that text.

    `words` are the words of `text` by the turn of their frame.
    """

    def __init__(self, page: pypdfium2.PdfPage, number: int) -> None:
        self._number = number
        self._textpage = page.get_textpage()
        raw = self._textpage.raw
        count = max(0, pdfium.FPDFText_CountChars(raw))
        codes = (pdfium.FPDFText_GetUnicode(raw, index) for index in range(count))
        every = "".join(map(chr, codes))
        unseen = hidden_characters(page, raw, every)
        self.hidden = hidden_text(every, unseen) if unseen else ""
        self.text = "".join(" " if i in unseen else c for i, c in enumerate(every))
        self.glyphs = PageGlyphs(page, raw, self.text)
        self.words = {
            turn: page_words(glyphs, self.text) for turn, glyphs in self.glyphs.frames.items()
        }

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
        return {"text": "".join(self.text[number] for number in numbers), "places": middles}

    def box(self, word: PageWord, turn: int) -> Box:
        """The place of a word of a frame on the page as shown."""
        glyphs = self.glyphs
        area = glyphs.around(word.numbers) if turn or word.has_marks else word.area
        width, height = max(glyphs.width, 0.1), max(glyphs.height, 0.1)
        return Box(
            self._number,
            _fraction(area.left / width),
            _fraction(area.top / height),
            _fraction(area.right / width),
            _fraction(area.bottom / height),
        )


def _fraction(value: float) -> float:
    return min(1.0, max(0.0, value))
