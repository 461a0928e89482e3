"""Spreadsheets and delimited text: rows as lines, cells joined by " | "."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from ingest.parse.document.attachments import EMBEDDED, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block, unpaged
from ingest.parse.document.grid import Span, fill_spans
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode, one_line
from ingest.parse.office.number_format import GENERAL
from ingest.parse.office.shown_cell import shown_cell
from ingest.parse.office.workbook import beside_cells
from ingest.parse.office.workbook_parts import SheetParts
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_SNIFFED_CHARACTERS = 64_000
_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 10_000_000

_MOST_NAMED = 20  # cells in a warning


def read_workbook(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of XLSX, XLSB, XLS and ODS: a sheet is a page.

    Cells are as the sheet shows them, of their saved values; formulas are not computed. Hidden
    sheets, rows and columns are kept apart. Headers, footers, text boxes, charts and
    comments follow the cells.

    Raises:
        DocumentError: "encrypted" or "broken".
    """
    try:
        workbook = CalamineWorkbook.from_path(str(path))
    except PasswordError as error:
        raise DocumentError(
            "encrypted",
            "The workbook is protected by a password. Save it without one and ingest it again.",
        ) from error
    except CalamineError as error:
        raise DocumentError(
            "broken", f"The workbook is damaged ({error}). Save it anew in the spreadsheet program."
        ) from error
    beside = beside_cells(path)
    pages, warnings = [], []
    for number, sheet in enumerate(workbook.sheets_metadata, start=1):
        parts = beside.parts(number - 1)
        blocks: list[Block] = []
        if sheet.typ == SheetTypeEnum.WorkSheet and beside.is_sparse(number - 1):
            rows = beside.sparse_rows(number - 1)
            blocks = [b for row in rows if (b := block(ElementKind.PARAGRAPH, _line(row)))]
            warnings.append(
                f"The cells of the sheet {sheet.name!r} lie too far apart for a table: they were "
                "read row by row, dates as numbers."
            )
        elif sheet.typ == SheetTypeEnum.WorkSheet:
            try:
                blocks = _sheet(workbook, sheet.name, parts)
            except CalamineError as error:
                warnings.append(f"The sheet {sheet.name!r} was not read: {error}.")
            if parts.formats.unsaved:
                warnings.append(_unsaved(sheet.name, parts.formats.unsaved))
        blocks += parts.blocks
        if sheet.visible != SheetVisibleEnum.Visible:
            blocks = [Block(ElementKind.HIDDEN, item.text) for item in blocks]
        pages.append(Page(number, tuple(blocks), sheet.name))
    draft = DocumentDraft(
        tuple(pages),
        paged=True,
        properties=beside.properties,
        warnings=tuple(warnings),
    )
    return with_inner(draft, beside.inner, job, path.parent, label=EMBEDDED)


def _sheet(workbook: CalamineWorkbook, name: str, parts: SheetParts) -> list[Block]:
    shown: list[list[str]] = []
    hidden: list[str] = []
    for number, cells in enumerate(_cells(workbook, name, parts)):
        if number in parts.hidden_rows:
            hidden.append(_line([cell for cell in cells if cell]))
            continue
        if parts.hidden_columns:
            unseen = [c for k, c in enumerate(cells) if k in parts.hidden_columns and c]
            hidden.append(_line(unseen))
            cells = [c for k, c in enumerate(cells) if k not in parts.hidden_columns]
        shown.append(cells)
    blocks = list(_regions(shown))
    apart = block(ElementKind.HIDDEN, "\n".join(line for line in hidden if line))
    return [*blocks, apart] if apart is not None else blocks


def _cells(workbook: CalamineWorkbook, name: str, parts: SheetParts) -> list[list[str]]:
    """The cells of a sheet as it shows them, from its first row and column on."""
    if parts.shown is not None:
        fill_spans(parts.shown.rows, parts.shown.spans)
        return parts.shown.rows
    sheet: CalamineSheet = workbook.get_sheet_by_name(name)
    first = sheet.start[1] if sheet.start else 0
    rows = []
    nothing: dict[int, str] = {}
    for number, row in enumerate(sheet.iter_rows()):
        codes = parts.formats.rows.get(number, nothing)
        cells = [shown_cell(cell, codes.get(k, GENERAL)) for k, cell in enumerate(row, first)]
        rows.append([""] * first + cells)
    for (number, column), name in parts.formats.errors.items():
        if number < len(rows) and column < len(rows[number]):
            rows[number][column] = rows[number][column] or name
    spans = (Span(*start, *end) for start, end in sheet.merged_cell_ranges or ())
    fill_spans(rows, spans)
    return rows


def _unsaved(name: str, cells: list[str]) -> str:
    more = f" and {len(cells) - _MOST_NAMED} more" if len(cells) > _MOST_NAMED else ""
    return (
        f"On the sheet {name!r} the formulas in {', '.join(cells[:_MOST_NAMED])}{more} have no "
        "saved value and are empty here. Open the file in its program and save it."
    )


def read_csv(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of CSV and TSV, of whatever delimiter and encoding; rows may be ragged."""
    del job
    text = decode(path.read_bytes()).replace("\0", "")
    first, _, rest = text.partition("\n")
    delimiter = _delimiter(text[:_SNIFFED_CHARACTERS])
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text = first[4], rest
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines = [_line([one_line(cell) for cell in row]) for row in rows]
    return unpaged([block(ElementKind.TABLE, "\n".join(line for line in lines if line))])


def _delimiter(sample: str) -> str:
    """The delimiter that cuts most lines into the same number of cells, more than one."""
    best, chosen = (0.0, 0), ","
    for candidate in _DELIMITERS:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=candidate)
        counts = [len(row) for row in rows if row][:200]
        if not counts:
            continue
        usual = max(set(counts), key=counts.count)
        if usual > 1 and (counts.count(usual) / len(counts), usual) > best:
            best, chosen = (counts.count(usual) / len(counts), usual), candidate
    return chosen


def _regions(rows: Iterable[Sequence[str]]) -> Iterator[Block]:
    """Tables between empty rows; a single column is no table but lines of text."""
    for filled, group in groupby(rows, key=any):
        if not filled:
            continue
        found = list(group)
        columns = [k for k in range(max(map(len, found))) if any(row[k : k + 1] for row in found)]
        used = [k for k in columns if any(k < len(row) and row[k] for row in found)]
        lines = [_line([row[k] if k < len(row) else "" for k in used]) for row in found]
        kind = ElementKind.TABLE if len(used) > 1 and len(lines) > 1 else ElementKind.PARAGRAPH
        made = block(kind, "\n".join(lines))
        if made is not None:
            yield made


def _line(cells: Sequence[str]) -> str:
    return " | ".join(cells) if any(cells) else ""
