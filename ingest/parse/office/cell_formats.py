"""The number formats of a workbook's cells, and its formulas that have no saved value.

Sources: ECMA-376 part 1, 18.3 and 18.8 (XLSX); [MS-XLSB] 2.4 and [MS-XLS] 2.4 (records).
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lxml import etree

from ingest.parse.office.number_format import BUILT_IN, GENERAL
from ingest.parse.office.package import Package
from ingest.parse.office.records import biff, narrow_or_wide, wide_strings, xlsb
from ingest.parse.office.sheet_xml import S, column_of

CHECK_BOX = "check box"
"""In place of a format's code: the cell shows TRUE and FALSE as a box with and without a tick."""

_ROW_OR_CELL = re.compile(
    rb"<(?:\w+:)?(?:(?P<row>row)(?=[\s>])(?P<row_rest>[^>]*)"
    rb'|c(?=[\s/>])(?: r="(?P<column>[A-Z]{1,3})(?P<line>\d+)")?(?: s="(?P<style>\d+)")?'
    rb"(?P<rest>[^>]*))>"
)
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d+)"')
_STYLE = re.compile(rb'\bs="(\d+)"')
_NUMBER = re.compile(rb'\br="(\d+)"')
_UNSAVED = re.compile(
    rb"<(?:\w+:)?c(?=\s)([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>\s*|<(?:\w+:)?v>\s*</(?:\w+:)?v>\s*)?</(?:\w+:)?c>"
)
_ERROR = re.compile(
    rb'<(?:\w+:)?c(?=\s)([^>]*\bt="e"[^>]*)>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL
)
_ERROR_NAMES = {
    **{0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?"},
    **{0x24: "#NUM!", 0x2A: "#N/A"},
}
_BRT_ROW, _BRT_FORMAT, _BRT_XF, _BRT_XFS, _BRT_END_XFS = 0, 44, 47, 617, 618
_BRT_CELLS, _BRT_ERRORS = range(1, 12), (3, 11)
_FORMAT, _XF, _BOF, _EOF = 0x041E, 0x00E0, 0x0809, 0x000A
_NUMBER_CELL, _RK, _MANY_RK, _FORMULA, _BOOL_OR_ERROR = 0x0203, 0x027E, 0x00BD, 0x0006, 0x0205
_IS_ERROR = 2  # of the marks of a formula whose value is no number


@dataclass(slots=True)
class SheetFormats:
    """Codes by row and column, from 0, of the cells that are not shown as "General"."""

    rows: dict[int, Mapping[int, str]] = field(default_factory=dict)
    unsaved: list[str] = field(default_factory=list)  # "C4": a formula whose value was not kept
    errors: dict[tuple[int, int], str] = field(default_factory=dict)  # "#DIV/0!" by row and column


class Formats:
    """The formats of a workbook, by the index of a cell's style."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._codes = codes
        self._shared: dict[tuple[tuple[int, str], ...], Mapping[int, str]] = {}

    def code(self, style: int) -> str:
        return self._codes[style] if style < len(self._codes) else GENERAL

    @cached_property
    def plain(self) -> bool:
        """Whether no format shows anything in a way of its own."""
        return all(code == GENERAL for code in self._codes)

    def sheet(self, cells: Iterable[tuple[int, int, int]]) -> SheetFormats:
        """Those of a sheet's cells, given as (row, column, style), row by row."""
        found = SheetFormats()
        row, codes = -1, dict[int, str]()
        for at, column, style in cells:
            if at != row:
                self._keep(found, row, codes)
                row, codes = at, dict(found.rows.get(at, {}))
            if (code := self.code(style)) != GENERAL:
                codes[column] = code
        self._keep(found, row, codes)
        return found

    def _keep(self, found: SheetFormats, row: int, codes: dict[int, str]) -> None:
        if codes:  # most rows of a table have the formats of the one before
            found.rows[row] = self._shared.setdefault(tuple(codes.items()), codes)


def xlsx_formats(package: Package) -> Formats:
    """The formats of an XLSX workbook."""
    member = next(package.related(package.main, "styles"), "")
    root = package.xml(member) if member.endswith(".xml") else None
    if root is None:
        return Formats([])
    own = {node.get("numFmtId"): node.get("formatCode") or "" for node in root.iter(S + "numFmt")}
    listed = root.find(S + "cellXfs")
    return Formats([_code_of(node, own) for node in listed] if listed is not None else [])


def _code_of(node: etree._Element, own: Mapping[str | None, str]) -> str:
    if any(str(inner.tag).endswith("}xfComplement") for inner in node.iter()):
        return CHECK_BOX
    number = node.get("numFmtId") or "0"
    return own.get(number) or BUILT_IN.get(int(number) if number.isdigit() else 0, GENERAL)


def xlsx_sheet_formats(sheet: bytes, formats: Formats) -> SheetFormats:
    """The formats of one sheet of an XLSX workbook."""
    found = SheetFormats() if formats.plain else formats.sheet(_xlsx_cells(sheet))
    for match in _UNSAVED.finditer(sheet) if b"<f" in sheet or b":f" in sheet else ():
        place = _PLACE.search(match.group(1))
        if place is not None and b't="str"' not in match.group(1):
            found.unsaved.append((place.group(1) + place.group(2)).decode())
    for match in _ERROR.finditer(sheet) if b't="e"' in sheet else ():
        if (place := _PLACE.search(match.group(1))) is not None:
            where = int(place.group(2)) - 1, column_of(place.group(1))
            found.errors[where] = match.group(2).decode("utf-8", "replace")
    return found


def _xlsx_cells(sheet: bytes) -> Iterator[tuple[int, int, int]]:
    """(row, column, style); a cell without a place stands behind the one before it."""
    row, column = -1, -1
    for match in _ROW_OR_CELL.finditer(sheet):
        if match.group("row"):
            place = _NUMBER.search(match.group("row_rest"))
            row, column = int(place.group(1)) - 1 if place else row + 1, -1
            continue
        letters, line, style = match.group("column", "line", "style")
        if letters is None and (found := _PLACE.search(match.group("rest"))):
            letters, line = found.groups()
        if style is None and (found := _STYLE.search(match.group("rest"))):
            style = found.group(1)
        column = column_of(letters) if letters else column + 1
        if style is not None:
            yield int(line) - 1 if line else row, column, int(style)


def xlsb_formats(styles: bytes) -> Formats:
    """The formats of an XLSB workbook, of its part for styles."""
    own: dict[int, str] = {}
    codes: list[str] = []
    listing = False
    for kind, record in xlsb(styles):
        if kind == _BRT_FORMAT and len(record) > 6:
            own[int.from_bytes(record[:2], "little")] = next(iter(wide_strings(record[2:])), "")
        elif kind in {_BRT_XFS, _BRT_END_XFS}:
            listing = kind == _BRT_XFS
        elif kind == _BRT_XF and listing and len(record) >= 4:
            number = int.from_bytes(record[2:4], "little")
            codes.append(own.get(number) or BUILT_IN.get(number, GENERAL))
    return Formats(codes)


def xlsb_sheet_formats(sheet: bytes, formats: Formats) -> SheetFormats:
    """The formats of one sheet of an XLSB workbook."""
    found = SheetFormats() if formats.plain else formats.sheet(_xlsb_cells(sheet))
    row = 0
    for kind, record in xlsb(sheet):
        if kind == _BRT_ROW and len(record) >= 4:
            row = int.from_bytes(record[:4], "little")
        elif kind in _BRT_ERRORS and len(record) > 8:
            column = int.from_bytes(record[:4], "little")
            found.errors[row, column] = _ERROR_NAMES.get(record[8], "#N/A")
    return found


def _xlsb_cells(sheet: bytes) -> Iterator[tuple[int, int, int]]:
    row = 0
    for kind, record in xlsb(sheet):
        if kind == _BRT_ROW and len(record) >= 4:
            row = int.from_bytes(record[:4], "little")
        elif kind in _BRT_CELLS and len(record) >= 8:
            column, style = struct.unpack_from("<II", record)
            yield row, column, style & 0xFFFFFF


def xls_formats(stream: bytes) -> Formats:
    """The formats of an XLS workbook (BIFF 8)."""
    own: dict[int, str] = {}
    numbers: list[int] = []
    for kind, record in biff(stream, 0):
        if kind == _FORMAT and len(record) > 5:
            number, length = struct.unpack_from("<HH", record)
            own[number] = narrow_or_wide(record[4:], length)
        elif kind == _XF and len(record) >= 4:
            numbers.append(int.from_bytes(record[2:4], "little"))
        elif kind == _EOF:
            break
    return Formats([own.get(number) or BUILT_IN.get(number, GENERAL) for number in numbers])


def xls_sheet_formats(stream: bytes, start: int, formats: Formats) -> SheetFormats:
    """The formats of the numbers on the sheet that begins at `start` in an XLS workbook."""
    found = SheetFormats() if formats.plain else formats.sheet(_xls_cells(stream, start))
    for kind, record in _xls_sheet(stream, start):
        if kind == _BOOL_OR_ERROR and len(record) >= 8 and record[7]:
            code = record[6]
        elif kind == _FORMULA and record[12:14] == b"\xff\xff" and record[6] == _IS_ERROR:
            code = record[8]
        else:
            continue
        found.errors[struct.unpack_from("<HH", record)] = _ERROR_NAMES.get(code, "#N/A")
    return found


def _xls_sheet(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """The records of a sheet, without those of the charts on it."""
    depth = 0
    for kind, record in biff(stream, start):
        if kind in {_BOF, _EOF}:
            depth += 1 if kind == _BOF else -1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, record


def _xls_cells(stream: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    for kind, record in _xls_sheet(stream, start):
        if kind in {_NUMBER_CELL, _RK, _FORMULA} and len(record) >= 6:
            yield struct.unpack_from("<HHH", record)
        elif kind == _MANY_RK and len(record) >= 6:
            row, first = struct.unpack_from("<HH", record)
            for number, at in enumerate(range(4, len(record) - 2, 6)):
                yield row, first + number, int.from_bytes(record[at : at + 2], "little")
