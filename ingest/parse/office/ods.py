"""Sheets of OpenDocument spreadsheets, with the cells as they were last shown.

Source: OASIS OpenDocument 1.3, part 3, chapter 9.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.document.grid import Span
from ingest.parse.document.text import one_line
from ingest.parse.office.odf import OFFICE, TABLE, TEXT
from ingest.parse.office.package import Package

_MOST_CELLS = 20_000_000  # of the rectangle around them
_CELLS = {TABLE + "table-cell", TABLE + "covered-table-cell"}
_VALUES = ("value", "date-value", "time-value", "boolean-value", "string-value")
_OUTSIDE = frozenset(
    {TABLE + name for name in ("shapes", "forms", "named-expressions")} | {OFFICE + "forms"}
)


@dataclass(slots=True)
class OdsSheet:
    """A sheet; rows and columns count from 0."""

    rows: list[list[str]] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)
    hidden_rows: set[int] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)


def ods_sheets(package: Package) -> list[OdsSheet]:
    """The sheets in the order of the file; [] where it can't be read."""
    root = package.xml("content.xml")
    return [_sheet(node) for node in root.iter(TABLE + "table")] if root is not None else []


def _sheet(table: etree._Element) -> OdsSheet:
    sheet = OdsSheet()
    column = 0
    for node in table.iter(TABLE + "table-column"):
        count = _count(node, "number-columns-repeated")
        if _is_hidden(node):
            sheet.hidden_columns.update(range(column, min(column + count, 16_384)))
        column += count
    empty = 0  # rows that only count once a filled one follows
    for row in _rows(table):
        cells = _row(sheet, row, len(sheet.rows) + empty)
        count = _count(row, "number-rows-repeated")
        if not any(cells):
            empty += count
            continue
        if (len(sheet.rows) + empty + count) * len(cells) > _MOST_CELLS:
            break
        sheet.rows += [[] for _ in range(empty)]
        first = len(sheet.rows)
        sheet.rows += [list(cells) for _ in range(count)]
        empty = 0
        if _is_hidden(row) and row.get(TABLE + "visibility") != "filter":
            sheet.hidden_rows.update(range(first, first + count))
    return sheet


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for node in table:
        if node.tag == TABLE + "table-row":
            yield node
        elif isinstance(node.tag, str) and node.tag not in _OUTSIDE and "row" in node.tag:
            yield from _rows(node)


def _row(sheet: OdsSheet, row: etree._Element, number: int) -> list[str]:
    cells: list[str] = []
    empty = 0
    for node in row:
        if node.tag not in _CELLS:
            continue
        count = _count(node, "number-columns-repeated")
        text = _shown(node)
        column = len(cells) + empty
        _note(sheet, node, number, column, text)
        if not text:
            empty += count
            continue
        cells += [""] * empty + [text] * count
        empty = 0
    return cells


def _note(sheet: OdsSheet, node: etree._Element, row: int, column: int, text: str) -> None:
    for annotation in node.findall(OFFICE + "annotation"):
        said = "\n".join(_paragraph(p) for p in annotation.iter(TEXT + "p"))
        if said.strip():
            sheet.comments.append(said)
    across, down = _count(node, "number-columns-spanned"), _count(node, "number-rows-spanned")
    if across > 1 or down > 1:
        sheet.spans.append(Span(row, column, row + down - 1, column + across - 1))
    saved = any(node.get(OFFICE + name) is not None for name in _VALUES)
    if node.get(TABLE + "formula") and not text and not saved:
        sheet.unsaved.append(f"{_letters(column)}{row + 1}")


def _shown(cell: etree._Element) -> str:
    """What a cell shows; its value where the writer left no text for it."""
    texts = [_paragraph(node) for node in cell.findall(TEXT + "p")]
    text = one_line(" ".join(texts))
    if text or cell.get(TABLE + "formula"):
        return text
    return next((one_line(v) for name in _VALUES if (v := cell.get(OFFICE + name))), "")


def _paragraph(node: etree._Element) -> str:
    parts = [node.text or ""]
    for inner in node:
        if inner.tag in {TEXT + "s", TEXT + "tab", TEXT + "line-break"}:
            parts.append(" ")
        elif isinstance(inner.tag, str) and inner.tag != OFFICE + "annotation":
            parts.append(_paragraph(inner))
        parts.append(inner.tail or "")
    return "".join(parts)


def _count(node: etree._Element, name: str) -> int:
    text = node.get(TABLE + name) or "1"
    return max(1, int(text)) if text.isdigit() else 1


def _is_hidden(node: etree._Element) -> bool:
    return node.get(TABLE + "visibility") in {"collapse", "filter"}


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
