"""Risk against coverage -> an SVG file that stands by itself."""

from collections.abc import Sequence
from html import escape
from typing import Final

from sovereign_rag.evaluation.abstention import ALL, Curve

_SIDE: Final = 360
_LEFT: Final = 56
_TOP: Final = 16
_LEGEND: Final = 340
_TONES: Final = (
    *("#1b6ca8", "#b3541e", "#2f7d4f", "#8a3f8f", "#a5852a"),
    *("#3c8d93", "#b3261e", "#5a5fb0", "#6d7a2c", "#8d5a4a"),
)
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#1b1f24}.axis{fill:#59636e}"
    ".rule{stroke:#d4dae1}.all{stroke:#1b1f24;stroke-width:2.5}path{fill:none;stroke-width:1.5}"
)


def risk_against_coverage(curves: Sequence[Curve], *, points: tuple[float, float]) -> str:
    """Coverage upwards, risk to the right, with both points of refusal on each curve.

    A dot where answers begin, at the first of `points`, and a ring where passages are shown as
    the nearest, at the second.

    Curves of answerable or of unanswerable questions alone have no shape and are left out.
    """
    drawn = [curve for curve in curves if curve.answerable and curve.unanswerable]
    width, height = _LEFT + _SIDE + 24 + _LEGEND, _TOP + _SIDE + 48
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Share of answerable questions answered, against the share of unanswerable '
        f'ones answered"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for tenths in range(0, 11, 2):
        x, y = _place(tenths / 10, tenths / 10)
        parts.append(
            f'<path class="rule" d="M{_LEFT} {y:.1f}h{_SIDE}M{x:.1f} {_TOP}v{_SIDE}"/>'
            f'<text class="axis" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{tenths * 10} %</text>"
            f'<text class="axis" x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">'
            f"{tenths * 10} %</text>"
        )
    parts.append(
        f'<text class="axis" x="{_LEFT}" y="{height - 10}">unanswerable questions answered '
        f"(upwards: answerable ones answered)</text>"
    )
    for number, curve in enumerate(drawn):
        tone = "#1b1f24" if curve.name == ALL else _TONES[number % len(_TONES)]
        kind = ' class="all"' if curve.name == ALL else ""
        places = [_place(p.risk or 0.0, p.coverage or 0.0) for p in curve.points]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        here, near = map(curve.at, points)
        x, y = _place(here.risk or 0.0, here.coverage or 0.0)
        near_x, near_y = _place(near.risk or 0.0, near.coverage or 0.0)
        at = _TOP + 14 + 20 * number
        parts.append(
            f'<path{kind} stroke="{tone}" d="M{line}"/>'
            f'<circle cx="{near_x:.1f}" cy="{near_y:.1f}" r="4" fill="#fff" stroke="{tone}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{tone}"/>'
            f'<text x="{_LEFT + _SIDE + 24}" y="{at}" style="fill:{tone}">{escape(curve.name)}: '
            f"{here.coverage or 0:.0%} at {here.risk or 0:.0%}, "
            f"near {near.coverage or 0:.0%} at {near.risk or 0:.0%}</text>"
        )
    return "".join(parts) + "</svg>\n"


def _place(risk: float, coverage: float) -> tuple[float, float]:
    return _LEFT + risk * _SIDE, _TOP + (1 - coverage) * _SIDE
