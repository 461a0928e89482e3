"""PDF: layout, checked against all the text there is; images of text are recognised."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from ingest.parse.document.attachments import EMBEDDED, with_inner
from ingest.parse.document.blocks import Block, DocumentDraft, Page, block
from ingest.parse.document.job import Job
from ingest.parse.document.numbers import number_warning
from ingest.parse.document.text import squashed
from ingest.parse.ocr.recognise import Recognised, Recogniser
from ingest.parse.pdf.characters import PageCharacters
from ingest.parse.pdf.file import opened_pdf, prepared_password
from ingest.parse.pdf.headings import ranked
from ingest.parse.pdf.invoice_check import invoice_warnings
from ingest.parse.pdf.layout import PageLayout, page_layouts
from ingest.parse.pdf.legible import is_legible
from ingest.parse.pdf.notes import attached_files, files_on, note_blocks
from ingest.parse.pdf.page import page_blocks
from ingest.parse.pdf.unmapped import CODES, likely_language
from sovereign_rag.domain import Box, ElementKind
from sovereign_rag.errors import DocumentError
from sovereign_rag.text.language import detect

_LANGUAGE_SAMPLE = 4_000  # characters
_FEW_CHARACTERS = 20  # a page with fewer letters is looked at as an image
_UNREADABLE_SHARE = 0.3  # of characters that a font without an encoding gives
_CODES_SHARE = 0.7  # of them, where what has letters is kept and the rest is recognised
_ILLEGIBLE = (
    "Page {}: its text layer has codes in place of letters, and recognition did not help. Print "
    "the file to a new PDF in the program that wrote it, or scan it."
)
_UNSURE = (
    "Page {}: its text layer has codes in place of letters, and what was recognised instead is "
    "sure to {:.0%} only. Compare with the page before you rely on it."
)
_SURE = 0.75  # mean confidence of the words
_SAMPLE_LINES = 3  # that tell whether the script of a page is one of those installed
_MARGIN = 12  # pixels around each
_RIM = 6  # of a word's height, around it
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


def read_pdf(path: Path, job: Job) -> DocumentDraft:
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
        layouts, warnings = _layouts(named, job.password)
        recogniser = Recogniser(job, _language(layouts))
        pages: list[Page] = []
        notes = list(warnings)
        attached = list(attached_files(document))
        for number in range(1, len(document) + 1):
            try:
                page = document[number - 1]
            except pypdfium2.PdfiumError:
                notes.append(f"Page {number} is damaged and was not read.")
                pages.append(Page(number, ()))
                continue
            read, found = _page(page, number, layouts.get(number), recogniser)
            pages.append(read)
            notes += found
            attached += files_on(page)
        draft = DocumentDraft(
            tuple(pages),
            paged=True,
            properties=_properties(document),
            warnings=(*notes, *recogniser.warnings),
        )
        differences = tuple(invoice_warnings(attached, pages))
        draft = with_inner(draft, attached, job, path.parent, label=EMBEDDED)
        return replace(draft, warnings=(*draft.warnings, *differences, *_nothing_seen(draft)))


def _nothing_seen(draft: DocumentDraft) -> tuple[str, ...]:
    if any(page.blocks for page in draft.pages):
        return ()
    return ("Its pages are empty, damaged, or pictures without words that could be recognised.",)


def _layouts(path: Path, password: str | None) -> tuple[dict[int, PageLayout], tuple[str, ...]]:
    layouts, warnings = page_layouts(path, password)
    if not layouts and password:
        layouts, warnings = page_layouts(path, prepared_password(password))
    return ranked(layouts), warnings


def _language(layouts: Mapping[int, PageLayout]) -> str | None:
    """The language of the pages that have text, for recognising those that have none."""
    regions = (region.text for layout in layouts.values() for region in layout.regions)
    sample = ""
    for text in regions:
        sample += f"{text}\n"
        if len(sample) > _LANGUAGE_SAMPLE:
            break
    return detect(sample) if len(squashed(sample)) > _LANGUAGE_SAMPLE // 20 else None


def _page(
    page: pypdfium2.PdfPage, number: int, layout: PageLayout | None, recogniser: Recogniser
) -> tuple[Page, list[str]]:
    """A page, and what to say of it: numbers that its file lacks, letters that say nothing."""
    characters = PageCharacters(page, number)
    width, height = page.get_size()
    blocks = page_blocks(layout, characters)
    label = layout.label if layout else None
    shown = Page(number, (), label, width, height)
    warnings = []
    legible = is_legible(characters.text)
    most = _CODES_SHARE if characters.has_codes else _UNREADABLE_SHARE
    is_whole = not legible or _needs_recognition(page, characters.text, most)
    if is_whole or characters.has_codes:
        found = _recognised(page, number, characters, recogniser, is_whole)
        if is_whole and found and _says_more(found, blocks, legible):
            blocks = list(found.blocks)
            shown = replace(shown, ocr_confidence=found.confidence)
            has_layer = characters.has_codes or not legible
            if has_layer and (sure := found.confidence or 0.0) < _SURE:
                warnings.append(_UNSURE.format(number, sure))
        elif not legible:
            warnings.append(_ILLEGIBLE.format(number))
        elif characters.has_codes:
            characters.look_up(found.blocks if found else ())
            blocks = page_blocks(layout, characters)
            warnings += [CODES.format(number)] if characters.has_codes else []
    if shown.ocr_confidence is None:  # else the recogniser held them against its words
        text = "\n\n".join(item.text for item in blocks)
        warning = number_warning(number, text, *characters.sources)
        warnings += [warning] if warning else []
    blocks += note_blocks(page, " ".join(item.text for item in blocks))
    hidden = block(ElementKind.HIDDEN, characters.hidden)
    return replace(shown, blocks=(*blocks, hidden) if hidden else tuple(blocks)), warnings


def _recognised(
    page: pypdfium2.PdfPage,
    number: int,
    characters: PageCharacters,
    recogniser: Recogniser,
    is_whole: bool,
) -> Recognised | None:
    """What is seen on a page, or on the parts of it that have codes in place of letters."""
    picture = _picture(page, recogniser.dpi)
    language = likely_language(characters.codes)
    is_upright = characters.has_codes and characters.are_upright
    if is_upright and is_whole:
        sample = _stacked(picture, characters.coded_most(_SAMPLE_LINES))
        if not recogniser.can_read(sample, language):
            return None
    if characters.has_codes and not is_whole:
        seen = [
            recogniser.page(
                _parts(picture, boxes),
                number,
                is_upright=True,
                is_whole=False,
                language=language,
                quarters=turn,
            )
            for turn, boxes in sorted(characters.coded_lines.items())
        ]
        return Recognised(tuple(block for it in seen if it for block in it.blocks), None)
    return recogniser.page(
        picture, number, is_upright=is_upright, is_whole=is_whole, language=language
    )


def _says_more(found: Recognised, blocks: Sequence[Block], legible: bool) -> bool:
    """Whether what was recognised on a page is to be taken instead of its text layer."""
    if legible:
        return _letters(found.blocks) > _letters(blocks)
    return is_legible(found.words) and _letters(found.blocks) > 0


def _needs_recognition(page: pypdfium2.PdfPage, text: str, most: float) -> bool:
    """Whether a page is to be read as an image; `most` is the share of strange characters."""
    visible = [c for c in text if not c.isspace()]
    strange = sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" or c < " " for c in visible)
    if len(visible) - strange >= _FEW_CHARACTERS:
        return strange > most * len(visible)
    objects = page.get_objects(filter=_DRAWN, max_depth=1)
    return any(True for _, _ in zip(objects, range(_MOST_OBJECTS), strict=False))


def _letters(blocks: Sequence[Block]) -> int:
    return sum(len(squashed(item.text)) for item in blocks)


def _picture(page: pypdfium2.PdfPage, dpi: int) -> Image.Image:
    width, height = page.get_size()
    largest = math.sqrt(_MAX_OCR_PIXELS / max(1.0, width * height))
    picture: Image.Image = page.render(scale=min(dpi / 72, largest), grayscale=True).to_pil()
    return picture


def _stacked(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Some boxes of a page, one below the other."""
    width, height = picture.size
    areas = [
        (
            int(box.left * width) - _MARGIN,
            int(box.top * height) - _MARGIN,
            math.ceil(box.right * width) + _MARGIN,
            math.ceil(box.bottom * height) + _MARGIN,
        )
        for box in boxes
    ]
    across = max((right - left for left, _, right, _ in areas), default=1)
    down = sum(bottom - top for _, top, _, bottom in areas)
    stacked = Image.new(picture.mode, (across, max(1, down)), "white")
    at = 0
    for area in areas:
        stacked.paste(picture.crop(area), (0, at))
        at += area[3] - area[1]
    return stacked


def _parts(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """What stands in some boxes of a page, the rest white: a small part is recognised sooner."""
    parts = Image.new(picture.mode, picture.size, "white")
    width, height = picture.size
    for box in boxes:
        left, right = int(box.left * width), math.ceil(box.right * width)
        top, bottom = int(box.top * height), math.ceil(box.bottom * height)
        rim = (bottom - top) // _RIM
        area = left - rim, top - rim, right + rim, bottom + rim
        parts.paste(picture.crop(area), area[:2])
    return parts


def _properties(document: pypdfium2.PdfDocument) -> dict[str, str]:
    found = document.get_metadata_dict(skip_empty=True)
    named = {_PROPERTIES[key]: value for key, value in found.items() if key in _PROPERTIES}
    for key in ("created", "modified"):
        if match := _DATE.match(named.get(key, "")):
            named[key] = "-".join(part for part in match.groups() if part)
    return named
