"""Word documents."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ingest import detect
from ingest.parse.document.attachments import EMBEDDED, stored, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.job import Job
from ingest.parse.office.embedded import embedded
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import Package, W
from ingest.parse.office.word_body import Walker
from ingest.parse.office.word_numbering import Numbering
from ingest.parse.office.word_styles import Styles
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_NOTES = (("footnote", "footnotes"), ("endnote", "endnotes"))
_IMPORTED = {"html": detect.HTML, "htm": detect.HTML, "xhtml": detect.HTML, "mht": detect.EML}
_IMPORTED |= {"mhtml": detect.EML, "txt": detect.TXT, "rtf": detect.RTF, "docx": detect.DOCX}


def read_docx(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of DOCX; pages are those that Word saved breaks for.

    Raises:
        DocumentError: "broken".
    """
    with Package(path) as package:
        main = package.main if package.xml(package.main) is not None else "word/document.xml"
        root = package.xml(main)
        body = root.find(W + "body") if root is not None else None
        if body is None:
            raise DocumentError(
                "broken",
                "The file has no readable body of a Word document. Open it in Word or LibreOffice, "
                "save it anew, and ingest it again.",
            )
        styles = Styles(package.xml(next(package.related(main, "styles"), "")))
        numbering = Numbering(
            package.xml(next(package.related(main, "numbering"), "")), styles.linked_lists
        )

        def imported(member: str) -> list[Block]:
            return _imported(package, member, job, path.parent)

        walker = Walker(package, main, styles, numbering, imported)
        found = list(walker.blocks(body))
        pages: dict[int, list[Block]] = {1: []}
        for text in _edges(package, main, "header", styles, imported):
            pages[1].append(text)
        for number, made in found:
            pages.setdefault(number, []).append(_settled(made, walker.headings))
        for number, note in _notes(package, main, walker):
            pages.setdefault(number, []).append(note)
        last = max(pages)
        pages[last] += _edges(package, main, "footer", styles, imported)
        pages[last] += _comments(package, main)
        draft = DocumentDraft(
            tuple(Page(number, tuple(pages.get(number, ()))) for number in range(1, last + 1)),
            paged=walker.broken,
            properties=properties(path, "docProps/core.xml"),
        )
        inner = list(embedded(package, main))
    return with_inner(draft, inner, job, path.parent, label=EMBEDDED)


def _settled(made: Block, headings: bool) -> Block:
    """A paragraph that only looks like a heading is one where the document has no other."""
    if made.kind is not ElementKind.TITLE or made.level >= 0:
        return made
    return replace(made, kind=ElementKind.PARAGRAPH if headings else ElementKind.TITLE, level=0)


def _edges(
    package: Package, main: str, kind: str, styles: Styles, imported: object
) -> Iterator[Block]:
    """The texts of running headers or footers, each once."""
    del imported
    seen: set[str] = set()
    for member in dict.fromkeys(package.related(main, kind)):
        root = package.xml(member)
        if root is None:
            continue
        walker = Walker(package, member, styles, Numbering(None, {}), lambda _: [])
        for _, made in walker.blocks(root):
            hidden = made.kind is ElementKind.HIDDEN
            if made.text not in seen:
                seen.add(made.text)
                yield replace(
                    made, kind=ElementKind.HIDDEN if hidden else ElementKind.FURNITURE, level=0
                )


def _notes(package: Package, main: str, walker: Walker) -> Iterator[tuple[int, Block]]:
    """Footnotes and endnotes, on the page that refers to them."""
    for kind, relation in _NOTES:
        for member in package.related(main, relation):
            root = package.xml(member)
            texts = {}
            for node in root if root is not None else ():
                if node.get(W + "type") in {"separator", "continuationSeparator"}:
                    continue
                inner = Walker(package, member, walker.styles, Numbering(None, {}), lambda _: [])
                said = "\n".join(made.text for _, made in inner.blocks(node))
                texts[node.get(W + "id") or ""] = said
            asked = [(page, number) for page, of, number in walker.notes if of == kind]
            for page, number in asked:
                if (note := block(ElementKind.FOOTNOTE, texts.pop(number, ""))) is not None:
                    yield page, note


def _comments(package: Package, main: str) -> Iterator[Block]:
    for member in package.related(main, "comments"):
        root = package.xml(member)
        for node in root if root is not None else ():
            text = "\n".join(
                "".join(t.text or "" for t in paragraph.iter(W + "t"))
                for paragraph in node.iter(W + "p")
            )
            author = node.get(W + "author") or ""
            said = f"Comment by {author}: {text}" if author else f"Comment: {text}"
            made = block(ElementKind.HIDDEN, said) if text.strip() else None
            if made is not None:
                yield made


def _imported(package: Package, member: str, job: Job, folder: Path) -> list[Block]:
    """A document that Word is to take in when it opens this one (altChunk)."""
    kind = _IMPORTED.get(member.rsplit(".", 1)[-1].lower())
    data = package.bytes(member)
    if data is None:
        return []
    place = folder / f"chunk-{member.replace('/', '-')}"
    place.mkdir(exist_ok=True)
    depth = replace(job, depth=job.depth + 1, name=member, media_type=None)
    try:
        draft = stored(member, data, media_type=kind).read(place, depth)
    except DocumentError:
        return []
    return [item for page in draft.pages for item in page.blocks]
