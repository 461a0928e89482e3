"""The glyphs of a PDF page with their places, in the frame in which their text reads upright.

A text may be turned by quarters, on the page or with it. Everything after this reads lines from
left to right and from top to bottom; a frame is the page turned so that this is true.
"""

import ctypes
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

_UNITS = 1_000_000
_FAR = 1_000.0  # points: a long arm, so that the projection is exact to a thousandth of a point
_LEVEL = math.sqrt(0.5)  # of a turn's cosine: a text that runs across the page, not up or down

Numbers = NDArray[np.float64]
_Length = TypeVar("_Length", float, Numbers)


class Area(NamedTuple):
    """A rectangle in points, origin top left."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def has(self, x: float, y: float, slack: float = 1.0) -> bool:
        """Whether a point lies within, or at most `slack` points outside."""
        left, top, right, bottom = self
        return left - slack <= x <= right + slack and top - slack <= y <= bottom + slack


def around(areas: Sequence[Area]) -> Area:
    """The rectangle around some, of which there is at least one."""
    lefts, tops, rights, bottoms = zip(*areas, strict=True)
    return Area(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True, slots=True)
class Frame:
    """A page turned by quarters so that a text reads upright.

    turn: 0 as shown; 1 the text runs down the page, 2 upside down, 3 up the page.
    """

    turn: int
    width: float  # of the page as shown, in points
    height: float

    def point(self, x: _Length, y: _Length) -> tuple[_Length, _Length]:
        """A point of the page as shown, in the frame."""
        if self.turn == 1:
            return y, self.width - x
        if self.turn == 2:
            return self.width - x, self.height - y
        return (self.height - y, x) if self.turn == 3 else (x, y)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The glyphs of one frame in the order of the file, column by column.

    Lengths in points from the frame's top left; `base` is the height of the line they stand on.
    """

    numbers: tuple[int, ...]  # among PDFium's characters of the page
    text: str  # one character for each
    left: Numbers
    top: Numbers
    right: Numbers
    bottom: Numbers
    base: Numbers

    def __len__(self) -> int:
        return len(self.numbers)


class PageGlyphs:
    """Where the characters of a page stand; those that have no box are left out."""

    def __init__(
        self,
        page: pypdfium2.PdfPage,
        textpage: object,
        text: str,
        doubled: Mapping[int, float] = MappingProxyType({}),
    ) -> None:
        """
        Args:
            text: A blank in the place of what is not to be read.
            doubled: Characters that stand for two, and how much broader they are so.
        """
        self.width, self.height = page.get_size()
        self.frames: dict[int, Glyphs] = {}
        numbers, measured = _measured(textpage, text)
        for row in (row for row, number in enumerate(numbers) if number in doubled):
            measured[2, row] += doubled[numbers[row]]
        self._rows = dict(zip(numbers, range(len(numbers)), strict=True))
        place = _projection(page)
        first, second = place.of(*measured[:2]), place.of(*measured[2:4])
        self._areas = np.sort(np.stack([first, second]), axis=0).reshape(4, -1)
        turns, bases = place.turns(measured[6]), np.stack(place.of(*measured[4:6]))
        for turn in sorted(set(turns.tolist())):  # np.unique would import numpy.ma
            own = np.nonzero(turns == turn)[0]
            frame, named = self.frame(turn), [numbers[row] for row in own.tolist()]
            (x0, y0), (x1, y1) = (
                frame.point(*self._areas[:2, own]),
                frame.point(*self._areas[2:, own]),
            )
            self.frames[turn] = Glyphs(
                tuple(named),
                "".join([text[number] for number in named]),
                np.minimum(x0, x1),
                np.minimum(y0, y1),
                np.maximum(x0, x1),
                np.maximum(y0, y1),
                frame.point(*bases[:, own])[1],
            )

    def frame(self, turn: int) -> Frame:
        """The page turned so that a text of this turn reads upright."""
        return Frame(turn, self.width, self.height)

    @property
    def middles(self) -> tuple[list[int], list[list[float]]]:
        """Numbers of the characters, and (x, y) of their middles in fractions of the page."""
        x = (self._areas[0] + self._areas[2]) / 2 / max(self.width, 0.1)
        y = (self._areas[1] + self._areas[3]) / 2 / max(self.height, 0.1)
        return list(self._rows), np.stack([x, y], axis=1).tolist()

    def around(self, numbers: Sequence[int]) -> Area:
        """The rectangle of the page as shown around characters, of which there is at least one."""
        left, top, right, bottom = self._areas[:, [self._rows[number] for number in numbers]]
        return Area(float(left.min()), float(top.min()), float(right.max()), float(bottom.max()))

    def stand_in(self, area: Area) -> bool:
        """Whether any character has its middle in a rectangle of the page as shown."""
        x = (self._areas[0] + self._areas[2]) / 2
        y = (self._areas[1] + self._areas[3]) / 2
        within = (area.left - 1 <= x) & (x <= area.right + 1)
        return bool((within & (area.top - 1 <= y) & (y <= area.bottom + 1)).any())


def _measured(textpage: object, text: str) -> tuple[list[int], Numbers]:
    """The characters that have boxes; a row each of left, top, right, bottom, origin and angle.

    In the page's own system, the angle in radians with the clock.
    """
    asked = [n for n, c in enumerate(text) if not (c.isspace() or c == "\0")]
    boxes = (pdfium.FS_RECTF * max(1, len(asked)))()
    found = list(map(pdfium.FPDFText_GetLooseCharBox, repeat(textpage), asked, boxes))
    kept = np.array(found, np.bool_)
    sides = np.frombuffer(boxes, np.float32).reshape(-1, 4)[: len(asked)][kept]
    numbers = [number for number, has_box in zip(asked, found, strict=True) if has_box]
    return numbers, np.concatenate([sides.T.astype(np.float64), _stands(textpage, numbers, sides)])


def _stands(textpage: object, numbers: Sequence[int], sides: NDArray[np.float32]) -> Numbers:
    """A row each of origin and angle of characters with these sides: left, top, right, bottom.

    A character of a level text whose top and bottom are those of the one before, to the last bit,
    stands on its line. It isn't asked for, which takes longer than all the rest, and has the
    other's origin: right for the line, not along it.
    """
    asked = np.ones(len(numbers), np.bool_)
    asked[1:] = (sides[1:, 1::2] != sides[:-1, 1::2]).any(axis=1)
    found = _asked(textpage, numbers, asked)
    turned = np.abs(np.cos(np.maximum(found[2], 0.0))) < _LEVEL
    return _asked(textpage, numbers, asked | turned) if (turned & ~asked).any() else found


def _asked(textpage: object, numbers: Sequence[int], asked: NDArray[np.bool_]) -> Numbers:
    """Origin and angle of the characters that are asked for; the others as the one before."""
    across, up = ctypes.c_double(), ctypes.c_double()
    to_across, to_up = ctypes.byref(across), ctypes.byref(up)
    places, measured = np.nonzero(asked)[0], array("d")
    for place in places.tolist():
        pdfium.FPDFText_GetCharOrigin(textpage, numbers[place], to_across, to_up)
        angle = pdfium.FPDFText_GetCharAngle(textpage, numbers[place])
        measured.extend((across.value, up.value, angle))
    lengths = np.diff(np.append(places, len(numbers)))
    return np.repeat(np.frombuffer(measured, np.float64).reshape(-1, 3), lengths, axis=0).T


@dataclass(frozen=True, slots=True)
class _Projection:
    """Points of the page's own system to points of the page as shown: turned, cropped."""

    x: tuple[float, float, float]
    y: tuple[float, float, float]

    def of(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        (a, b, c), (d, e, f) = self.x, self.y
        return a * x + b * y + c, d * x + e * y + f

    def turns(self, angles: Numbers) -> NDArray[np.int64]:
        """Quarters of a turn, with the clock, of text that is turned by these angles."""
        angles = np.maximum(angles, 0.0)
        across, up = np.cos(angles), -np.sin(angles)  # PDFium counts with the clock
        right = self.x[0] * across + self.x[1] * up
        down = self.y[0] * across + self.y[1] * up
        level = np.abs(right) >= np.abs(down)
        return np.where(level, np.where(right >= 0, 0, 2), np.where(down > 0, 1, 3))


def _projection(page: pypdfium2.PdfPage) -> _Projection:
    width, height = page.get_size()

    def shown(x: float, y: float) -> tuple[float, float]:
        right, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, _UNITS, _UNITS, 0, x, y, right, down)
        return right.value / _UNITS * width, down.value / _UNITS * height

    x0, y0 = shown(0, 0)
    (xx, yx), (xy, yy) = shown(_FAR, 0), shown(0, _FAR)
    return _Projection(
        ((xx - x0) / _FAR, (xy - x0) / _FAR, x0), ((yx - y0) / _FAR, (yy - y0) / _FAR, y0)
    )
