"""Rich Text Format: paragraphs, tables, headings, lists, notes, what stands at the page's edges."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED
from ingest.parse.document.text import one_line
from ingest.parse.office.rtf_tables import ROW_WORDS, CellEnd, RowLayout, table_lines
from ingest.parse.office.rtf_tokens import RtfToken, tokens
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_SPACES = {"tab": "\t", "line": "\n", "lbr": "\n", "enspace": " ", "emspace": " ", "qmspace": " "}
_SIGNS = {
    **{"emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“"},
    **{"rdblquote": "”", "bullet": "•"},
}
_EDGES = {
    "header",
    "headerl",
    "headerr",
    "headerf",
    "footer",
    "footerl",
    "footerr",
    "footerf",
}
_SKIPPED = {
    *("fonttbl", "colortbl", "pict", "objdata", "themedata", "colorschememapping", "listtable"),
    *("listoverridetable", "revtbl", "rsidtbl", "generator", "xmlnstbl", "mmathPr", "fldinst"),
    *("latentstyles", "datastore", "datafield", "sp", "nonshppict", "filetbl", "wgrffmtfilter"),
    *("pgptbl", "template", "bkmkstart", "bkmkend", "atnid", "atnref", "atndate", "atntime"),
    *("blipuid", "picprop", "objclass", "objname", "xe", "tc", "formfield", "private", "docvar"),
    *("passwordhash", "protusertbl", "userprops", "pnseclvl", "ffdeftext", "oldcprops", "panose"),
    *("falt", "levelnumbers", "leveltext", "listname", "liststylename", "operator", "company"),
}
_READ_THOUGH_STARRED = {"shpinst", "annotation", "ud", "shptxt", "pntext", "shppict", "footnote"}
_INFO = {
    *("title", "author", "subject", "keywords", "creatim", "revtim", "doccomm", "manager"),
}
_NAMES = {"doccomm": "description", "creatim": "created", "revtim": "modified"}
_HEADING = re.compile(r"(?:heading|überschrift|titre|título|titolo) (\d)", re.IGNORECASE)
_TINY_HALF_POINTS = 3
_FIELD_STATE = {"fftype", "ffres", "ffdefres"}
_CHECK_BOX, _UNDEFINED = 1, 25  # of those
_BEFORE = 8  # pieces of text that tell what a raised figure belongs to


@dataclass(slots=True)
class _Group:
    """What holds until a closing brace."""

    into: str = "body"  # body, edge, note, comment, skip, info:NAME, style
    hidden: bool = False
    deleted: bool = False
    starred: bool = False
    place: str = ""  # "super", "sub"


@dataclass(slots=True)
class _Flow:
    """Paragraphs as they are gathered: of the body, a note, a header."""

    text: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)  # cells of a table within the cell
    rows: list[list[str]] = field(default_factory=list)
    layouts: list[list[CellEnd]] = field(default_factory=list)  # of the rows


class _Reading:
    def __init__(self) -> None:
        self.groups = [_Group()]
        self.flows = {"body": _Flow(), "edge": _Flow(), "note": _Flow(), "comment": _Flow()}
        self.info: dict[str, str] = {}
        self.styles: dict[int, int] = {}  # heading level by style number
        self._style_text = ""
        self._style_number = 0
        self._dates: dict[str, list[int]] = {}
        self._field: dict[str, int] = {}  # of a form, as far as it was read
        self.level: int | None = None
        self.listed = False
        self.in_table = False
        self._layout_of_row = RowLayout()

    def take(self, token: RtfToken) -> None:
        group = self.groups[-1]
        if token.kind == "open":
            self.groups.append(replace(group, starred=False))
        elif token.kind == "close":
            self._close()
        elif token.kind == "symbol":
            self._symbol(token.text, group)
        elif token.kind == "word":
            self._word(token.text, token.number, group)
        else:
            self._say(token.text, group)

    def _say(self, text: str, group: _Group) -> None:
        if group.into in self.flows and not group.deleted:
            flow = self.flows[group.into]
            if group.place == "super":
                text = superscript(text, "".join(flow.text[-_BEFORE:]))
            elif group.place == "sub":
                text = subscript(text)
            (flow.unseen if group.hidden else flow.text).append(text)
        elif group.into == "style":
            self._style_text += text
        elif group.into.startswith("info:"):
            name = group.into.removeprefix("info:")
            self.info[name] = self.info.get(name, "") + text

    def _symbol(self, symbol: str, group: _Group) -> None:
        if symbol == "*":
            group.starred = True
        elif symbol in "\\{}":
            self._say(symbol, group)
        elif symbol == "~":
            self._say(" ", group)
        elif symbol == "_":
            self._say("-", group)
        elif symbol in "\r\n":
            self._paragraph(group)

    def _word(self, word: str, number: int | None, group: _Group) -> None:
        starred, group.starred = group.starred, False
        if word in _FIELD_STATE:
            self._field[word] = number or 0
        if word in _SKIPPED or (starred and word not in _READ_THOUGH_STARRED):
            group.into = "skip"
        elif group.into == "skip":
            pass
        elif word == "upr":
            group.into = "skip"  # its first part says in ASCII what \ud says in full
        elif word in _EDGES:
            group.into = "edge"
        elif word in {"footnote", "annotation"}:
            group.into = "note" if word == "footnote" else "comment"
        elif word == "stylesheet":
            group.into = "style"
        elif word == "info":
            group.into = "info"
        elif group.into.startswith("info"):
            self._informed(word, number, group)
        elif group.into == "style":
            self._style_number = number or 0 if word in {"s", "cs", "ds"} else self._style_number
            if word == "outlinelevel" and number is not None and number < 9:
                self.styles[self._style_number] = number
        elif word in _SPACES or word in _SIGNS:
            self._say(_SPACES.get(word) or _SIGNS[word], group)
        else:
            self._layout(word, number, group)

    def _layout(self, word: str, number: int | None, group: _Group) -> None:
        if word in {"par", "page", "sect", "column"}:
            self._paragraph(group)
        elif word == "pard":
            self.level, self.in_table = None, False
        elif word == "plain":
            group.hidden = group.deleted = False
            group.place = ""
        elif word in {"super", "sub"}:
            group.place = word if number != 0 else ""
        elif word == "nosupersub":
            group.place = ""
        elif word in {"up", "dn"}:
            raised = number != 0
            group.place = ("super" if word == "up" else "sub") if raised else ""
        elif word == "v":
            group.hidden = number != 0
        elif word == "deleted":
            group.deleted = number != 0
        elif word == "fs" and number is not None and number <= _TINY_HALF_POINTS:
            group.hidden = True
        elif word == "s":
            self.level = self.styles.get(number or 0)
        elif word == "outlinelevel":
            self.level = number if number is not None and number < 9 else None
        elif word in {"listtext", "pntext"}:
            self.listed = True
        elif word == "intbl":
            self.in_table = True
        elif word == "nestcell":
            self._nested_cell(group)
        elif word == "cell":
            self._cell(group)
        elif word in ROW_WORDS:
            self._layout_of_row.take(word, number)
        elif word == "row":
            flow = self.flows.get(group.into, self.flows["body"])
            flow.rows.append(flow.row)
            flow.layouts.append(self._layout_of_row.ends)
            flow.row = []

    def _informed(self, word: str, number: int | None, group: _Group) -> None:
        if word in _INFO:
            group.into = f"info:{word}"
        elif word in {"yr", "mo", "dy"} and number is not None:
            self._dates.setdefault(group.into.removeprefix("info:"), []).append(number)

    def _close(self) -> None:
        group = self.groups.pop() if len(self.groups) > 1 else self.groups[0]
        outer = self.groups[-1]
        if group.into == "style" and self._style_text:
            found = _HEADING.match(self._style_text.strip(" ;"))
            if found is not None:
                self.styles[self._style_number] = int(found.group(1)) - 1
            self._style_text = ""
            self._style_number = 0
        if group.into in self.flows and outer.into != group.into:
            self._paragraph(group)
        if outer.into != "skip" and self._field:
            field, self._field = self._field, {}
            if field.get("fftype") == _CHECK_BOX:
                state = field.get("ffres", _UNDEFINED)
                on = field.get("ffdefres", 0) if state == _UNDEFINED else state
                self._say(CHECKED if on else UNCHECKED, outer)

    def _paragraph(self, group: _Group) -> None:
        flow = self.flows.get(group.into)
        if flow is None:
            return
        text, flow.text = "".join(flow.text), []
        unseen, flow.unseen = "".join(flow.unseen), []
        if self.in_table and group.into == "body":
            flow.cell.append(text)
        else:
            self.end_table(flow)
            kind, level = ElementKind.PARAGRAPH, 0
            if self.level is not None and group.into == "body":
                kind, level = ElementKind.TITLE, self.level
            elif self.listed:
                kind, text = ElementKind.LIST_ITEM, text.lstrip("•·\uf0b7– \t")
            flow.blocks += filter(None, (block(kind, text, level),))
        flow.blocks += filter(None, (block(ElementKind.HIDDEN, unseen),))
        if group.into == "body":
            self.listed = False
            notes = self.flows["note"]
            flow.blocks += (replace(b, kind=ElementKind.FOOTNOTE, level=0) for b in notes.blocks)
            notes.blocks.clear()

    def _cell(self, group: _Group) -> None:
        flow = self.flows.get(group.into)
        if flow is not None:
            nested = ", ".join(filter(None, map(one_line, flow.nested)))
            flow.row.append(one_line(" ".join([*flow.cell, nested, "".join(flow.text)])))
            flow.cell, flow.text, flow.nested = [], [], []

    def _nested_cell(self, group: _Group) -> None:
        """Of a table within a cell; a comma keeps numbers apart."""
        flow = self.flows.get(group.into)
        if flow is not None:
            flow.nested.append("".join(flow.text))
            flow.text = []

    @staticmethod
    def end_table(flow: _Flow) -> None:
        rows, flow.rows = flow.rows, []
        layouts, flow.layouts = flow.layouts, []
        if flow.cell:
            flow.blocks += filter(None, map(_plain, flow.cell))
            flow.cell = []
        if max((len(row) for row in rows), default=0) <= 1:
            flow.blocks += filter(None, (_plain(cell) for row in rows for cell in row))
            return
        lines = [" | ".join(row) for row in table_lines(rows, layouts) if any(row)]
        flow.blocks += filter(None, (block(ElementKind.TABLE, "\n".join(lines)),))

    def blocks(self) -> Iterator[Block]:
        for name, flow in self.flows.items():
            self.in_table = False
            self._paragraph(_Group(name))
            self.end_table(flow)
        yield from self.flows["body"].blocks
        seen: set[str] = set()
        for made in self.flows["edge"].blocks:
            if made.text not in seen:
                seen.add(made.text)
                hidden = made.kind is ElementKind.HIDDEN
                yield replace(made, kind=made.kind if hidden else ElementKind.FURNITURE, level=0)
        for made in self.flows["comment"].blocks:
            yield Block(ElementKind.HIDDEN, f"Comment: {made.text}")

    def properties(self) -> dict[str, str]:
        found = {_NAMES.get(name, name): text for name, text in self.info.items() if text.strip()}
        for name, parts in self._dates.items():
            if len(parts) >= 3 and name in _NAMES:
                found[_NAMES[name]] = f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}"
        return found


def _plain(text: str) -> Block | None:
    return block(ElementKind.PARAGRAPH, text)


def read_rtf(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of RTF. Its pages are made by the program that opens it.

    Raises:
        DocumentError: "broken".
    """
    del job
    return rtf_draft(path.read_bytes())


def rtf_draft(data: bytes) -> DocumentDraft:
    """What an RTF text says.

    Raises:
        DocumentError: "broken".
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise DocumentError(
            "broken", "The file does not begin as RTF does. Bring an intact copy of it."
        )
    reading = _Reading()
    for token in tokens(data):
        reading.take(token)
    return unpaged(list(reading.blocks()), properties=reading.properties())
