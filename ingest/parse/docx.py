"""Word documents."""

from pathlib import Path

from unstructured.partition.docx import partition_docx

from ingest.parse.draft import Block, Draft, Page, block
from ingest.parse.elements import blocks_of
from ingest.parse.job import Job
from ingest.parse.ooxml import footnotes, plain_word, properties, rewritten
from sovereign_rag.domain import ElementKind

_LANGUAGES = ["eng"]  # given, so that unstructured does not guess; ours is found elsewhere


def read_docx(path: Path, job: Job) -> Draft:
    """The `Reader` of DOCX; pages are those that Word saved breaks for."""
    del job
    plain = rewritten(path, {"word/document.xml": plain_word})
    found = partition_docx(filename=str(plain), languages=_LANGUAGES, strategy="fast")
    paged = any(element.metadata.page_number for element in found)
    pages: dict[int, list[Block]] = {}
    for number, made in blocks_of(found):
        pages.setdefault(number if paged else 1, []).append(made)
    last = max(pages, default=1)
    for text in footnotes(plain):
        note = block(ElementKind.FOOTNOTE, text)
        if note is not None:
            pages.setdefault(last, []).append(note)
    return Draft(
        tuple(Page(number, tuple(pages.get(number, ()))) for number in range(1, last + 1)),
        paged=paged,
        properties=properties(path, "docProps/core.xml"),
    )
