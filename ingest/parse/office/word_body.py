"""The body of a Word document, walked in the order in which a person reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.document.blocks import Block, block
from ingest.parse.document.grid import GridCell, spread
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.document.text import one_line
from ingest.parse.office.omml import FORMULAS, linear
from ingest.parse.office.package import (
    DGM,
    MC,
    A,
    C,
    Package,
    R,
    Relation,
    W,
    chart_text,
    diagram_texts,
)
from ingest.parse.office.word_looks import (
    form_field,
    in_font,
    is_bold,
    is_shaded,
    is_unseen,
    place_on_line,
    symbol,
    value,
)
from ingest.parse.office.word_numbering import Numbering
from ingest.parse.office.word_styles import Styles, WordStyle
from sovereign_rag.domain import ElementKind

_V_TEXTPATH = "{urn:schemas-microsoft-com:vml}textpath"
_SKIPPED = frozenset(
    W + name
    for name in (
        *("del", "moveFrom", "instrText", "delText", "delInstrText", "rPr", "pPr", "sdtPr", "rt"),
        *("sdtEndPr", "customXmlPr", "smartTagPr", "tblPr", "tblGrid", "trPr", "tcPr", "sectPr"),
        *("footnoteRef", "endnoteRef", "ffData", "softHyphen", "annotationRef", "fldData"),
    )
)
_LONGEST_BOLD_TITLE = 120
_BEFORE = 8  # pieces of text that tell what a raised figure belongs to


@dataclass(slots=True)
class _Text:
    """A paragraph's text as it is gathered, cut where Word broke the page."""

    pieces: list[list[str]] = field(default_factory=lambda: [[]])
    hidden: list[str] = field(default_factory=list)
    notes: list[tuple[int, str, str]] = field(default_factory=list)  # piece, kind, id
    after: list[tuple[int, etree._Element]] = field(default_factory=list)  # boxes, charts, ...
    plain: bool = False  # whether some of the visible text isn't bold

    def add(self, text: str, *, hidden: bool = False) -> None:
        (self.hidden if hidden else self.pieces[-1]).append(text)


@dataclass(slots=True)
class Walker:
    """Turns parts of a document into blocks; `page` counts the page breaks that Word saved."""

    package: Package
    member: str
    styles: Styles
    numbering: Numbering
    imported: Callable[[str], list[Block]]  # altChunk: a document in another format, by member
    page: int = 1
    broken: bool = False  # whether any page break was saved
    headings: bool = False  # whether any paragraph has a heading's style
    notes: list[tuple[int, str, str]] = field(default_factory=list)  # page, kind, id
    _relations: dict[str, Relation] | None = None

    def blocks(self, parent: etree._Element) -> Iterator[tuple[int, Block]]:
        """(page, block) of everything below `parent`, which holds paragraphs and tables."""
        for node in parent:
            if node.tag == W + "p":
                yield from self._paragraph(node)
            elif node.tag == W + "tbl":
                yield from self._table(node)
            elif node.tag == W + "altChunk":
                relation = self._related(node.get(R + "id"))
                for made in self.imported(relation.target) if relation else ():
                    yield self.page, made
            elif node.tag == MC + "AlternateContent":
                yield from self.blocks(_choice(node))
            elif isinstance(node.tag, str) and node.tag not in _SKIPPED:
                yield from self.blocks(node)

    def _paragraph(self, node: etree._Element) -> Iterator[tuple[int, Block]]:
        text = self._text(node)
        style = self.styles[value(node, "pPr/pStyle")]
        kind, level, label = self._kind(node, style, text)
        start = self.page
        for at, piece in enumerate(text.pieces):
            self.page = start + at
            said = "".join(piece)
            if at == 0 and label and said.strip():
                said = f"{label} {said.lstrip()}"
            if (made := block(kind, said, level)) is not None:
                yield self.page, made
            for place, inner in text.after:
                if place == at:
                    yield from self._drawn(inner)
            self.page = start + at
        hidden = block(ElementKind.HIDDEN, "".join(text.hidden))
        if hidden is not None:
            yield self.page, hidden
        self.notes += ((start + at, kind, number) for at, kind, number in text.notes)

    def _kind(
        self, node: etree._Element, style: WordStyle, text: _Text
    ) -> tuple[ElementKind, int, str]:
        outline = value(node, "pPr/outlineLvl")
        heading = style.heading
        if heading is None and outline is not None and outline.isdigit() and int(outline) < 9:
            heading = int(outline)
        own = value(node, "pPr/numPr/numId")
        number = own if own is not None else style.number
        label: str | None = None
        if number is not None and number != "0" and any("".join(p).strip() for p in text.pieces):
            level = value(node, "pPr/numPr/ilvl")
            if level is None and style.level is not None:
                level = str(style.level)
            if level is None:
                style_id = value(node, "pPr/pStyle") or ""
                level = str(self.numbering.level_of_style(number, style_id))
            label = self.numbering.label(number, int(level) if level.isdigit() else 0)
        if heading is not None:
            self.headings = True
            return ElementKind.TITLE, heading, label or ""
        if label is not None or style.lists:
            return ElementKind.LIST_ITEM, 0, label or ""
        said = "".join(text.pieces[0]).strip()
        whole = len(text.pieces) == 1 and 0 < len(said) <= _LONGEST_BOLD_TITLE
        bold = not text.plain and said[-1:] not in ".,;:!?" and any(c.isalpha() for c in said)
        if whole and bold:
            return ElementKind.TITLE, -1, ""  # a heading by its looks; see `read_docx`
        return ElementKind.PARAGRAPH, 0, ""

    def _text(self, paragraph: etree._Element) -> _Text:
        text = _Text()
        style = self.styles[value(paragraph, "pPr/pStyle")]
        shaded = is_shaded(paragraph)
        self._gather(paragraph, text, hidden=style.hidden, bold=style.bold, shaded=shaded)
        return text

    def _gather(
        self, parent: etree._Element, text: _Text, *, hidden: bool, bold: bool, shaded: bool
    ) -> None:
        for node in parent:
            tag = node.tag
            if not isinstance(tag, str) or tag in _SKIPPED:
                continue
            if tag == W + "r":
                unseen = hidden or is_unseen(node, shaded, self.styles)
                run_bold = is_bold(node, bold)
                self._run(node, text, hidden=unseen, bold=run_bold, shaded=shaded)
            elif tag == MC + "AlternateContent":
                self._gather(_choice(node), text, hidden=hidden, bold=bold, shaded=shaded)
            elif tag in FORMULAS:
                text.add(linear(node), hidden=hidden)
                text.plain = True
            else:
                self._leaf(node, text, hidden=hidden)
                self._gather(node, text, hidden=hidden, bold=bold, shaded=shaded)

    def _run(
        self, run: etree._Element, text: _Text, *, hidden: bool, bold: bool, shaded: bool
    ) -> None:
        for node in run:
            tag = node.tag
            if not isinstance(tag, str) or tag in _SKIPPED:
                continue
            if tag == W + "ruby":
                base = node.find(W + "rubyBase")
                if base is not None:
                    self._gather(base, text, hidden=hidden, bold=bold, shaded=shaded)
            elif tag == MC + "AlternateContent":
                self._run(_choice(node), text, hidden=hidden, bold=bold, shaded=shaded)
            elif tag in {W + "drawing", W + "pict", W + "object"}:
                text.after.append((len(text.pieces) - 1, node))
            else:
                if tag == W + "t" and (node.text or "").strip() and not bold and not hidden:
                    text.plain = True
                if tag == W + "t":
                    text.add(self._placed(run, node.text or "", text), hidden=hidden)
                else:
                    self._leaf(node, text, hidden=hidden)

    def _placed(self, run: etree._Element, said: str, text: _Text) -> str:
        """A run's text as it stands on its line, in its font."""
        said = in_font(run, said)
        place = place_on_line(run, self.styles)
        if place == "superscript":
            return superscript(said, "".join(text.pieces[-1][-_BEFORE:]))
        return subscript(said) if place == "subscript" else said

    def _leaf(self, node: etree._Element, text: _Text, *, hidden: bool) -> None:
        tag = node.tag
        if tag == W + "t":
            text.add(node.text or "", hidden=hidden)
        elif tag == W + "fldChar":
            text.add(form_field(node), hidden=hidden)
        elif tag in {W + "tab", W + "ptab"}:
            text.add(" ", hidden=hidden)
        elif tag in {W + "br", W + "cr"}:
            text.add("\n", hidden=hidden)
        elif tag == W + "noBreakHyphen":
            text.add("-", hidden=hidden)
        elif tag == W + "sym":
            text.add(symbol(node), hidden=hidden)
        elif tag == W + "lastRenderedPageBreak":
            self.broken = True
            text.pieces.append([])
        elif tag in {W + "footnoteReference", W + "endnoteReference"}:
            kind = "footnote" if tag == W + "footnoteReference" else "endnote"
            text.notes.append((len(text.pieces) - 1, kind, node.get(W + "id") or ""))

    def _drawn(self, node: etree._Element) -> Iterator[tuple[int, Block]]:
        """Text boxes, charts, diagrams and lettering inside a drawing."""
        boxes = [n for n in _visible(node) if n.tag == W + "txbxContent"]
        for content in boxes:
            if not any(parent in boxes for parent in content.iterancestors()):
                yield from self.blocks(content)
        for inner in _visible(node):
            relation = self._related(inner.get(R + "id"))
            if inner.tag == C + "chart" and relation is not None:
                root = self.package.xml(relation.target)
                text = chart_text(root) if root is not None else ""
                yield from self._made(ElementKind.TABLE if " | " in text else None, text)
            elif inner.tag == DGM + "relIds":
                data = self._related(inner.get(R + "dm"))
                for text in diagram_texts(self.package, data.target) if data else ():
                    yield from self._made(None, text)
            elif inner.tag == _V_TEXTPATH:
                yield from self._made(None, inner.get("string") or "")
            elif inner.tag == A + "p" and not boxes:
                yield from self._made(None, "".join(t.text or "" for t in inner.iter(A + "t")))

    def _made(self, kind: ElementKind | None, text: str) -> Iterator[tuple[int, Block]]:
        if (made := block(kind or ElementKind.PARAGRAPH, text)) is not None:
            yield self.page, made

    def _table(self, table: etree._Element) -> Iterator[tuple[int, Block]]:
        nodes = [list(_cells(row)) for row in _rows(table)]
        rows = [[list(self._cell(cell)) for cell in row] for row in nodes]
        visible = [[[b for _, b in c if b.kind is not ElementKind.HIDDEN] for c in r] for r in rows]
        widest = max((len(row) for row in rows), default=0)
        crowded = len(rows) == 1 and any(len(cell) > 1 for row in visible for cell in row)
        if widest <= 1 or crowded:  # a frame around text, no table
            for row in rows:
                for cell in row:
                    yield from cell
            return
        page = min(
            (number for row in rows for cell in row for number, _ in cell), default=self.page
        )
        lines: list[str] = []
        for row, texts in zip(rows, spread(list(_grid(table, nodes, visible))), strict=True):
            start = min((number for cell in row for number, _ in cell), default=page)
            if start != page and lines:
                yield from self._lines(lines, page)
                page, lines = start, []
            if any(texts):
                lines.append(" | ".join(texts))
        yield from self._lines(lines, page)
        for row in rows:
            for cell in row:
                yield from (item for item in cell if item[1].kind is ElementKind.HIDDEN)

    def _lines(self, lines: list[str], page: int) -> Iterator[tuple[int, Block]]:
        if (made := block(ElementKind.TABLE, "\n".join(lines))) is not None:
            yield page, made

    def _cell(self, cell: etree._Element) -> Iterator[tuple[int, Block]]:
        if not _continues(cell):
            yield from self.blocks(cell)

    def _related(self, key: str | None) -> Relation | None:
        if self._relations is None:
            self._relations = {r.id: r for r in self.package.relations(self.member)}
        found = self._relations.get(key or "")
        return None if found is None or found.external else found


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for node in table:
        if node.tag == W + "tr":
            yield node
        elif node.tag in {W + "sdt", W + "sdtContent", W + "customXml", W + "ins"}:
            yield from _rows(node)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for node in row:
        if node.tag == W + "tc":
            yield node
        elif node.tag in {W + "sdt", W + "sdtContent", W + "customXml"}:
            yield from _cells(node)


def _continues(cell: etree._Element) -> bool:
    """Whether a cell only goes on with the one above it."""
    merge = cell.find(f"{W}tcPr/{W}vMerge")
    return merge is not None and merge.get(W + "val") != "restart"


def _grid(
    table: etree._Element, nodes: list[list[etree._Element]], blocks: list[list[list[Block]]]
) -> Iterator[list[GridCell]]:
    """The rows of a table, each cell with the columns that it takes."""
    for row, cells, made in zip(_rows(table), nodes, blocks, strict=True):
        skipped = value(row, "trPr/gridBefore") or "0"
        line = [GridCell("")] * (int(skipped) if skipped.isdigit() else 0)
        for node, inside in zip(cells, made, strict=True):
            span = value(node, "tcPr/gridSpan") or "1"
            columns = max(1, int(span)) if span.isdigit() else 1
            text = one_line(" ".join(b.text for b in inside))
            line.append(GridCell(text, columns, continues=_continues(node)))
        yield line


def _choice(node: etree._Element) -> etree._Element:
    """The first version that is offered; the others say the same for older programs."""
    found = node.find(MC + "Choice")
    found = node.find(MC + "Fallback") if found is None else found
    return node if found is None else found


def _visible(node: etree._Element) -> Iterator[etree._Element]:
    for inner in node:
        if inner.tag == MC + "AlternateContent":
            inner = _choice(inner)
        if isinstance(inner.tag, str):
            yield inner
            yield from _visible(inner)
