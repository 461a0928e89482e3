"""What a spreadsheet shows beside its cells: headers, footers, comments, text boxes, charts.

Sources: ECMA-376 part 1 (XLSX), [MS-XLSB] for the records of XLSB, [MS-XLS] for those of XLS.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.document.blocks import Block, block
from ingest.parse.office.package import A, C, Package, chart_text, drawn_texts
from sovereign_rag.domain import ElementKind

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d+|[A-Z])')
_BRT_HEADER_FOOTER, _BRT_COMMENT_TEXT, _BRT_SHEET = 479, 637, 156
_LONGEST_RECORD = 1 << 20


@dataclass(slots=True)
class SheetParts:
    """Beside the cells of one sheet."""

    blocks: list[Block] = field(default_factory=list)
    hidden_columns: frozenset[int] = frozenset()  # from 0
    hidden_rows: frozenset[int] = frozenset()  # from 0


def sheet_members(package: Package) -> list[str]:
    """The parts of the sheets, in the order of the workbook."""
    targets = {r.id: r.target for r in package.relations(package.main)}
    root = package.xml(package.main) if package.main.endswith(".xml") else None
    if root is not None:
        ids = [node.get(_R) or "" for node in root.iter(S + "sheet")]
    else:
        data = package.bytes(package.main) or b""
        ids = [_sheet_id(record) for kind, record in _records(data) if kind == _BRT_SHEET]
    return [targets.get(key, "") for key in ids]


def sheet_parts(package: Package, member: str) -> SheetParts:
    """What a sheet of an XLSX or XLSB file shows beside its cells."""
    parts = SheetParts()
    headers: list[str] = []
    if member.endswith(".bin"):
        for number, record in _records(package.bytes(member) or b""):
            if number == _BRT_HEADER_FOOTER:
                headers += _wide_strings(record[2:])
    else:
        root = package.xml(member)
        if root is not None:
            found = root.find(S + "headerFooter")
            headers = _shown_edges(found) if found is not None else []
            columns = (
                range(int(node.get("min") or 1) - 1, min(int(node.get("max") or 1), 16_384))
                for node in root.iter(S + "col")
                if node.get("hidden") in {"1", "true"}
            )
            parts.hidden_columns = frozenset(k for found in columns for k in found)
            if root.find(S + "autoFilter") is None:  # a filter hides rows for the moment only
                rows = (n for n in root.iter(S + "row") if n.get("hidden") in {"1", "true"})
                parts.hidden_rows = frozenset(int(n.get("r") or 1) - 1 for n in rows)
    parts.blocks += edges(headers)
    for drawing in package.related(member, "drawing"):
        parts.blocks += _drawing(package, drawing)
    for kind in ("comments", "threadedComment"):
        for target in package.related(member, kind):
            parts.blocks += comments(_comments(package, target))
    return parts


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
        for kind, record in _records(package.bytes(member) or b""):
            if kind == _BRT_COMMENT_TEXT:
                yield from _wide_strings(record[1:])[:1]
        return
    root = package.xml(member)
    for node in root.iter() if root is not None else ():
        local = str(node.tag).rpartition("}")[2]
        if local in {"comment", "threadedComment"}:
            inner = (n for n in node.iter() if str(n.tag).rpartition("}")[2] in {"t", "text"})
            yield "".join(n.text or "" for n in inner if n.tag != A + "t")


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of an XLSB part; both numbers are of variable length."""
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind & 0x80 and at < len(data):
            kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
            at += 1
        length = shift = 0
        for _ in range(4):
            if at >= len(data):
                return
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        yield kind, data[at : at + length]
        at += length


def _wide_strings(data: bytes) -> list[str]:
    """Strings one after the other: a length in characters, then UTF-16."""
    found, at = [], 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if length == 0xFFFFFFFF:
            continue
        if length > _LONGEST_RECORD or at + 2 * length > len(data):
            break
        found.append(data[at : at + 2 * length].decode("utf-16-le", "replace"))
        at += 2 * length
    return found


def _sheet_id(record: bytes) -> str:
    return next(iter(_wide_strings(record[8:])), "")


# -- XLS -----------------------------------------------------------------------------------------

_BOUNDSHEET, _BOF, _EOF, _CONTINUE = 0x0085, 0x0809, 0x000A, 0x003C
_HEADER, _FOOTER, _OBJ, _TXO, _SERIES_TEXT = 0x0014, 0x0015, 0x005D, 0x01B6, 0x100D
_LABEL = 0x0204  # a cell's text; inside a chart one of its saved categories
_OBJ_COMMENT = 0x19


def old_sheet_parts(stream: bytes) -> list[SheetParts]:
    """The same of each sheet of an XLS workbook (BIFF 8), in order; [] for older ones."""
    starts = []
    for kind, record, _ in _biff(stream, 0):
        if kind == _BOUNDSHEET and len(record) > 4:
            starts.append(int.from_bytes(record[:4], "little"))
        if kind == _EOF:
            break
    return [_old_sheet(stream, start) for start in starts]


def _old_sheet(stream: bytes, start: int) -> SheetParts:
    headers: list[str] = []
    said: list[str] = []
    boxes: list[str] = []
    charts: list[str] = []
    depth = obj = pending = 0
    for kind, record, _ in _biff(stream, start):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                break
        elif kind in {_HEADER, _FOOTER} and len(record) > 3 and depth == 1:
            headers.append(_old_text(record[2:], int.from_bytes(record[:2], "little")))
        elif kind == _SERIES_TEXT and len(record) > 4:
            charts.append(_old_text(record[3:], record[2]))
        elif kind == _LABEL and depth > 1 and len(record) > 8:
            charts.append(_old_text(record[8:], int.from_bytes(record[6:8], "little")))
        elif kind == _OBJ and len(record) > 6:
            obj = int.from_bytes(record[4:6], "little")
        elif kind == _TXO and len(record) >= 12:
            pending = int.from_bytes(record[10:12], "little")
        elif kind == _CONTINUE and pending:
            text = _old_text(record, pending)
            (said if obj == _OBJ_COMMENT else boxes).append(text)
            pending = 0
    parts = SheetParts(list(edges(headers)))
    for text in (*boxes, "\n".join(dict.fromkeys(charts))):
        if (made := block(ElementKind.PARAGRAPH, text)) is not None:
            parts.blocks.append(made)
    parts.blocks += comments(said)
    return parts


def _old_text(data: bytes, length: int) -> str:
    """A string behind the flag that tells whether it has one or two bytes a character."""
    if data[:1] and data[0] & 1:
        return data[1 : 1 + 2 * length].decode("utf-16-le", "replace")
    return data[1 : 1 + length].decode("latin-1")


def _biff(stream: bytes, at: int) -> Iterator[tuple[int, bytes, int]]:
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length], at
        at += 4 + length
