"""Text of a PDF page that nobody sees: it is where instructions to a machine are hidden.

Suspected are characters drawn invisibly, in a light or transparent colour, tiny, beside the page,
or in a layer that may be switched off. Whether they are seen is then asked of the page itself:
drawn, does it have any ink where the character stands? So white text on a dark header is text,
and white text on white paper is not. Invisible text on a picture is the recognised text of a scan.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from ingest.parse.document.text import canonical

_INVISIBLE = {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}
_LIGHT = 140  # of 255, weighted by brightness
_FAINT = 60  # of 255: the opacity of text that is hardly seen
_TINY = 1.5  # points
_LEAST_CONTRAST = 24  # of 255, between the lightest and darkest point of what is seen
_PIXELS_PER_POINT = 2.0
_MOST_PIXELS = 12_000_000
_MOST_IMAGES = 200
_LAYER = "OC"

_Bounds = tuple[float, float, float, float]  # left, bottom, right, top in points of the file


@dataclass(frozen=True, slots=True)
class _Look:
    """How a text object is drawn."""

    invisible: bool
    suspect: bool


def hidden_characters(page: pypdfium2.PdfPage, textpage: object, text: str) -> frozenset[int]:
    """Indices of the characters of a page that are not seen on it.

    Args:
        page: The page.
        textpage: PDFium's handle of its text.
        text: What PDFium has, one character for each of the text page's.
    """
    looks: dict[int | None, _Look] = {}
    words: list[tuple[range, bool, bool, _Bounds]] = []
    first = pdfium.FS_RECTF()
    left, bottom, right, top = page.get_bbox()
    for span in _words(text):
        handle = pdfium.FPDFText_GetTextObject(textpage, span.start)
        key = ctypes.cast(handle, ctypes.c_void_p).value
        if key not in looks:
            looks[key] = _look(handle) if key else _Look(False, False)
        look = looks[key]
        pdfium.FPDFText_GetLooseCharBox(textpage, span.start, first)
        # Whichever way the letter is turned, one of its sides is its size.
        tiny = abs(first.right - first.left) < _TINY and abs(first.top - first.bottom) < _TINY
        beside = not (left <= first.left <= right and bottom <= first.bottom <= top)
        if look.suspect or tiny or beside:
            words.append((span, look.invisible, tiny, _bounds(textpage, span)))
    if not words:
        return frozenset()
    pictures = list(_images(page)) if any(word[1] for word in words) else []
    seen = Seen(page)
    hidden: set[int] = set()
    for span, invisible, tiny, bounds in words:
        recognised = any(_holds(picture, bounds) for picture in pictures)
        if tiny or (invisible and not recognised) or not seen.has_ink(bounds):
            hidden.update(span)
    return frozenset(hidden)


def hidden_text(text: str, hidden: frozenset[int]) -> str:
    """The characters that are not seen, words apart, in the order of the file."""
    shown = "".join(c if i in hidden or c.isspace() else " " for i, c in enumerate(text))
    return " ".join(canonical(shown).split())


class Seen:
    """The page as it is drawn, with notes and filled fields."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._page = page
        width, height = page.get_size()
        most = (_MOST_PIXELS / max(1.0, width * height)) ** 0.5
        drawn = page.render(scale=min(_PIXELS_PER_POINT, most), grayscale=True)
        self._pixels: NDArray[np.uint8] = np.asarray(drawn.to_pil())

    def has_ink(self, bounds: _Bounds) -> bool:
        height, width = self._pixels.shape[:2]
        left, bottom, right, top = bounds
        xs, ys = [], []
        for x, y in ((left, bottom), (right, top)):
            across, down = ctypes.c_int(), ctypes.c_int()
            pdfium.FPDF_PageToDevice(self._page.raw, 0, 0, width, height, 0, x, y, across, down)
            xs.append(min(width, max(0, across.value)))
            ys.append(min(height, max(0, down.value)))
        seen = self._pixels[min(ys) : max(ys) + 1, min(xs) : max(xs) + 1]
        return bool(seen.size) and int(seen.max()) - int(seen.min()) >= _LEAST_CONTRAST


def _words(text: str) -> Iterator[range]:
    start = 0
    for index, character in enumerate(f"{text} "):
        if character.isspace() or character in "\x02\ufffe":
            if index > start:
                yield range(start, index)
            start = index + 1


def _look(handle: object) -> _Look:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(handle)
    invisible = mode in _INVISIBLE
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    known = pdfium.FPDFPageObj_GetFillColor(handle, red, green, blue, alpha)
    bright = 0.3 * red.value + 0.59 * green.value + 0.11 * blue.value
    pale = bool(known) and (bright > _LIGHT or alpha.value < _FAINT)
    return _Look(invisible, invisible or pale or _is_in_a_layer(handle))


def _is_in_a_layer(handle: object) -> bool:
    name = (pdfium.FPDF_WCHAR * 8)()
    size = ctypes.c_ulong()
    for index in range(max(0, pdfium.FPDFPageObj_CountMarks(handle))):
        mark = pdfium.FPDFPageObj_GetMark(handle, index)
        if pdfium.FPDFPageObjMark_GetName(mark, name, ctypes.sizeof(name), size):
            letters = bytes(memoryview(name))[: max(0, size.value - 2)]
            if letters.decode("utf-16-le", "replace") == _LAYER:
                return True
    return False


def _bounds(textpage: object, span: range) -> _Bounds:
    corners = pdfium.FS_RECTF()
    lefts, bottoms, rights, tops = [], [], [], []
    for index in (span.start, span.stop - 1):
        pdfium.FPDFText_GetLooseCharBox(textpage, index, corners)
        lefts.append(min(corners.left, corners.right))
        rights.append(max(corners.left, corners.right))
        bottoms.append(min(corners.bottom, corners.top))
        tops.append(max(corners.bottom, corners.top))
    return min(lefts), min(bottoms), max(rights), max(tops)


def _images(page: pypdfium2.PdfPage) -> Iterator[_Bounds]:
    found = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4)
    for item, _ in zip(found, range(_MOST_IMAGES), strict=False):
        # What is drawn within a form has coordinates of its own; such an image may be anywhere.
        yield item.get_bounds() if item.level == 0 else page.get_bbox()


def _holds(picture: _Bounds, bounds: _Bounds) -> bool:
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    return picture[0] <= x <= picture[2] and picture[1] <= y <= picture[3]
