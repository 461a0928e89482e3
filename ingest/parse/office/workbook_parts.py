"""What a spreadsheet shows beside its cells: headers, footers, comments, text boxes, charts.

Sources: ECMA-376 part 1 (XLSX), [MS-XLSB] for the records of XLSB, [MS-XLS] for those of XLS.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.document.blocks import Block, block
from ingest.parse.office.cell_formats import (
    Formats,
    SheetFormats,
    xls_formats,
    xls_sheet_formats,
    xlsb_sheet_formats,
    xlsx_sheet_formats,
)
from ingest.parse.office.form_controls import form_controls
from ingest.parse.office.ods import OdsSheet
from ingest.parse.office.package import A, C, Package, chart_text, drawn_texts
from ingest.parse.office.records import biff, narrow_or_wide, wide_strings, xlsb
from ingest.parse.office.sheet_xml import S
from sovereign_rag.domain import ElementKind

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d+|[A-Z])')
_BRT_HEADER_FOOTER, _BRT_COMMENT_TEXT, _BRT_SHEET = 479, 637, 156
_BRT_ROW, _BRT_COLUMN, _BRT_FILTER = 0, 60, 161
_MOST_COLUMNS = 16_384


@dataclass(slots=True)
class SheetParts:
    """Beside the cells of one sheet."""

    blocks: list[Block] = field(default_factory=list)
    hidden_columns: frozenset[int] = frozenset()  # from 0
    hidden_rows: frozenset[int] = frozenset()  # from 0
    formats: SheetFormats = field(default_factory=SheetFormats)
    shown: OdsSheet | None = None  # the cells as they were shown last, where the file keeps that


def sheet_members(package: Package) -> list[str]:
    """The parts of the sheets, in the order of the workbook."""
    targets = {r.id: r.target for r in package.relations(package.main)}
    root = package.xml(package.main) if package.main.endswith(".xml") else None
    if root is not None:
        ids = [node.get(_R) or "" for node in root.iter(S + "sheet")]
    else:
        data = package.bytes(package.main) or b""
        ids = [_sheet_id(record) for kind, record in xlsb(data) if kind == _BRT_SHEET]
    return [targets.get(key, "") for key in ids]


def sheet_parts(package: Package, member: str, formats: Formats) -> SheetParts:
    """What a sheet of an XLSX or XLSB file shows beside its cells, and how it shows those."""
    parts = SheetParts()
    data = package.bytes(member) or b""
    if member.endswith(".bin"):
        headers = _binary_sheet(parts, data)
        parts.formats = xlsb_sheet_formats(data, formats)
    else:
        headers = _xml_sheet(parts, package.xml(member))
        parts.formats = xlsx_sheet_formats(data, formats)
    parts.blocks += edges(headers)
    for drawing in package.related(member, "vmlDrawing"):
        parts.blocks += form_controls(package.xml(drawing))
    for drawing in package.related(member, "drawing"):
        parts.blocks += _drawing(package, drawing)
    for kind in ("comments", "threadedComment"):
        for target in package.related(member, kind):
            parts.blocks += comments(_comments(package, target))
    return parts


def _xml_sheet(parts: SheetParts, root: etree._Element | None) -> list[str]:
    """Fill in what a sheet hides; its headers and footers."""
    if root is None:
        return []
    columns = (
        range(int(node.get("min") or 1) - 1, min(int(node.get("max") or 1), _MOST_COLUMNS))
        for node in root.iter(S + "col")
        if node.get("hidden") in {"1", "true"} or node.get("width") in {"0", "0.0"}
    )
    parts.hidden_columns = frozenset(k for found in columns for k in found)
    if root.find(S + "autoFilter") is None:  # a filter hides rows for the moment only
        rows = (n for n in root.iter(S + "row") if n.get("hidden") in {"1", "true"})
        parts.hidden_rows = frozenset(int(n.get("r") or 1) - 1 for n in rows)
    found = root.find(S + "headerFooter")
    return _shown_edges(found) if found is not None else []


def _binary_sheet(parts: SheetParts, data: bytes) -> list[str]:
    """The same of a sheet of an XLSB file."""
    headers: list[str] = []
    columns, rows, filtered = set[int](), set[int](), False
    for kind, record in xlsb(data):
        if kind == _BRT_HEADER_FOOTER:
            headers += wide_strings(record[2:])
        elif kind == _BRT_COLUMN and len(record) >= 18 and record[16] & 1:
            first, last = struct.unpack_from("<II", record)
            columns.update(range(first, min(last + 1, _MOST_COLUMNS)))
        elif kind == _BRT_ROW and len(record) >= 12 and record[11] & 0x10:
            rows.add(int.from_bytes(record[:4], "little"))
        filtered |= kind == _BRT_FILTER
    parts.hidden_columns = frozenset(columns)
    parts.hidden_rows = frozenset() if filtered else frozenset(rows)
    return headers


def edges(codes: Iterable[str]) -> Iterator[Block]:
    """Headers and footers, of the codes that Excel keeps them in."""
    seen: set[str] = set()
    for code in codes:
        text = " ".join(_CODE.sub(" ", code.replace("&&", "\0")).replace("\0", "&").split())
        made = block(ElementKind.FURNITURE, text)
        if made is not None and text not in seen and any(c.isalpha() for c in text):
            seen.add(text)
            yield made


def _shown_edges(node: etree._Element) -> list[str]:
    """Those of the even and first pages count only where they are switched on."""
    off = set()
    for switch, start in (("differentOddEven", "even"), ("differentFirst", "first")):
        if node.get(switch) not in {"1", "true"}:
            off |= {S + start + "Header", S + start + "Footer"}
    return [inner.text or "" for inner in node if inner.tag not in off]


def comments(texts: Iterable[str]) -> Iterator[Block]:
    for text in texts:
        if text.strip() and (made := block(ElementKind.HIDDEN, f"Comment: {text}")) is not None:
            yield made


def _drawing(package: Package, member: str) -> Iterator[Block]:
    root = package.xml(member)
    for text in drawn_texts(root) if root is not None else ():
        if (made := block(ElementKind.PARAGRAPH, text)) is not None:
            yield made
    for target in package.related(member, "chart"):
        chart = package.xml(target)
        text = chart_text(chart) if chart is not None and chart.tag == C + "chartSpace" else ""
        kind = ElementKind.TABLE if " | " in text else ElementKind.PARAGRAPH
        if (made := block(kind, text)) is not None:
            yield made


def _comments(package: Package, member: str) -> Iterator[str]:
    if member.endswith(".bin"):
        for kind, record in xlsb(package.bytes(member) or b""):
            if kind == _BRT_COMMENT_TEXT:
                yield from wide_strings(record[1:])[:1]
        return
    root = package.xml(member)
    for node in root.iter() if root is not None else ():
        local = str(node.tag).rpartition("}")[2]
        if local in {"comment", "threadedComment"}:
            inner = (n for n in node.iter() if str(n.tag).rpartition("}")[2] in {"t", "text"})
            yield "".join(n.text or "" for n in inner if n.tag != A + "t")


def _sheet_id(record: bytes) -> str:
    return next(iter(wide_strings(record[8:])), "")


# -- XLS -----------------------------------------------------------------------------------------

_BOUNDSHEET, _BOF, _EOF, _CONTINUE = 0x0085, 0x0809, 0x000A, 0x003C
_HEADER, _FOOTER, _OBJ, _TXO, _SERIES_TEXT = 0x0014, 0x0015, 0x005D, 0x01B6, 0x100D
_LABEL = 0x0204  # a cell's text; inside a chart one of its saved categories
_OBJ_COMMENT = 0x19
_COLUMN, _ROW, _FILTER = 0x007D, 0x0208, 0x009D


def old_sheet_parts(stream: bytes) -> list[SheetParts]:
    """The same of each sheet of an XLS workbook (BIFF 8), in order; [] for older ones."""
    starts = []
    for kind, record in biff(stream, 0):
        if kind == _BOUNDSHEET and len(record) > 4:
            starts.append(int.from_bytes(record[:4], "little"))
        if kind == _EOF:
            break
    formats = xls_formats(stream)
    return [_old_sheet(stream, start, formats) for start in starts]


def _old_sheet(stream: bytes, start: int, formats: Formats) -> SheetParts:
    headers: list[str] = []
    said: list[str] = []
    boxes: list[str] = []
    charts: list[str] = []
    columns, rows, filtered = set[int](), set[int](), False
    depth = obj = pending = 0
    for kind, record in biff(stream, start):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                break
        elif kind == _COLUMN and len(record) >= 10 and record[8] & 1:
            first, last = struct.unpack_from("<HH", record)
            columns.update(range(first, last + 1))
        elif kind == _ROW and len(record) >= 14 and record[12] & 0x20:
            rows.add(int.from_bytes(record[:2], "little"))
        elif kind == _FILTER:
            filtered = True
        elif kind in {_HEADER, _FOOTER} and len(record) > 3 and depth == 1:
            headers.append(narrow_or_wide(record[2:], int.from_bytes(record[:2], "little")))
        elif kind == _SERIES_TEXT and len(record) > 4:
            charts.append(narrow_or_wide(record[3:], record[2]))
        elif kind == _LABEL and depth > 1 and len(record) > 8:
            charts.append(narrow_or_wide(record[8:], int.from_bytes(record[6:8], "little")))
        elif kind == _OBJ and len(record) > 6:
            obj = int.from_bytes(record[4:6], "little")
        elif kind == _TXO and len(record) >= 12:
            pending = int.from_bytes(record[10:12], "little")
        elif kind == _CONTINUE and pending:
            text = narrow_or_wide(record, pending)
            (said if obj == _OBJ_COMMENT else boxes).append(text)
            pending = 0
    parts = SheetParts(
        list(edges(headers)),
        hidden_columns=frozenset(columns),
        hidden_rows=frozenset() if filtered else frozenset(rows),
        formats=xls_sheet_formats(stream, start, formats),
    )
    for text in (*boxes, "\n".join(dict.fromkeys(charts))):
        if (made := block(ElementKind.PARAGRAPH, text)) is not None:
            parts.blocks.append(made)
    parts.blocks += comments(said)
    return parts
