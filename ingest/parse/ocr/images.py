"""Images as documents: each frame is a page, its text is recognised."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pi_heif  # type: ignore[import-untyped]  # the package has no types
from PIL import Image, ImageOps, UnidentifiedImageError

from ingest.parse.document.blocks import DocumentDraft, Page
from ingest.parse.document.job import Job
from ingest.parse.ocr.recognise import Recogniser
from sovereign_rag.errors import DocumentError

_MAX_PIXELS = 60_000_000
_MAX_FRAMES = 500


def read_image(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of PNG, JPEG, TIFF, WebP, BMP, GIF and HEIC."""
    recogniser = Recogniser(job)
    pages = []
    with opened_image(path) as image:
        frames = getattr(image, "n_frames", 1)
        # The pictures of an animation show the same; those of a TIFF are pages.
        most = 1 if image.format == "GIF" else _MAX_FRAMES
        for number in range(1, min(frames, most, job.max_pages) + 1):
            shown = frame(image, number)
            found = recogniser.page(shown, number)
            per_inch = recogniser.dpi
            pages.append(
                Page(
                    number,
                    found.blocks if found else (),
                    width=shown.width * 72 / per_inch,
                    height=shown.height * 72 / per_inch,
                    ocr_confidence=found.confidence if found else None,
                )
            )
    notes = recogniser.warnings
    if not notes and not any(page.blocks for page in pages):
        notes = ("It is a picture without words that could be recognised.",)
    if frames > len(pages):
        notes += (f"{frames - len(pages)} of {frames} images in the file were not read. Split it.",)
    return DocumentDraft(tuple(pages), paged=True, warnings=notes)


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """An image that is not larger than can be drawn.

    Raises:
        DocumentError: "bomb" or "broken".
    """
    pi_heif.register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise _bomb() from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DocumentError(
            "broken", "The image is damaged. Open it in an image program and save it anew."
        ) from error
    with image:
        if image.width * image.height > _MAX_PIXELS:
            raise _bomb()
        yield image


def frame(image: Image.Image, number: int) -> Image.Image:
    """Frame `number`, from 1, as a person sees it: turned as the camera says, on white."""
    image.seek(number - 1)
    if image.width * image.height > _MAX_PIXELS:
        raise _bomb()
    shown = ImageOps.exif_transpose(image) or image
    if shown.mode in {"RGBA", "LA", "PA"} or "transparency" in shown.info:
        layer = shown.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return shown.convert("RGB") if shown.mode not in {"L", "RGB"} else shown.copy()


def _bomb() -> DocumentError:
    return DocumentError(
        "bomb",
        f"The image has more than {_MAX_PIXELS // 1_000_000} million pixels. Make it smaller.",
    )
