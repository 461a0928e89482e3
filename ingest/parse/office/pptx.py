"""PowerPoint presentations: a slide is a page, with its notes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lxml import etree

from ingest.parse.document.attachments import EMBEDDED, with_inner, words_in_picture
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.job import Job
from ingest.parse.office.embedded import embedded
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import A, Package, R, drawn_texts
from ingest.parse.office.slides import P, SlidePart
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_MOST_PICTURES = 40  # of a presentation, recognised at some seconds each


def read_pptx(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of PPTX.

    Raises:
        DocumentError: "broken" or "too_large".
    """
    with Package(path) as package:
        main = package.main if package.xml(package.main) is not None else "ppt/presentation.xml"
        root = package.xml(main)
        if root is None:
            raise DocumentError(
                "broken",
                "The file has no readable list of slides. Open it in its program, save it anew, "
                "and ingest it again.",
            )
        members = _slides(package, main, root)
        if len(members) > job.max_pages:
            raise DocumentError(
                "too_large",
                f"The presentation has {len(members)} slides, the limit is {job.max_pages}. "
                "Split it, or raise SOVEREIGN_RAG_PARSE__MAX_PAGES.",
            )
        size = _size(root)
        on_masters: set[str] = set()
        pages = tuple(
            _page(package, member, number, size, on_masters)
            for number, member in enumerate(members, start=1)
        )
        pages = _with_pictures(package, members, pages, job, path.parent)
        pages = _with_handout(package, main, pages)
        warnings = tuple(
            f"Slide {number} is damaged and was not read."
            for number, member in enumerate(members, start=1)
            if package.xml(member) is None
        )
        draft = DocumentDraft(
            pages or (Page(1, ()),),
            paged=True,
            properties=properties(path, "docProps/core.xml"),
            warnings=warnings,
        )
        inner = list(embedded(package, *members))
    return with_inner(draft, inner, job, path.parent, label=EMBEDDED)


def _with_pictures(
    package: Package, members: list[str], pages: tuple[Page, ...], job: Job, folder: Path
) -> tuple[Page, ...]:
    """Slides that are nothing but a picture show what is recognised on it."""
    left = _MOST_PICTURES if job.ocr else 0
    made = []
    for member, page in zip(members, pages, strict=True):
        if all(item.kind is ElementKind.FURNITURE for item in page.blocks):
            for target in dict.fromkeys(package.related(member, "image")):
                data = package.bytes(target) if left > 0 else None
                left -= 1
                name = f"{page.number}-{target.rsplit('/', 1)[-1]}"
                found = words_in_picture(name, data, job, folder) if data else None
                if found is not None:
                    page = replace(
                        page,
                        blocks=(*page.blocks, *found.blocks),
                        ocr_confidence=found.ocr_confidence,
                    )
        made.append(page)
    return tuple(made)


def _with_handout(package: Package, main: str, pages: tuple[Page, ...]) -> tuple[Page, ...]:
    """What is printed at the edges of handouts stands at the end of the last slide."""
    found = [
        replace(item, kind=ElementKind.FURNITURE, level=0)
        for member in package.related(main, "handoutMaster")
        for shape in SlidePart(package, member).shapes()
        for item in shape.blocks
        if item.kind is not ElementKind.HIDDEN
    ]
    if not pages or not found:
        return pages
    last = pages[-1]
    return (*pages[:-1], replace(last, blocks=(*last.blocks, *found)))


def _slides(package: Package, main: str, root: etree._Element) -> list[str]:
    targets = {r.id: r.target for r in package.relations(main) if r.kind == "slide"}
    named = [targets.get(node.get(R + "id") or "") for node in root.iter(P + "sldId")]
    found = [member for member in named if member]
    return found or [m for m in package.members("ppt/slides/slide") if m.endswith(".xml")]


def _size(root: etree._Element) -> tuple[int, int]:
    node = root.find(P + "sldSz")
    try:
        return (int(node.get("cx")), int(node.get("cy"))) if node is not None else (0, 0)
    except (TypeError, ValueError):
        return (0, 0)


def _page(
    package: Package, member: str, number: int, size: tuple[int, int], on_masters: set[str]
) -> Page:
    layout = next(package.related(member, "slideLayout"), "")
    master = next(package.related(layout, "slideMaster"), "") if layout else ""
    parents = tuple(SlidePart(package, part) for part in (layout, master) if part)
    slide = SlidePart(package, member, size, parents)
    blocks = [item for shape in slide.shapes() for item in shape.blocks]
    for parent in parents:
        blocks += _background(parent, on_masters)
    blocks += _notes(package, member)
    blocks += _comments(package, member)
    if slide.root is not None and slide.root.get("show") in {"0", "false"}:
        blocks = [Block(ElementKind.HIDDEN, item.text) for item in blocks]
    title = next((b.text for b in blocks if b.kind is ElementKind.TITLE), None)
    return Page(number, tuple(blocks), title)


def _background(part: SlidePart, seen: set[str]) -> Iterator[Block]:
    """What a layout or master draws on every slide, once; its placeholders are only prompts."""
    for shape in part.shapes():
        for item in shape.blocks if shape.role is None else ():
            if item.text not in seen:
                seen.add(item.text)
                hidden = item.kind is ElementKind.HIDDEN
                yield replace(item, kind=item.kind if hidden else ElementKind.FURNITURE, level=0)


def _notes(package: Package, member: str) -> Iterator[Block]:
    for target in package.related(member, "notesSlide"):
        for shape in SlidePart(package, target).shapes():
            for item in shape.blocks:
                title = item.kind is ElementKind.TITLE
                yield replace(item, kind=ElementKind.PARAGRAPH, level=0) if title else item


def _comments(package: Package, member: str) -> Iterator[Block]:
    for target in package.related(member, "comments"):
        root = package.xml(target)
        for node in root if root is not None else ():
            texts = [t.text or "" for t in node.iter(P + "text")] or list(drawn_texts(node))
            texts = texts or [t.text or "" for t in node.iter(A + "t")]
            said = " ".join(texts)
            made = block(ElementKind.HIDDEN, f"Comment: {said}") if said.strip() else None
            if made is not None:
                yield made
