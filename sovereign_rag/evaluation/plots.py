"""Differences -> SVG, drawn here: colours come from the page's style, numbers stand as text too."""

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from sovereign_rag.evaluation.compare import ChangedQuestion, Difference
from sovereign_rag.evaluation.significance import CONFIDENCE

_WIDTH: Final = 720
_LABELS: Final = 170  # width left of the plot, for names
_NUMBERS: Final = 130  # and right of it
_ROW: Final = 30
_HEIGHT: Final = 180


def intervals(rows: Sequence[tuple[str, Difference]]) -> Markup:
    """A row for each difference: a dot at the mean, a line over its interval, 0 in the middle."""
    reach = max((abs(v) for _, d in rows for v in (d.low, d.high)), default=0.0) or 0.01
    left, right = _LABELS, _WIDTH - _NUMBERS
    middle, scale = (left + right) / 2, (right - left) / 2 / reach
    height = _ROW * len(rows) + 26
    parts = [
        _open(height, "Difference of each measure with its 95 % interval"),
        _line("zero", middle, 4, middle, height - 20),
    ]
    for number, (name, found) in enumerate(rows):
        y = _ROW * number + _ROW / 2 + 4
        tone = verdict(found)
        low, dot, high = (middle + v * scale for v in (found.low, found.difference, found.high))
        parts += [
            Markup('<g class="{}"><title>{}: {} ({} to {})</title>').format(
                tone, name, signed(found.difference), signed(found.low), signed(found.high)
            ),
            _text(0, y + 4, name),
            _line("interval", low, y, high, y),
            Markup('<circle cx="{}" cy="{}" r="5"/>').format(_n(dot), _n(y)),
            _text(right + 14, y + 4, signed(found.difference), "number"),
            Markup("</g>"),
        ]
    parts += [
        _text(left, height - 4, signed(-reach), "axis"),
        _text(middle, height - 4, "0", "axis centre"),
        _text(right, height - 4, signed(reach), "axis end"),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def questions(changes: Sequence[ChangedQuestion], unchanged: int) -> Markup:
    """Every question as a bar, from the one that lost most to the one that gained most."""
    values = sorted([change.difference for change in changes] + [0.0] * unchanged)
    reach = max((abs(value) for value in values), default=0.0) or 1.0
    middle, left = _HEIGHT / 2, 60
    width = (_WIDTH - left) / max(1, len(values))
    parts = [_open(_HEIGHT, "Difference of each question, worst first")]
    for tone, sign in (("worse", -1), ("better", 1)):
        bars = [
            f"M{_n(left + place * width)} {_n(middle)}h{_n(width)}"
            f"v{_n(-value / reach * (middle - 8))}h{_n(-width)}z"
            for place, value in enumerate(values)
            if math.copysign(1, value) == sign and value
        ]
        parts.append(Markup('<path class="{} bars" d="{}"/>').format(tone, " ".join(bars)))
    parts += [
        _line("zero", left, middle, _WIDTH, middle),
        _text(left - 8, 12, signed(reach), "axis end"),
        _text(left - 8, middle + 4, "0", "axis end"),
        _text(left - 8, _HEIGHT - 4, signed(-reach), "axis end"),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def verdict(found: Difference) -> str:
    """Whether it is "better" or "worse", which both the interval and p must say; else "open".

    With a handful of questions the interval is too sure of itself.
    """
    if found.p >= 1 - CONFIDENCE:
        return "open"
    return "better" if found.low > 0 else "worse" if found.high < 0 else "open"


def signed(value: float) -> str:
    """A difference with its sign and three decimals; what rounds to nothing has none."""
    return f"{value:+.3f}" if abs(value) >= 0.0005 else "0.000"


def _open(height: float, label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        _WIDTH, _n(height), label
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        kind, *map(_n, (x1, y1, x2, y2))
    )


def _text(x: float, y: float, text: str, kind: str = "name") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, _n(x), _n(y), text)


def _n(value: float) -> str:
    """A coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
