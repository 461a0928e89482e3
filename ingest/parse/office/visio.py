"""Visio drawings (VSDX): a page is a page, with the lettering of its shapes.

Source: [MS-VSDX].
"""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.job import Job
from ingest.parse.document.text import one_line
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import Package, R
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_V = "{http://schemas.microsoft.com/office/visio/2012/main}"
_BAND = 0.2  # inches: shapes whose middles are that near stand side by side


def read_visio(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of VSDX.

    Raises:
        DocumentError: "broken".
    """
    with Package(path) as package:
        listed = package.xml("visio/pages/pages.xml")
        if listed is None:
            raise DocumentError(
                "broken",
                "The drawing has no readable list of its pages. Open it in Visio and save it anew.",
            )
        targets = {r.id: r.target for r in package.relations("visio/pages/pages.xml")}
        pages: list[Page] = []
        for node in listed.findall(_V + "Page"):
            relation = node.find(_V + "Rel")
            member = targets.get(relation.get(R + "id") or "") if relation is not None else None
            if member is None or len(pages) >= job.max_pages:
                continue
            blocks = tuple(_blocks(package, member))
            if node.get("Background") == "1":
                blocks = tuple(Block(ElementKind.FURNITURE, item.text) for item in blocks)
            name = one_line(node.get("Name") or node.get("NameU") or "") or None
            pages.append(Page(len(pages) + 1, blocks, name))
        facts = properties(path, "docProps/core.xml")
    return DocumentDraft(tuple(pages) or (Page(1, ()),), paged=True, properties=facts)


def _blocks(package: Package, member: str) -> Iterator[Block]:
    root = package.xml(member)
    if root is None:
        return
    found = []
    for shape in root.iter(_V + "Shape"):
        text = shape.find(_V + "Text")
        if text is not None and (said := "".join(text.itertext()).strip()):
            found.append((*_place(shape), said))
    found.sort(key=lambda item: (-round(item[1] / _BAND), item[0]))
    for *_, said in found:
        if (made := block(ElementKind.PARAGRAPH, said)) is not None:
            yield made


def _place(shape: etree._Element) -> tuple[float, float]:
    """Where a shape's pin stands on its page, in inches from below; within a group the group's."""
    at = shape
    for outer in shape.iterancestors(_V + "Shape"):
        at = outer
    cells = {cell.get("N"): cell.get("V") or "" for cell in at.findall(_V + "Cell")}
    try:
        return float(cells.get("PinX", "0")), float(cells.get("PinY", "0"))
    except ValueError:
        return 0.0, 0.0
