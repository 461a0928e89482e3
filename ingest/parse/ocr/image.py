"""A picture of a page made easy to read: upright, level, on even paper.

Tesseract splits ink from paper by one threshold for the whole page, so a grey field or a shadow
costs every word in it, and a page that lies askew costs whole lines.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_SMALL_PIXELS = 1_500
_SKEW_EDGE = 900  # pixels of the longest edge at which the angle is looked for
_MOST_SKEW = 4  # degrees
_LEAST_SKEW = 0.15
_PAPER_STEP = 8  # pixels; finer than letters' spacing, so that no letter passes for paper
_DARKEST_PAPER = 60
_WHITE = 250.0
_INK = 150


@dataclass(frozen=True, slots=True)
class Prepared:
    """A grey picture, and the way back from it to the page as it came."""

    image: Image.Image
    quarters: int  # quarter turns that were made, against the clock
    angle: float  # degrees, against the clock, made after the quarter turns

    def on_page(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        """The same box as fractions of the page: left, top, right, bottom."""
        width, height = self.image.size
        x, y = (left + right) / 2 - width / 2, (top + bottom) / 2 - height / 2
        turn = math.radians(self.angle)
        shown_x = x * math.cos(turn) - y * math.sin(turn) + width / 2
        shown_y = x * math.sin(turn) + y * math.cos(turn) + height / 2
        half_x, half_y = (right - left) / 2 / width, (bottom - top) / 2 / height
        at = shown_x / width, shown_y / height
        half = half_x, half_y
        for _ in range(self.quarters % 4):
            # A quarter turn against the clock brought (x, y) to (y, 1 - x).
            at, half = (1 - at[1], at[0]), (half[1], half[0])
        edges = (at[0] - half[0], at[1] - half[1], at[0] + half[0], at[1] + half[1])
        a, b, c, d = (min(1.0, max(0.0, edge)) for edge in edges)
        return a, b, c, d


def prepared(picture: Image.Image, quarters: int = 0, *, is_level: bool = False) -> Prepared:
    """The picture turned by quarters, levelled unless it is, and its paper made white."""
    grey = picture.convert("L")
    if max(grey.size) < _SMALL_PIXELS:
        grey = grey.resize((grey.width * 2, grey.height * 2), Image.Resampling.LANCZOS)
    if quarters % 4:
        grey = grey.rotate(90 * (quarters % 4), expand=True)
    angle = 0.0 if is_level else _skew(grey)
    if abs(angle) < _LEAST_SKEW:
        angle = 0.0
    else:
        paper = int(np.median(np.asarray(grey)))
        grey = grey.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)
    return Prepared(_on_white(grey), quarters % 4, angle)


def without(image: Image.Image, boxes: list[tuple[int, int, int, int]]) -> tuple[Image.Image, int]:
    """The picture with boxes (left, top, right, bottom) made white, and how much ink is left.

    Returns:
        (picture, letters that the ink would be enough for, judged by the ink in the boxes per
        box; rules and frames of tables are left out of the count).
    """
    pixels = np.asarray(image).copy()
    dark = pixels < _INK
    before = int(dark.sum())
    for left, top, right, bottom in boxes:
        pixels[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = 255
    dark = pixels < _INK
    inside = max(1, before - int(dark.sum()))
    rest = dark & ~_ruled(dark) & ~_ruled(dark.T).T
    per_box = inside / len(boxes) if boxes else 300.0
    return Image.fromarray(pixels), int(rest.sum() / max(1.0, per_box))


def _ruled(dark: NDArray[np.bool_], length: int = 40) -> NDArray[np.bool_]:
    """Pixels that belong to a horizontal run of at least `length` dark ones."""
    width = dark.shape[1]
    if width < length:
        return np.zeros_like(dark)
    sums = np.cumsum(np.pad(dark, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    full = (sums[:, length:] - sums[:, :-length]) == length
    spread = np.pad(full, ((0, 0), (length - 1, length - 1)))
    counts = np.cumsum(np.pad(spread, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    return np.asarray((counts[:, length : length + width] - counts[:, :width]) > 0)


def _skew(grey: Image.Image) -> float:
    """Degrees to turn the page against the clock, at which its lines are sharpest.

    The profile of ink by rows is most uneven when lines of text are level (Postl 1986).
    """
    small = grey.copy()
    small.thumbnail((_SKEW_EDGE, _SKEW_EDGE), Image.Resampling.BOX)
    ink = Image.fromarray(255 - np.asarray(small))

    def sharpness(angle: float) -> float:
        rows = np.asarray(ink.rotate(angle, Image.Resampling.BILINEAR)).sum(1, dtype=np.float64)
        return float(np.square(np.diff(rows)).sum())

    coarse = max((step / 2 for step in range(-2 * _MOST_SKEW, 2 * _MOST_SKEW + 1)), key=sharpness)
    return max((coarse + step / 10 for step in range(-4, 5)), key=sharpness)


def _on_white(grey: Image.Image) -> Image.Image:
    """Divide by the paper, which is what remains of the picture without its fine marks."""
    width, height = grey.size
    small = grey.resize(
        (max(1, width // _PAPER_STEP), max(1, height // _PAPER_STEP)), Image.Resampling.BOX
    )
    smooth = small.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.MaxFilter(3))
    paper = np.asarray(smooth.resize(grey.size, Image.Resampling.BILINEAR), dtype=np.float32)
    level = np.asarray(grey, dtype=np.float32) / np.maximum(paper, _DARKEST_PAPER)
    return Image.fromarray(np.clip(level * _WHITE, 0, 255).astype(np.uint8))
