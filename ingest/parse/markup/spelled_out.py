"""What a browser draws that the text of a page alone does not say, written into its text.

Raised figures, formulas, the state of check boxes and fields, signs of symbol fonts, and cells that
span columns or rows.
"""

import re
from collections.abc import Callable, Iterator

import lxml.html
from lxml import etree

from ingest.parse.document.elements import cell_text
from ingest.parse.document.formula import mathml
from ingest.parse.document.grid import GridCell, spread
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED, spelled
from ingest.parse.document.text import one_line

_RAISED = re.compile(r"vertical-align:\s*(super|sub)\b", re.IGNORECASE)
_FONT = re.compile(r"font-family:\s*([^;,]+)", re.IGNORECASE)
_BEFORE = 12  # characters that tell what a raised figure belongs to
_SHOWN_FIELDS = frozenset(
    ("", "text", "email", "tel", "number", "date", "time", "url", "month", "datetime-local")
)
_ROWS = "./tr|./thead/tr|./tbody/tr|./tfoot/tr"
_MOST_SPANNED = 1_000


def spell_out(tree: lxml.html.HtmlElement) -> bool:
    """Change `tree` so that its text says all of that; whether there was anything."""
    found = False
    for node in list(tree.iter()):
        if not isinstance(node.tag, str) or node.getparent() is None:
            continue
        made = _made(node)
        if made is not None:
            _replace(node, made)
            found = True
    for table in tree.iter("table"):
        found |= _spread(table)
    return found


def _made(node: lxml.html.HtmlElement) -> str | None:
    """What stands in the place of an element; None: it stays."""
    tag = node.tag.rpartition(":")[2].rpartition("}")[2]
    maker = _MAKERS.get(tag)
    if maker is not None:
        return maker(node)
    style = node.get("style") or ""
    if tag in {"span", "font", "i", "b", "em", "a"} and not len(node):
        if placed := _RAISED.search(style):
            return _script(node, placed.group(1).lower() == "super")
        font = node.get("face") or (f.group(1) if (f := _FONT.search(style)) else "")
        text = node.text or ""
        drawn = spelled(font, text) if font else text
        return drawn if drawn != text else None
    return None


def _script(node: lxml.html.HtmlElement, raised: bool) -> str:
    text = "".join(node.itertext())
    return superscript(text, _text_before(node)) if raised else subscript(text)


def _text_before(node: lxml.html.HtmlElement) -> str:
    """The end of the text that stands before an element on its line."""
    before = node.getprevious()
    parent = node.getparent()
    if before is not None:
        inside = "".join(before.itertext()) if isinstance(before.tag, str) else ""
        return f"{inside}{before.tail or ''}"[-_BEFORE:]
    text = (parent.text or "") if parent is not None else ""
    if not text and parent is not None and parent.tag in {"span", "b", "i", "em", "strong", "a"}:
        return _text_before(parent)
    return text[-_BEFORE:]


def _input(node: lxml.html.HtmlElement) -> str | None:
    kind = (node.get("type") or "").lower()
    on = node.get("checked") is not None
    if kind == "checkbox":
        return f"{CHECKED if on else UNCHECKED} "
    if kind == "radio":
        return f"{'◉' if on else '○'} "
    shown = kind in _SHOWN_FIELDS and (node.get("value") or "").strip()
    return f" {shown} " if shown else None


def _select(node: lxml.html.HtmlElement) -> str | None:
    options = list(node.iter("option"))
    chosen = [option for option in options if option.get("selected") is not None]
    if not chosen and node.get("multiple") is None:
        chosen = options[:1]
    return f" {', '.join(one_line(option.text_content()) for option in chosen)} "


_MAKERS: dict[str, Callable[[lxml.html.HtmlElement], str | None]] = {
    "sup": lambda node: _script(node, True),
    "sub": lambda node: _script(node, False),
    "math": lambda node: f" {mathml(node)} ",
    "input": _input,
    "select": _select,
}


def _replace(node: lxml.html.HtmlElement, text: str) -> None:
    """Put a text in the place of an element, with all that is in it."""
    parent, before = node.getparent(), node.getprevious()
    said = text + (node.tail or "")
    if before is None:
        parent.text = (parent.text or "") + said
    else:
        before.tail = (before.tail or "") + said
    node.tail = None
    parent.remove(node)


def _spread(table: lxml.html.HtmlElement) -> bool:
    """Give a table whose cells span others one cell for each of its columns."""
    rows = table.xpath(_ROWS)
    cells = [list(_cells(row)) for row in rows]
    spans = any(cell.get("colspan") or cell.get("rowspan") for row in cells for cell in row)
    if not spans or any(True for _ in table.iterdescendants("table")):
        return False
    grid = [
        [
            GridCell(one_line(cell_text(cell)), _span(cell, "colspan"), _span(cell, "rowspan"))
            for cell in row
        ]
        for row in cells
    ]
    for row, old, texts in zip(rows, cells, spread(grid), strict=True):
        kind = "th" if old and all(cell.tag == "th" for cell in old) else "td"
        for cell in old:
            row.remove(cell)
        for text in texts:
            etree.SubElement(row, kind).text = text
    return True


def _cells(row: lxml.html.HtmlElement) -> Iterator[lxml.html.HtmlElement]:
    return (cell for cell in row if cell.tag in {"td", "th"})


def _span(cell: lxml.html.HtmlElement, name: str) -> int:
    text = (cell.get(name) or "1").strip()
    return max(1, min(int(text), _MOST_SPANNED)) if text.isdigit() else 1
