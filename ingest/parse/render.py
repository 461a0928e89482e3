"""A page as a picture, drawn in the same confinement as it is read."""

import math
from pathlib import Path

import pypdfium2
from PIL import Image

from ingest import detect
from ingest.parse.document.job import IMAGE_NAME, Job
from ingest.parse.ocr.images import frame, opened_image
from ingest.parse.pdf.characters import PageCharacters
from ingest.parse.pdf.file import opened_pdf
from sovereign_rag.errors import DocumentError

_MAX_PIXELS = 25_000_000
_IMAGE_EDGE_INCHES = 14  # longest edge of an image document, of whatever resolution


def render_page(path: Path, job: Job) -> None:
    """Draw page `job.page` into the scratch folder as `IMAGE_NAME`.

    Raises:
        DocumentError: "unsupported", "no_page", or why the file can't be opened.
    """
    if job.media_type == detect.PDF:
        picture = _pdf_page(path, job)
    elif job.media_type in detect.IMAGES:
        picture = _image_frame(path, job)
    else:
        raise DocumentError(
            "unsupported", "Only PDF files and images have page pictures. Show the text instead."
        )
    picture.save(path.with_name(IMAGE_NAME), "PNG", compress_level=4)


def page_characters(path: Path, job: Job) -> dict[str, object]:
    """The characters that page `job.page` of a PDF shows, with the middles of their boxes.

    Raises:
        DocumentError: "no_page", or why the file can't be opened.
    """
    with opened_pdf(path, job.password) as document:
        _check_page(job.page, len(document))
        return PageCharacters(document[job.page - 1], job.page).placed


def _pdf_page(path: Path, job: Job) -> Image.Image:
    with opened_pdf(path, job.password) as document:
        _check_page(job.page, len(document))
        page = document[job.page - 1]
        picture: Image.Image = page.render(scale=_scale(page, job.dpi)).to_pil()
        return picture.convert("RGB")


def _scale(page: pypdfium2.PdfPage, dpi: int) -> float:
    """Pixels per point for `dpi`, or less for a page so large that it would not fit."""
    width, height = page.get_size()
    return min(dpi / 72, math.sqrt(_MAX_PIXELS / max(1.0, width * height)))


def _image_frame(path: Path, job: Job) -> Image.Image:
    with opened_image(path) as image:
        _check_page(job.page, getattr(image, "n_frames", 1))
        shown = frame(image, job.page)
    edge = job.dpi * _IMAGE_EDGE_INCHES
    shown.thumbnail((edge, edge))
    return shown


def _check_page(page: int, count: int) -> None:
    if not 1 <= page <= count:
        raise DocumentError("no_page", f"There is no page {page}; the document has {count}.")
