"""The characters of a PDF page in the order of the file, with their boxes on demand."""

import ctypes
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.pdf.hidden import hidden_characters, hidden_text
from sovereign_rag.domain import Box

BREAKS = frozenset("\r\n\x02\ufffe")
"""Ends of lines; \\x02 and U+FFFE are PDFium's for a hyphen that stands there."""

_UNITS = 1_000_000
_SLACK = 0.006  # of the page, around a block
_MOST_CANDIDATES = 40
_SHORT = 3  # letters: a word that is shorter and alone is not looked for on a whole page


@lru_cache(maxsize=8192)
def _bare(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character).lower()
    return "".join(c for c in decomposed if c.isalnum())


def reduced(text: str) -> tuple[str, list[int]]:
    """Bare letters and digits, and for each the index of the character it came from."""
    letters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        bare = _bare(character)
        if bare:
            letters.append(bare)
            origin += [index] * len(bare)
    return "".join(letters), origin


class PageCharacters:
    """`text` is what PDFium has, blanks in the place of what is not seen; `hidden` is that text.

    `origin[i]` is the index in `text` of the i-th bare letter.
    """

    def __init__(self, page: pypdfium2.PdfPage, number: int) -> None:
        self._page = page
        self._number = number
        self._textpage = page.get_textpage()
        raw = self._textpage.raw
        count = max(0, pdfium.FPDFText_CountChars(raw))
        codes = (pdfium.FPDFText_GetUnicode(raw, index) for index in range(count))
        every = "".join(map(chr, codes))
        unseen = hidden_characters(page, raw, every)
        self.hidden = hidden_text(every, unseen) if unseen else ""
        self.text = "".join(" " if i in unseen else c for i, c in enumerate(every))
        self._hidden_words = frozenset(reduced(word)[0] for word in self.hidden.split())
        self._letters, self.origin = reduced(self.text)
        self._used = bytearray(len(self._letters))
        self._rectangle = pdfium.FS_RECTF()
        self._boxes: dict[int, Box] = {}
        self._x, self._y = self._projection()

    def find(
        self, following: Sequence[str], *, after: int | None, region: Box | None
    ) -> int | None:
        """The place of a word among the bare letters, which counts as used from then on.

        Args:
            following: The word and some that come after it, in bare letters; places where they
                follow are preferred.
            after: Where the last word ended; the first place to look at.
            region: Only inside this box.
        """
        key = following[0]
        at = after
        if at is None or self._used[at : at + 1] != b"\0" or not self._letters.startswith(key, at):
            at = self._search(following, region)
        if at is not None:
            self._used[at : at + len(key)] = b"\1" * len(key)
        return at

    def hides(self, key: str) -> bool:
        """Whether a word in bare letters, not found on the page, is among what is not seen."""
        return key in self._hidden_words

    def inside(self, region: Box) -> Iterator[int]:
        """Indices of the characters that stand in a box, line ends between them included."""
        within = False
        for index, character in enumerate(self.text):
            if character in BREAKS or character.isspace():
                if within:
                    yield index
            else:
                within = self._within(index, region)
                if within:
                    yield index

    def around(self, first: int, last: int) -> Box:
        """The box around two characters of a line and what is between them."""
        a, b = self._box(first), self._box(last)
        return Box(
            self._number,
            min(a.left, b.left),
            min(a.top, b.top),
            max(a.right, b.right),
            max(a.bottom, b.bottom),
        )

    def _search(self, following: Sequence[str], region: Box | None) -> int | None:
        for count in range(len(following), 0, -1):
            wanted = "".join(following[:count])
            if region is None and len(wanted) < _SHORT:
                return None  # anywhere on the page would be a guess
            place = -1
            for _ in range(_MOST_CANDIDATES):
                place = self._letters.find(wanted, place + 1)
                if place < 0:
                    break
                if not self._used[place] and self._within(self.origin[place], region):
                    return place
        return None

    def _within(self, index: int, region: Box | None) -> bool:
        if region is None:
            return True
        box = self._box(index)
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        across = region.left - _SLACK <= x <= region.right + _SLACK
        return across and region.top - _SLACK <= y <= region.bottom + _SLACK

    def _box(self, index: int) -> Box:
        known = self._boxes.get(index)
        if known is not None:
            return known
        corners = self._rectangle
        pdfium.FPDFText_GetLooseCharBox(self._textpage.raw, index, corners)
        xs, ys = [], []
        for x, y in ((corners.left, corners.top), (corners.right, corners.bottom)):
            xs.append(_fraction(self._x[0] * x + self._x[1] * y + self._x[2]))
            ys.append(_fraction(self._y[0] * x + self._y[1] * y + self._y[2]))
        box = Box(self._number, min(xs), min(ys), max(xs), max(ys))
        self._boxes[index] = box
        return box

    def _projection(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Points of the page's own system to fractions of the page as shown: turned, cropped."""

        def shown(x: float, y: float) -> tuple[float, float]:
            right, down = ctypes.c_int(), ctypes.c_int()
            pdfium.FPDF_PageToDevice(self._page.raw, 0, 0, _UNITS, _UNITS, 0, x, y, right, down)
            return right.value / _UNITS, down.value / _UNITS

        x0, y0 = shown(0, 0)
        (xx, yx), (xy, yy) = shown(1000, 0), shown(0, 1000)
        return (
            ((xx - x0) / 1000, (xy - x0) / 1000, x0),
            ((yx - y0) / 1000, (yy - y0) / 1000, y0),
        )


def _fraction(value: float) -> float:
    return min(1.0, max(0.0, value))
