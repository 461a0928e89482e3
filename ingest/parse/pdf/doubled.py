"""Letters of a PDF page that PDFium leaves out: it takes "ff" for one letter printed twice.

Programs print a letter twice, a little aside, to make it bold, and PDFium drops the second. How far
aside it measures without the scale of the page, so that in a file whose letters are drawn one by
one it drops a true neighbour, too, where the ink of both overlaps: "Efect" in italics.
"""

import ctypes
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import pypdfium2
import pypdfium2.raw as pdfium

_REACHES = "f"  # over its neighbour
_ASIDE = 0.15  # of the height of its ink: nearer is the same letter, printed twice
_NEXT = 0.7  # likewise: further is another place of the line
_SAME = 0.1  # points, between sides and baselines of one shape drawn twice

_Drawn = tuple[float, float, float, float]
"""Where a text object begins, and the width and height of its ink, in points of the file."""


def doubled_letters(page: pypdfium2.PdfPage, textpage: object, text: str) -> dict[int, float]:
    """The characters of a page that stand for two, by index: how far the second is from the first.

    In points of the file; a file that draws several letters at once loses none.
    """
    alone = [n for n, c in enumerate(text) if c == _REACHES and _is_drawn_alone(textpage, n, text)]
    if not alone:
        return {}
    own = {_owner(textpage, number): number for number in alone}
    others = {_owner(textpage, number) for number in range(len(text))} - set(own)
    drawn = dict(_objects(page, others))
    dropped = [it for owner, it in drawn.items() if owner not in own and it[2] > 0]
    found: dict[int, float] = {}
    for owner, number in own.items():
        first = drawn.get(owner)
        for other in dropped if first else ():
            if first and _is_next(first, other):
                found[number] = other[0] - first[0]
    return found


def _owner(textpage: object, number: int) -> int | None:
    return ctypes.cast(pdfium.FPDFText_GetTextObject(textpage, number), ctypes.c_void_p).value


def _is_drawn_alone(textpage: object, number: int, text: str) -> bool:
    owner = _owner(textpage, number)
    beside = (n for n in (number - 1, number + 1) if 0 <= n < len(text))
    return owner is not None and all(_owner(textpage, n) != owner for n in beside)


def _is_next(first: _Drawn, other: _Drawn) -> bool:
    same = all(abs(a - b) < _SAME for a, b in zip(first[1:], other[1:], strict=True))
    return same and _ASIDE < (other[0] - first[0]) / first[3] < _NEXT


def _objects(
    page: pypdfium2.PdfPage, others: AbstractSet[int | None]
) -> Iterator[tuple[int | None, _Drawn]]:
    """The texts that the page itself draws, by their handles, without `others`."""
    matrix = pdfium.FS_MATRIX()
    left, bottom, right, top = sides = [ctypes.c_float() for _ in range(4)]
    for index in range(max(0, pdfium.FPDFPage_CountObjects(page.raw))):
        item = pdfium.FPDFPage_GetObject(page.raw, index)
        handle = ctypes.cast(item, ctypes.c_void_p).value
        if handle in others or pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_TEXT:
            continue
        pdfium.FPDFPageObj_GetMatrix(item, matrix)
        pdfium.FPDFPageObj_GetBounds(item, *sides)
        across, up = right.value - left.value, top.value - bottom.value
        yield handle, (matrix.e, matrix.f, across, up)
