"""The shapes of a slide, in the order in which a person reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lxml import etree

from ingest.parse.document.blocks import Block, block
from ingest.parse.document.grid import GridCell, spread
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.document.symbol_fonts import spelled
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
    chart_text,
    diagram_texts,
)
from sovereign_rag.domain import ElementKind

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_TITLES = {"title", "ctrTitle"}
_EDGES = {"dt", "ftr", "sldNum", "hdr"}
_TINY = 200  # hundredths of a point
_BAND = 150_000  # EMU, about 4 mm: shapes that begin within it stand side by side

ShapePlace = tuple[int, int, int, int]  # left, top, width, height in EMU


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape's blocks and where it stands; no place where the file names none."""

    blocks: tuple[Block, ...]
    role: str | None  # of a placeholder: "title", "body", "ftr", ...
    place: ShapePlace | None


@dataclass
class SlidePart:
    """A slide, layout, master or notes page."""

    package: Package
    member: str
    size: tuple[int, int] = (0, 0)  # of the slide, in EMU; zero: unknown
    parents: tuple["SlidePart", ...] = ()  # layout, then master: they place what has no place
    seen: set[str] = field(default_factory=set)

    @cached_property
    def root(self) -> etree._Element | None:
        return self.package.xml(self.member)

    @cached_property
    def relations(self) -> dict[str, Relation]:
        return {r.id: r for r in self.package.relations(self.member)}

    def shapes(self) -> list[Shape]:
        """Titles first, then from the top to the bottom, from left to right."""
        tree = self.root.find(f"{P}cSld/{P}spTree") if self.root is not None else None
        found = list(self._shapes(tree, None)) if tree is not None else []

        def order(shape: Shape) -> tuple[bool, bool, int, int]:
            left, top = shape.place[:2] if shape.place else (0, 1 << 40)
            edge = shape.role in _EDGES
            return edge, shape.role not in _TITLES, top // _BAND, left

        return sorted(found, key=order)

    def placeholder(self, role: str, index: str) -> ShapePlace | None:
        """Where a placeholder stands that a slide refers to without placing it."""
        tree = self.root.find(f"{P}cSld/{P}spTree") if self.root is not None else None
        for shape in tree.iter(P + "sp") if tree is not None else ():
            kind = shape.find(f".//{P}nvPr/{P}ph")
            if kind is None:
                continue
            same = kind.get("idx", "0") == index if index != "0" else kind.get("type") == role
            if same and (place := _place(shape)) is not None:
                return place
        return None

    def _shapes(self, tree: etree._Element, outer: ShapePlace | None) -> Iterator[Shape]:
        for node in tree:
            if node.tag == MC + "AlternateContent":
                choice = node.find(MC + "Choice")
                fallback = node.find(MC + "Fallback")
                offered = [n for n in (choice, fallback) if n is not None]
                made = next((m for n in offered if (m := list(self._shapes(n, outer)))), [])
                yield from made
            elif node.tag == P + "grpSp":
                # Shapes in a group have places of their own measure; the group's is what counts.
                yield from self._shapes(node, outer or _place(node))
            elif node.tag in {P + "sp", P + "cxnSp", P + "graphicFrame", P + "pic"}:
                yield from self._shape(node, outer)

    def _shape(self, node: etree._Element, outer: ShapePlace | None) -> Iterator[Shape]:
        kind = node.find(f".//{P}nvPr/{P}ph")
        role = kind.get("type", "body") if kind is not None else None
        place = outer or _place(node)
        if place is None and kind is not None and role is not None:
            index = kind.get("idx", "0")
            known = (parent.placeholder(role, index) for parent in self.parents)
            place = next((found for found in known if found is not None), None)
        blocks = list(self._blocks(node, role))
        named = node.find(f".//{P}cNvPr")
        if (named is not None and named.get("hidden") in {"1", "true"}) or self._outside(place):
            blocks = [Block(ElementKind.HIDDEN, item.text) for item in blocks]
        if blocks:
            yield Shape(tuple(blocks), role, place)

    def _outside(self, place: ShapePlace | None) -> bool:
        if place is None or not all(self.size):
            return False
        left, top, width, height = place
        beyond = left >= self.size[0] or top >= self.size[1]
        return beyond or left + width <= 0 or top + height <= 0

    def _blocks(self, node: etree._Element, role: str | None) -> Iterator[Block]:
        for table in node.iter(A + "tbl"):
            rows = spread([_cells(row) for row in table.findall(A + "tr")])
            lines = [" | ".join(row) for row in rows if any(row)]
            yield from _made(ElementKind.TABLE, "\n".join(lines))
        body = node.find(P + "txBody")
        if body is not None:
            yield from _paragraphs(body, role)
        for inner in node.iter(C + "chart", DGM + "relIds"):
            key = inner.get(R + "id") or inner.get(R + "dm")
            relation = self.relations.get(key or "")
            if relation is None or relation.external:
                continue
            if inner.tag == DGM + "relIds":
                for text in diagram_texts(self.package, relation.target):
                    yield from _made(ElementKind.PARAGRAPH, text)
                continue
            root = self.package.xml(relation.target)
            text = chart_text(root) if root is not None else ""
            kind = ElementKind.TABLE if " | " in text else ElementKind.PARAGRAPH
            yield from _made(kind, text)


def _paragraphs(body: etree._Element, role: str | None) -> Iterator[Block]:
    texts = [(_visible(paragraph), _tiny(paragraph)) for paragraph in body.iter(A + "p")]
    filled = [visible for visible, _ in texts if visible.strip()]
    if role in _TITLES:
        yield from _made(ElementKind.TITLE, " ".join(filled))
    else:
        listed = role in {"body", "obj"} and len(filled) > 1
        kind = ElementKind.LIST_ITEM if listed else ElementKind.PARAGRAPH
        kind = ElementKind.FURNITURE if role in _EDGES else kind
        for visible in filled:
            yield from _made(kind, visible)
    yield from _made(ElementKind.HIDDEN, "\n".join(tiny for _, tiny in texts if tiny.strip()))


def _visible(paragraph: etree._Element) -> str:
    return "".join(_runs(paragraph, tiny=False))


def _tiny(paragraph: etree._Element) -> str:
    return "".join(_runs(paragraph, tiny=True))


def _runs(paragraph: etree._Element, *, tiny: bool) -> Iterator[str]:
    before = ""
    for node in paragraph.iter(A + "t", A + "br", *FORMULAS):
        if any(parent.tag in FORMULAS for parent in node.iterancestors()):
            continue  # a part of the formula around it
        parent = node.getparent()
        looks = parent.find(A + "rPr") if parent is not None else None
        size = looks.get("sz", "") if looks is not None else ""
        if node.tag == A + "br":
            said = "\n"
        elif node.tag in FORMULAS:
            said = "" if tiny else linear(node)
        elif (size.isdigit() and int(size) <= _TINY) != tiny:
            continue
        else:
            said = _placed(node.text or "", looks, before)
        before += said
        yield said


def _placed(text: str, looks: etree._Element | None, before: str) -> str:
    """A run's text as it stands on its line, in its font."""
    if looks is None:
        return text
    for kind in ("sym", "latin"):
        font = looks.find(A + kind)
        if font is not None:
            text = spelled(font.get("typeface") or "", text)
    place = looks.get("baseline") or "0"
    moved = int(place.rstrip("%")) if place.lstrip("-").rstrip("%").isdigit() else 0
    if moved > 0:
        return superscript(text, before)
    return subscript(text) if moved < 0 else text


def _cells(row: etree._Element) -> list[GridCell]:
    """The cells of a table's row, each with the columns and rows that it takes."""
    on = {"1", "true"}
    cells = (c for c in row.findall(A + "tc") if not {c.get("hMerge"), c.get("vMerge")} & on)
    return [GridCell(one_line(_all(c)), _span(c, "gridSpan"), _span(c, "rowSpan")) for c in cells]


def _span(cell: etree._Element, name: str) -> int:
    text = cell.get(name) or "1"
    return max(1, int(text)) if text.isdigit() else 1


def _all(node: etree._Element) -> str:
    return "\n".join(_visible(paragraph) for paragraph in node.iter(A + "p"))


def _made(kind: ElementKind, text: str) -> Iterator[Block]:
    if (item := block(kind, text)) is not None:
        yield item


def _place(node: etree._Element) -> ShapePlace | None:
    for path in (f"{P}spPr/{A}xfrm", f"{P}grpSpPr/{A}xfrm", f"{P}xfrm"):
        found = node.find(path)
        offset = found.find(A + "off") if found is not None else None
        extent = found.find(A + "ext") if found is not None else None
        if offset is not None and extent is not None:
            try:
                return (
                    *(int(offset.get("x")), int(offset.get("y"))),
                    *(int(extent.get("cx")), int(extent.get("cy"))),
                )
            except (TypeError, ValueError):
                return None
    return None
