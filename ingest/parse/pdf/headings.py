"""Heading levels over a whole PDF, from the fonts.

The layout engine looks at each page by itself: it merges headings whose sizes differ by a point
and misses one that follows a table.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ingest.parse.pdf.layout import PageLayout, Region, TextRun
from sovereign_rag.domain import ElementKind

_Style = tuple[float, bool]  # size in points, bold

_LONGEST_HEADING = 160
_LONGEST_PROMOTED = 120
_TALLEST_PROMOTED = 2.2  # in sizes of its letters: one line, or one with generous leading
_LARGER = 0.4  # points above the body's size that make a heading of a style
_SURELY_LARGER = 1.2  # times the body's size: a heading although the engine saw none
_DEEPEST = 5
_REACH = 2.0  # points around a block within which its text starts


def ranked(layouts: Mapping[int, PageLayout]) -> dict[int, PageLayout]:
    """The layouts with headings found by their style and levels ranked by it, 0 the outermost."""
    body = _body_size(layouts)
    if body is None:
        return dict(layouts)
    styles = {number: _styles(layout) for number, layout in layouts.items()}
    heading_styles = {
        style
        for number, layout in layouts.items()
        for region, style in zip(layout.regions, styles[number], strict=True)
        if style is not None
        and (
            region.kind is ElementKind.TITLE
            or (
                style[0] >= _SURELY_LARGER * body
                and _is_heading(region, style, layout.height, body)
            )
        )
    }
    order = sorted(heading_styles, reverse=True)

    def mended(region: Region, style: _Style | None, height: float) -> Region:
        if style is None or style not in heading_styles:
            return region
        if region.kind is ElementKind.TITLE or _is_heading(region, style, height, body):
            level = min(_DEEPEST, order.index(style))
            return replace(region, kind=ElementKind.TITLE, level=level)
        return region

    return {
        number: replace(
            layout,
            regions=tuple(
                mended(region, style, layout.height)
                for region, style in zip(layout.regions, styles[number], strict=True)
            ),
        )
        for number, layout in layouts.items()
    }


def _body_size(layouts: Mapping[int, PageLayout]) -> float | None:
    letters: Counter[float] = Counter()
    for layout in layouts.values():
        for run in layout.runs:
            letters[run.size] += len(run.text)
    return letters.most_common(1)[0][0] if letters else None


def _is_heading(region: Region, style: _Style, page_height: float, body: float) -> bool:
    """A short single line in a heading's style that does not end like a sentence."""
    if region.kind is not ElementKind.PARAGRAPH or region.box is None:
        return False
    size, bold = style
    height = (region.box.bottom - region.box.top) * page_height
    return (
        (size > body + _LARGER or bold)
        and height < _TALLEST_PROMOTED * max(size, 1)
        and len(region.text) <= _LONGEST_PROMOTED
        and any(character.isalpha() for character in region.text)
        and not region.text.endswith((".", ";", ","))
    )


def _styles(layout: PageLayout) -> list[_Style | None]:
    runs = sorted(layout.runs, key=lambda run: run.y)
    tops = [run.y for run in runs]
    return [_style(region, layout, runs, tops) for region in layout.regions]


def _style(
    region: Region, layout: PageLayout, runs: Sequence[TextRun], tops: Sequence[float]
) -> _Style | None:
    box = region.box
    if box is None or region.kind is ElementKind.TABLE or len(region.text) > _LONGEST_HEADING:
        return None
    left, right = box.left * layout.width - _REACH, box.right * layout.width + _REACH
    first = bisect_left(tops, box.top * layout.height - _REACH)
    last = bisect_left(tops, box.bottom * layout.height - _REACH)
    letters: Counter[_Style] = Counter()
    for run in runs[first:last]:
        if left <= run.x <= right and run.text.strip():
            letters[run.size, run.bold] += len(run.text)
    return letters.most_common(1)[0][0] if letters else None
