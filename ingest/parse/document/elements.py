"""Elements of unstructured as blocks."""

from collections.abc import Iterable, Iterator

import lxml.html
from lxml import etree
from unstructured.documents.elements import Element as Found
from unstructured.documents.elements import ElementType, PageBreak

from ingest.parse.document.blocks import Block, block
from ingest.parse.document.text import one_line
from sovereign_rag.domain import ElementKind

_KINDS = {
    ElementType.TITLE: ElementKind.TITLE,
    ElementType.LIST_ITEM: ElementKind.LIST_ITEM,
    ElementType.TABLE: ElementKind.TABLE,
    ElementType.CODE_SNIPPET: ElementKind.CODE,
    ElementType.FOOTNOTE: ElementKind.FOOTNOTE,
    ElementType.HEADER: ElementKind.FURNITURE,
    ElementType.FOOTER: ElementKind.FURNITURE,
    ElementType.PAGE_HEADER: ElementKind.FURNITURE,
    ElementType.PAGE_FOOTER: ElementKind.FURNITURE,
    ElementType.PAGE_NUMBER: ElementKind.FURNITURE,
}
_BREAKS = frozenset(
    ("br", "p", "div", "li", "tr", "td", "th", "table", "ul", "ol", "h1", "h2", "h3")
)


def blocks_of(found: Iterable[Found]) -> Iterator[tuple[int, Block]]:
    """(page number, block) of each element with text; page 1 where the format has no pages."""
    for element in found:
        if isinstance(element, PageBreak):
            continue
        made = _block(element)
        if made is not None:
            yield element.metadata.page_number or 1, made


def _block(element: Found) -> Block | None:
    kind = _KINDS.get(element.category, ElementKind.PARAGRAPH)
    level = (element.metadata.category_depth or 0) if kind is ElementKind.TITLE else 0
    text = element.text or ""
    if kind is ElementKind.TABLE:
        text = table_text(element.metadata.text_as_html) or text
    return block(kind, text, level)


def table_text(markup: str | None) -> str:
    """An HTML table as one line per row, cells joined by " | "; "" where it is none."""
    if not markup:
        return ""
    try:
        table = lxml.html.fragment_fromstring(markup)
    except (etree.ParserError, ValueError):
        return ""
    lines = []
    for row in table.xpath("./tr|./thead/tr|./tbody/tr|./tfoot/tr"):
        cells = [one_line(cell_text(cell)) for cell in row.xpath("./td|./th")]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)


def cell_text(cell: lxml.html.HtmlElement) -> str:
    """The text of a cell; a space where a line or block ends, none around an emphasised word."""
    parts: list[str] = []
    for event, node in etree.iterwalk(cell, events=("start", "end")):
        blocks = node.tag in _BREAKS
        if event == "start":
            parts += [" " if blocks else "", node.text or ""]
        elif node is not cell:
            parts += [" " if blocks else "", node.tail or ""]
    return "".join(parts)
