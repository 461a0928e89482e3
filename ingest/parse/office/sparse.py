"""Sheets whose few cells lie so far apart that a table of them would not fit into memory."""

import re
from collections.abc import Iterator

from lxml import etree

from ingest.parse.office.package import Package
from ingest.parse.office.sheet_xml import S, column_of

_MOST_CELLS = 20_000_000  # of the rectangle around them; a cell takes some 40 bytes
_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d+)"')
_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})(\d+)"')
_FAR_COLUMN = re.compile(rb'\br="[A-Z]{3}\d')
_LETTERS = 702  # columns that are named by one or two letters


def is_sparse(sheet: bytes) -> bool:
    """Whether the rectangle around a sheet's cells (XLSX, as XML) is too large to be held."""
    rows = max((int(row) for row in _ROW.findall(sheet)), default=0)
    if rows * _LETTERS <= _MOST_CELLS and _FAR_COLUMN.search(sheet) is None:
        return False
    columns = max((column_of(found.group(1)) for found in _CELL.finditer(sheet)), default=0) + 1
    return rows * columns > _MOST_CELLS


def sparse_rows(package: Package, member: str) -> Iterator[list[str]]:
    """The filled cells of each row that has some, as they are stored: dates are numbers."""
    shared = []
    for part in package.related(package.main, "sharedStrings"):
        root = package.xml(part)
        shared = ["".join(t.text or "" for t in si.iter(S + "t")) for si in _of(root, S + "si")]
    for row in _of(package.xml(member), f"{S}sheetData/{S}row"):
        cells = []
        for cell in row.findall(S + "c"):
            value = cell.findtext(S + "v") or "".join(t.text or "" for t in cell.iter(S + "t"))
            if cell.get("t") == "s" and value.isdigit() and int(value) < len(shared):
                value = shared[int(value)]
            if value.strip():
                cells.append(value)
        if cells:
            yield cells


def _of(root: etree._Element | None, path: str) -> list[etree._Element]:
    return root.findall(path) if root is not None else []
