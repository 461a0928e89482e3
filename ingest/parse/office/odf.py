"""OpenDocument files: text, drawings and what stands at the edges of their pages.

Source: OASIS OpenDocument 1.3, part 3 (schema).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lxml import etree

from ingest.parse.document.attachments import EMBEDDED, Inner, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.formula import MATHML, mathml
from ingest.parse.document.grid import GridCell, spread
from ingest.parse.document.job import Job
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED
from ingest.parse.document.text import one_line
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import Package
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW, STYLE, FO, PRESENTATION, FORM = (
    f"{{{_NS}{name}:1.0}}"
    for name in (
        *("office", "text", "table", "drawing", "style", "xsl-fo-compatible", "presentation"),
        "form",
    )
)
_XLINK = "{http://www.w3.org/1999/xlink}href"
_SVG = f"{{{_NS}svg-compatible:1.0}}"
_SCRIPT_TEXT = re.compile(r"Basic/(?!.*script-l[bc]\.xml)[^/]+/[^/]+\.xml")
_DESCRIBED = {_SVG + "title", _SVG + "desc"}  # of a drawing, for those who can't see it
_HEADERS = tuple(
    STYLE + name
    for name in ("header", "header-left", "header-first", "footer", "footer-left", "footer-first")
)
_SKIPPED = frozenset(
    {TEXT + name for name in ("tracked-changes", "sequence-decls", "variable-decls")}
    | {TEXT + "note-citation", TEXT + "bibliography-source", TEXT + "table-of-content-source"}
    | {OFFICE + "forms", OFFICE + "scripts", OFFICE + "event-listeners", OFFICE + "annotation-end"}
)
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_LONGEST_SPACES = 100
_MOST_REPEATED = 100  # equal cells that a file names once
_BEFORE = 8  # pieces of text that tell what a raised figure belongs to
_DEEPEST_OBJECT = 4


@dataclass(slots=True)
class _Said:
    """A paragraph's text and what is anchored in it."""

    parts: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    after: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Walker:
    package: Package
    hidden_styles: frozenset[str]
    placed_styles: Mapping[str, str] = field(default_factory=dict)  # raised or lowered, by name
    controls: Mapping[str, str] = field(default_factory=dict)  # what form controls show, by id
    inner: list[str] = field(default_factory=list)  # members that are files of their own
    depth: int = 0  # of objects

    def blocks(self, parent: Iterable[etree._Element], *, listed: bool = False) -> Iterator[Block]:
        for node in parent:
            tag = node.tag
            if not isinstance(tag, str) or tag in _SKIPPED:
                continue
            if tag in {TEXT + "p", TEXT + "h"}:
                yield from self._paragraph(node, listed=listed)
            elif tag == TEXT + "list-item":
                yield from self.blocks(node, listed=True)
            elif tag in _DESCRIBED:
                yield from filter(None, (block(ElementKind.HIDDEN, node.text or ""),))
            elif tag == TABLE + "table":
                yield from self._table(node)
            elif tag == OFFICE + "annotation":
                yield from _annotation(node)
            elif tag == TEXT + "section" and node.get(TEXT + "display") == "none":
                yield from (_apart(item) for item in self.blocks(node))
            elif tag == DRAW + "object":
                yield from self._object((node.get(_XLINK) or "").removeprefix("./"))
            else:
                yield from self.blocks(node, listed=listed)

    def _object(self, member: str) -> Iterator[Block]:
        """A document inside the document, in its own folder: a drawing, a chart, a table."""
        root = self.package.xml(f"{member}/content.xml") if member else None
        if root is None:
            self.inner.append(member)
            return
        if self.depth < _DEEPEST_OBJECT:
            yield from replace(self, depth=self.depth + 1).blocks(root)

    def _paragraph(self, node: etree._Element, *, listed: bool) -> Iterator[Block]:
        said = _Said()
        self._gather(node, said, hidden=node.get(TEXT + "style-name") in self.hidden_styles)
        kind, level = ElementKind.LIST_ITEM if listed else ElementKind.PARAGRAPH, 0
        if node.tag == TEXT + "h":
            outline = node.get(TEXT + "outline-level") or "1"
            kind, level = ElementKind.TITLE, int(outline) - 1 if outline.isdigit() else 0
        yield from filter(None, (block(kind, "".join(said.parts), level),))
        yield from said.after
        yield from filter(None, (block(ElementKind.HIDDEN, "".join(said.hidden)),))

    def _gather(self, node: etree._Element, said: _Said, *, hidden: bool) -> None:
        into = said.hidden if hidden else said.parts
        into.append(self._placed(node, "".join(said.parts[-_BEFORE:])))
        for inner in node:
            tag = inner.tag
            if tag == TEXT + "s":
                count = inner.get(TEXT + "c") or "1"
                into.append(" " * min(int(count) if count.isdigit() else 1, _LONGEST_SPACES))
            elif tag == TEXT + "tab":
                into.append(" ")
            elif tag == TEXT + "line-break":
                into.append("\n")
            elif tag == TEXT + "note":
                body = inner.find(TEXT + "note-body")
                for made in self.blocks(body) if body is not None else ():
                    said.after.append(replace(made, kind=ElementKind.FOOTNOTE, level=0))
            elif tag == OFFICE + "annotation":
                said.after += _annotation(inner)
            elif isinstance(tag, str) and tag.endswith("}fieldmark"):
                into.append(_field_state(inner))
                self._gather(inner, said, hidden=hidden)
            elif tag == DRAW + "control":
                into.append(self.controls.get(inner.get(DRAW + "control") or "", ""))
            elif tag == DRAW + "frame" and (formula := self._formula(inner)):
                into.append(formula)
            elif isinstance(tag, str) and tag.startswith(DRAW):
                said.after += self.blocks([inner])
            elif tag == TEXT + "hidden-text":
                said.hidden.append(inner.get(TEXT + "string-value") or inner.text or "")
            elif isinstance(tag, str) and tag not in _SKIPPED:
                unseen = hidden or inner.get(TEXT + "style-name") in self.hidden_styles
                self._gather(inner, said, hidden=unseen)
            into.append(inner.tail or "")

    def _placed(self, node: etree._Element, before: str) -> str:
        """The text at the beginning of a span as it stands on its line."""
        text = node.text or ""
        place = self.placed_styles.get(node.get(TEXT + "style-name") or "")
        if place == "superscript":
            return superscript(text, before)
        return subscript(text) if place == "subscript" else text

    def _formula(self, frame: etree._Element) -> str:
        """The formula in a frame, in one line; "" where it holds something else."""
        node = frame.find(DRAW + "object")
        if node is None:
            return ""
        inside = node.find(MATHML + "math")
        if inside is None:
            member = (node.get(_XLINK) or "").removeprefix("./")
            inside = self.package.xml(f"{member}/content.xml") if member else None
        if inside is None or etree.QName(inside).localname != "math":
            return ""
        return mathml(inside)

    def _table(self, table: etree._Element) -> Iterator[Block]:
        nodes = [list(_cells(row)) for row in _rows(table)]
        rows = [[list(self.blocks(cell)) for cell in row] for row in nodes]
        if max((len(row) for row in rows), default=0) <= 1:
            for row in rows:
                for cell in row:
                    yield from cell
            return
        grid = [
            [_cell(node, made) for node, made in zip(row, blocks, strict=True)]
            for row, blocks in zip(nodes, rows, strict=True)
        ]
        kept = [line for row in spread(grid) if (line := " | ".join(row)).strip(" |")]
        yield from filter(None, (block(ElementKind.TABLE, "\n".join(kept)),))
        for row in rows:
            yield from (b for cell in row for b in cell if b.kind is ElementKind.HIDDEN)


def read_odt(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of OpenDocument text. Its pages are made by the program that opens it."""
    with Package(path) as package:
        root, styles = _content(package), package.xml("styles.xml")
        walker = _walker(package, root, styles)
        body = root.find(f"{OFFICE}body/{OFFICE}text")
        found = list(walker.blocks(body if body is not None else root))
        edges = [*_edges(styles, walker), *macros(package)]
        inner = _inner(package, walker)
    draft = DocumentDraft(
        (Page(1, (*found, *edges)),), paged=False, properties=properties(path, "meta.xml")
    )
    return with_inner(draft, inner, job, path.parent, label=EMBEDDED)


def read_odp(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of OpenDocument presentations: a slide is a page, with its notes."""
    with Package(path) as package:
        root, styles = _content(package), package.xml("styles.xml")
        walker = _walker(package, root, styles)
        pages = []
        for number, node in enumerate(root.iter(DRAW + "page"), start=1):
            blocks = [item for shape in node for item in _shape(shape, walker)]
            title = next((b.text for b in blocks if b.kind is ElementKind.TITLE), None)
            pages.append(Page(number, tuple(blocks), title or node.get(DRAW + "name")))
        if pages:
            last = pages[-1]
            pages[-1] = replace(
                last, blocks=(*last.blocks, *_edges(styles, walker), *macros(package))
            )
        inner = _inner(package, walker)
    draft = DocumentDraft(
        tuple(pages) or (Page(1, ()),), paged=True, properties=properties(path, "meta.xml")
    )
    return with_inner(draft, inner, job, path.parent, label=EMBEDDED)


def _walker(package: Package, root: etree._Element, styles: etree._Element | None) -> _Walker:
    placed = _placed_styles(styles, root)
    return _Walker(package, _hidden_styles(root, styles), placed, _controls(root))


def sheet_edges(package: Package) -> Iterator[Block]:
    """Headers and footers of an OpenDocument spreadsheet, and its macros."""
    yield from macros(package)
    styles = package.xml("styles.xml")
    yield from _edges(styles, _Walker(package, frozenset()))


def macros(package: Package) -> Iterator[Block]:
    """The source of macros, which nobody who opens the document sees and nothing here runs."""
    for member in package.members("Basic/"):
        root = package.xml(member) if _SCRIPT_TEXT.fullmatch(member) else None
        if root is not None and (made := block(ElementKind.HIDDEN, "".join(root.itertext()))):
            yield made


def _shape(node: etree._Element, walker: _Walker) -> Iterator[Block]:
    role = node.get(PRESENTATION + "class") or ""
    made = list(walker.blocks([node]))
    if role == "title" and made:
        text = " ".join(one_line(item.text) for item in made)
        made = [item for item in (block(ElementKind.TITLE, text),) if item is not None]
    yield from made


def _content(package: Package) -> etree._Element:
    root = package.xml("content.xml")
    if root is None:
        raise DocumentError(
            "broken",
            "The file has no readable content.xml. Open it in LibreOffice, save it anew, and "
            "ingest it again.",
        )
    return root


def _edges(styles: etree._Element | None, walker: _Walker) -> Iterator[Block]:
    seen: set[str] = set()
    for node in styles.iter(*_HEADERS) if styles is not None else ():
        if node.get(STYLE + "display") == "false":
            continue
        for made in list(walker.blocks(node)):
            if made.text not in seen and any(c.isalpha() for c in made.text):
                seen.add(made.text)
                hidden = made.kind is ElementKind.HIDDEN
                yield replace(made, kind=made.kind if hidden else ElementKind.FURNITURE, level=0)


def _hidden_styles(*roots: etree._Element | None) -> frozenset[str]:
    """Names of styles whose text isn't shown: switched off, or in white on white."""
    found: set[str] = set()
    for root in roots:
        for style in root.iter(STYLE + "style") if root is not None else ():
            looks = style.find(STYLE + "text-properties")
            if looks is None or style.get(STYLE + "family") not in {"text", "paragraph"}:
                continue
            ground = (looks.get(FO + "background-color") or "").lower()
            white = (looks.get(FO + "color") or "").lower() == "#ffffff"
            plain = ground in {"", "transparent", "#ffffff"}
            off = looks.get(TEXT + "display") == "none"
            tiny = looks.get(FO + "font-size") in {"0pt", "1pt"}
            automatic = style.get(STYLE + "parent-style-name") is None
            if off or tiny or (white and plain and automatic):
                found.add(style.get(STYLE + "name") or "")
    return frozenset(found)


def _annotation(node: etree._Element) -> Iterator[Block]:
    texts = ["".join(p.itertext()) for p in node.iter(TEXT + "p")]
    if any(text.strip() for text in texts):
        made = block(ElementKind.HIDDEN, "Comment: " + "\n".join(texts))
        if made is not None:
            yield made


def _apart(item: Block) -> Block:
    return Block(ElementKind.HIDDEN, item.text)


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for node in table:
        if node.tag == TABLE + "table-row":
            yield node
        elif node.tag in {
            TABLE + n for n in ("table-header-rows", "table-row-group", "table-rows")
        }:
            yield from _rows(node)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    """The cells of a row without those that others cover; an equal one is named as often."""
    for node in row:
        if node.tag == TABLE + "table-cell":
            yield from [node] * min(_number(node, "number-columns-repeated"), _MOST_REPEATED)


def _cell(node: etree._Element, made: list[Block]) -> GridCell:
    text = one_line(" ".join(b.text for b in made if b.kind is not ElementKind.HIDDEN))
    across, down = (_number(node, f"number-{name}-spanned") for name in ("columns", "rows"))
    return GridCell(text, across, down)


def _number(node: etree._Element, name: str) -> int:
    text = node.get(TABLE + name) or "1"
    return max(1, int(text)) if text.isdigit() else 1


def _placed_styles(*roots: etree._Element | None) -> dict[str, str]:
    """Names of styles whose text is raised or lowered."""
    found: dict[str, str] = {}
    for root in roots:
        for style in root.iter(STYLE + "style") if root is not None else ():
            looks = style.find(STYLE + "text-properties")
            place = looks.get(STYLE + "text-position") or "" if looks is not None else ""
            first = place.split(" ")[0]
            if first.startswith(("sub", "-")):
                found[style.get(STYLE + "name") or ""] = "subscript"
            elif first == "super" or first.rstrip("%") not in {"", "0"}:
                found[style.get(STYLE + "name") or ""] = "superscript"
    return found


def _field_state(node: etree._Element) -> str:
    """The state of a check box that came from Word's form fields; "" of another field."""
    if not any(str(value).endswith("FORMCHECKBOX") for value in node.attrib.values()):
        return ""
    facts = [list(map(str, param.attrib.values())) for param in node]
    return (
        CHECKED if any(fact[-2:] == ["Checkbox_Checked", "true"] for fact in facts) else UNCHECKED
    )


def _controls(root: etree._Element) -> dict[str, str]:
    """What the controls of a form show: check boxes and option buttons with their state."""
    found: dict[str, str] = {}
    for node in root.iter(FORM + "checkbox", FORM + "radio"):
        state = node.get(FORM + "current-state") or node.get(FORM + "state") or ""
        chosen = node.get(FORM + "current-selected") or node.get(FORM + "selected") or ""
        on = state == "checked" or chosen == "true"
        sign = (UNCHECKED, CHECKED)[on] if node.tag == FORM + "checkbox" else "○◉"[on]
        said = f"{sign} {node.get(FORM + 'label') or ''}".strip()
        for key in (node.get(FORM + "id"), node.get(_XML_ID)):
            if key:
                found[key] = said
    return found


def _inner(package: Package, walker: _Walker) -> list[Inner]:
    """Files embedded in the document; formulas and charts of its own are no files."""
    found = []
    for member in dict.fromkeys(walker.inner):
        data = package.bytes(member) if member else None
        if data is not None:
            found.append(stored(member, data))
    return found
