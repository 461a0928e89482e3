"""Blocks of a PDF in reading order, as LiteParse sees them.

LiteParse would fetch language data for its own OCR and choose a reader by the file's extension:
the first is turned off, the second is why the file is given a name that ends in .pdf.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liteparse import LayoutBlock, LiteParse, ParsedPage, ParseError

from ingest.parse.document.text import canonical, one_line
from ingest.parse.pdf.rules import Stroke
from sovereign_rag.domain import Box, ElementKind

_KINDS = {
    "heading": ElementKind.TITLE,
    "list_item": ElementKind.LIST_ITEM,
    "table": ElementKind.TABLE,
    "code": ElementKind.CODE,
}
_TABULAR = {"table", "grid_fallback"}
_NOT_TEXT = {"rule", "figure"}
BULLETS = frozenset("-*•◦▪–·o")


@dataclass(frozen=True, slots=True)
class TextRun:
    """A stretch of text in one font."""

    text: str
    x: float  # points from the top left, as everything here
    y: float
    size: float
    bold: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A block of canonical text; its box in fractions of the page."""

    kind: ElementKind
    text: str
    level: int
    box: Box | None
    tabular: bool = False  # its words stand in columns, as the engine sees it


@dataclass(frozen=True, slots=True)
class PageLayout:
    number: int
    label: str | None  # the number printed on the page, where the file tells it
    width: float
    height: float
    regions: tuple[Region, ...]
    runs: tuple[TextRun, ...]
    strokes: tuple[Stroke, ...] = ()


def page_layouts(path: Path, password: str | None) -> tuple[dict[int, PageLayout], tuple[str, ...]]:
    """The layout of each page by number, and what went wrong; nothing where LiteParse fails."""
    engine = LiteParse(
        ocr_enabled=False,
        extract_blocks=True,
        quiet=True,
        num_workers=1,
        output_format="markdown",
        keep_headers_footers=True,
        extract_links=False,
        extract_vector_graphics=True,
        continue_on_page_error=True,
        password=password,
    )
    try:
        result = engine.parse(path)
    except (ParseError, ValueError, RuntimeError):
        return {}, ()
    warnings = tuple(
        f"Page {error.page_num} was read without its layout: {error.message}"
        for error in result.page_errors
    )
    return {page.page_num: _layout(page) for page in result.pages}, warnings


def _layout(page: ParsedPage) -> PageLayout:
    drawn = page.vector_graphics
    return PageLayout(
        number=page.page_num,
        label=page.page_label,
        width=page.width,
        height=page.height,
        regions=tuple(_regions(page)),
        runs=tuple(
            TextRun(
                item.text,
                item.x,
                item.y,
                round((item.font_size or 0) * 2) / 2,
                (item.font_weight or 400) >= 600 or "bold" in (item.font_name or "").lower(),
            )
            for item in page.text_items
        ),
        strokes=tuple((line.x1, line.y1, line.x2, line.y2) for line in drawn.lines)
        if drawn
        else (),
    )


def _regions(page: ParsedPage) -> Iterator[Region]:
    for found in page.blocks or ():
        if found.kind in _NOT_TEXT:
            continue
        kind = _KINDS.get(found.kind, ElementKind.PARAGRAPH)
        text = canonical(_text(found), keep_indent=kind is ElementKind.CODE)
        if text.strip():
            level = max(0, (found.level or 1) - 1) if kind is ElementKind.TITLE else 0
            yield Region(kind, text, level, _box(found, page), found.kind in _TABULAR)


def _text(found: LayoutBlock) -> str:
    if found.kind == "table":
        rows = [found.header] if found.header else []
        rows += found.rows or []
        lines = (" | ".join(one_line(cell.text) for cell in row) for row in rows)
        return "\n".join(line for line in lines if line.strip(" |"))
    if found.lines:
        return "\n".join(found.lines)
    marker = found.marker or ""
    prefix = f"{marker} " if found.kind == "list_item" and marker not in BULLETS else ""
    return f"{prefix}{found.text or ''}".strip()


def _box(found: LayoutBlock, page: ParsedPage) -> Box | None:
    area = found.bbox
    if area is None or not page.width or not page.height:
        return None

    def within(value: float) -> float:
        return min(1.0, max(0.0, value))

    return Box(
        page.page_num,
        within(area.x / page.width),
        within(area.y / page.height),
        within((area.x + area.width) / page.width),
        within((area.y + area.height) / page.height),
    )
