"""PowerPoint presentations: a slide is a page, with its notes."""

import zipfile
from pathlib import Path

from unstructured.partition.pptx import partition_pptx

from ingest.parse.draft import Block, Draft, Page
from ingest.parse.elements import blocks_of
from ingest.parse.job import Job
from ingest.parse.ooxml import properties, rewritten
from sovereign_rag.domain import ElementKind

_LANGUAGES = ["eng"]


def read_pptx(path: Path, job: Job) -> Draft:
    """The `Reader` of PPTX."""
    del job
    plain = rewritten(path, {})
    found = partition_pptx(
        filename=str(plain), include_slide_notes=True, languages=_LANGUAGES, strategy="fast"
    )
    slides: dict[int, list[Block]] = {}
    for number, made in blocks_of(found):
        slides.setdefault(number, []).append(made)
    last = max(_slide_count(plain), *slides, 1)
    return Draft(
        tuple(_slide(number, slides.get(number, [])) for number in range(1, last + 1)),
        paged=True,
        properties=properties(path, "docProps/core.xml"),
    )


def _slide_count(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(
            name.startswith("ppt/slides/slide") and name.endswith(".xml")
            for name in archive.namelist()
        )


def _slide(number: int, blocks: list[Block]) -> Page:
    title = next((b.text for b in blocks if b.kind is ElementKind.TITLE), None)
    return Page(number, tuple(blocks), title)
