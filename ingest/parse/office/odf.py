"""OpenDocument files: text, drawings and what stands at the edges of their pages.

Source: OASIS OpenDocument 1.3, part 3 (schema).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lxml import etree

from ingest.parse.document.attachments import EMBEDDED, Inner, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.job import Job
from ingest.parse.document.text import one_line
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import Package
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW, STYLE, FO, PRESENTATION = (
    f"{{{_NS}{name}:1.0}}"
    for name in (
        *("office", "text", "table", "drawing", "style", "xsl-fo-compatible", "presentation"),
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
_LONGEST_SPACES = 100
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
        into.append(node.text or "")
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
            elif isinstance(tag, str) and tag.startswith(DRAW):
                said.after += self.blocks([inner])
            elif tag == TEXT + "hidden-text":
                said.hidden.append(inner.get(TEXT + "string-value") or inner.text or "")
            elif isinstance(tag, str) and tag not in _SKIPPED:
                unseen = hidden or inner.get(TEXT + "style-name") in self.hidden_styles
                self._gather(inner, said, hidden=unseen)
            into.append(inner.tail or "")

    def _table(self, table: etree._Element) -> Iterator[Block]:
        rows = [[list(self.blocks(cell)) for cell in _cells(row)] for row in _rows(table)]
        if max((len(row) for row in rows), default=0) <= 1:
            for row in rows:
                for cell in row:
                    yield from cell
            return
        lines = [
            " | ".join(
                one_line(" ".join(b.text for b in cell if b.kind is not ElementKind.HIDDEN))
                for cell in row
            )
            for row in rows
        ]
        kept = [line for line in lines if line.strip(" |")]
        yield from filter(None, (block(ElementKind.TABLE, "\n".join(kept)),))
        for row in rows:
            yield from (b for cell in row for b in cell if b.kind is ElementKind.HIDDEN)


def read_odt(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of OpenDocument text. Its pages are made by the program that opens it."""
    with Package(path) as package:
        root, styles = _content(package), package.xml("styles.xml")
        walker = _Walker(package, _hidden_styles(root, styles))
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
        walker = _Walker(package, _hidden_styles(root, styles))
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
    return (n for n in row if n.tag in {TABLE + "table-cell", TABLE + "covered-table-cell"})


def _inner(package: Package, walker: _Walker) -> list[Inner]:
    """Files embedded in the document; formulas and charts of its own are no files."""
    found = []
    for member in dict.fromkeys(walker.inner):
        data = package.bytes(member) if member else None
        if data is not None:
            found.append(stored(member, data))
    return found
