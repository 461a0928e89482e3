"""PDF: layout, checked against all the text there is; images of text are recognised."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from ingest.parse.draft import Block, Draft, Page
from ingest.parse.job import Job
from ingest.parse.ocr import Recogniser
from ingest.parse.pdf_characters import PageCharacters
from ingest.parse.pdf_file import opened_pdf
from ingest.parse.pdf_headings import ranked
from ingest.parse.pdf_layout import PageLayout, Region, page_layouts
from ingest.parse.pdf_order import in_order
from ingest.parse.pdf_words import placed
from ingest.parse.text import canonical, squashed
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_WORD = re.compile(r"\w+")
_LOST_WORDS = 5  # more than this many, and than this share, are missing: the lines are added
_LOST_SHARE = 0.02
_FEW_CHARACTERS = 20  # a page with fewer letters is looked at as an image
_UNREADABLE_SHARE = 0.3  # of characters that a font without an encoding gives
_MAX_OCR_PIXELS = 40_000_000
_MOST_OBJECTS = 3_000
_DRAWN = (
    pdfium.FPDF_PAGEOBJ_IMAGE,
    pdfium.FPDF_PAGEOBJ_PATH,
    pdfium.FPDF_PAGEOBJ_SHADING,
    pdfium.FPDF_PAGEOBJ_FORM,
)
_PROPERTIES = {
    "Title": "title",
    "Author": "author",
    "Subject": "subject",
    "Keywords": "keywords",
    "CreationDate": "created",
    "ModDate": "modified",
}
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


def read_pdf(path: Path, job: Job) -> Draft:
    """The `Reader` of PDF.

    Raises:
        DocumentError: "encrypted", "broken" or "too_large".
    """
    named = path.with_name("document.pdf")
    named.symlink_to(path)
    with opened_pdf(named, job.password) as document:
        if len(document) > job.max_pages:
            raise DocumentError(
                "too_large",
                f"The PDF has {len(document)} pages, the limit is {job.max_pages}. Split it, or "
                "raise SOVEREIGN_RAG_PARSE__MAX_PAGES.",
            )
        layouts, warnings = page_layouts(named, job.password)
        layouts = {number: in_order(layout) for number, layout in ranked(layouts).items()}
        recogniser = Recogniser(job)
        pages: list[Page] = []
        notes = list(warnings)
        for number in range(1, len(document) + 1):
            try:
                page = document[number - 1]
            except pypdfium2.PdfiumError:
                notes.append(f"Page {number} is damaged and was not read.")
                pages.append(Page(number, ()))
                continue
            pages.append(_page(page, number, layouts.get(number), recogniser))
        return Draft(
            tuple(pages),
            paged=True,
            properties=_properties(document),
            warnings=(*notes, *recogniser.warnings),
        )


def _page(
    page: pypdfium2.PdfPage, number: int, layout: PageLayout | None, recogniser: Recogniser
) -> Page:
    characters = PageCharacters(page, number)
    width, height = page.get_size()
    regions = layout.regions if layout else ()
    regions = (*regions, *_missing(characters.text, regions))
    label = layout.label if layout else None
    shown = Page(number, (), label, width, height)
    if _needs_recognition(page, characters.text):
        found = recogniser.page(_picture(page, recogniser.dpi), number)
        if found and _letters(found.blocks) > _letters(regions):
            return replace(shown, blocks=found.blocks, ocr_confidence=found.confidence)
    return replace(shown, blocks=tuple(_blocks(regions, characters)))


def _blocks(regions: Sequence[Region], characters: PageCharacters) -> Iterator[Block]:
    for region in regions:
        text, words = placed(region.text, region.box, characters)
        if text.strip():
            yield Block(region.kind, text, region.level, words, region.box)


def _missing(text: str, regions: Sequence[Region]) -> Iterator[Region]:
    """Lines of the page that the layout left out; the layout engine drops cells now and then.

    Compared by words, and by bare letters where the layout joined what was broken.
    """
    there = " ".join(region.text for region in regions)
    wanted = Counter(_WORD.findall(text.lower()))
    bare = squashed(there)
    missing = wanted - Counter(_WORD.findall(there.lower()))
    lost = sum(
        count for word, count in missing.items() if len(word) > 1 and squashed(word) not in bare
    )
    total = wanted.total()
    enough = lost > _LOST_WORDS and lost > _LOST_SHARE * total
    if not enough and (regions or not total):
        return
    lines = [line for line in text.splitlines() if (key := squashed(line)) and key not in bare]
    found = canonical("\n".join(lines))
    if found:
        yield Region(ElementKind.PARAGRAPH, found, 0, None)


def _needs_recognition(page: pypdfium2.PdfPage, text: str) -> bool:
    visible = [c for c in text if not c.isspace()]
    strange = sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" or c < " " for c in visible)
    if len(visible) - strange >= _FEW_CHARACTERS:
        return strange > _UNREADABLE_SHARE * len(visible)
    objects = page.get_objects(filter=_DRAWN, max_depth=1)
    return any(True for _, _ in zip(objects, range(_MOST_OBJECTS), strict=False))


def _letters(blocks: Sequence[Block] | Sequence[Region]) -> int:
    return sum(len(squashed(item.text)) for item in blocks)


def _picture(page: pypdfium2.PdfPage, dpi: int) -> Image.Image:
    width, height = page.get_size()
    largest = math.sqrt(_MAX_OCR_PIXELS / max(1.0, width * height))
    picture: Image.Image = page.render(scale=min(dpi / 72, largest), grayscale=True).to_pil()
    return picture


def _properties(document: pypdfium2.PdfDocument) -> dict[str, str]:
    found = document.get_metadata_dict(skip_empty=True)
    named = {_PROPERTIES[key]: value for key, value in found.items() if key in _PROPERTIES}
    for key in ("created", "modified"):
        if match := _DATE.match(named.get(key, "")):
            named[key] = "-".join(part for part in match.groups() if part)
    return named
