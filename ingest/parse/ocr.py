"""Text, places and confidence of a page that is only an image, by Tesseract."""

import io
import math
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from ingest.parse.draft import Block
from ingest.parse.job import Job
from ingest.parse.tesseract import Tesseract, installed_tesseract
from ingest.parse.text import is_broken, one_line
from sovereign_rag.domain import Box, ElementKind, Word

_LEAST_CONFIDENCE = 30.0  # percent; below it, Tesseract reads specks and lines as letters
_TIME_SHARE = 0.8  # of the document's time that recognition may take
_PAGE_TIMEOUT_S = 120
_SMALL_PIXELS = 1_500


@dataclass(frozen=True, slots=True)
class Recognised:
    """A page as it was read; no blocks where nothing legible stands on it."""

    blocks: tuple[Block, ...]
    confidence: float | None  # 0..1, the mean over the words


@dataclass(frozen=True, slots=True)
class _Token:
    place: tuple[int, int]  # block and paragraph
    line: int
    text: str
    confidence: float
    box: Box


class Recogniser:
    """Recognises pages of one document until its share of the time is used up."""

    def __init__(self, job: Job) -> None:
        self._tesseract: Tesseract | None = None
        if job.ocr:
            self._tesseract = installed_tesseract(job.ocr_languages)
        self._deadline = time.monotonic() + _TIME_SHARE * job.timeout_s
        self._skipped: list[int] = []
        self._asked = False
        self.dpi = job.ocr_dpi

    def page(self, image: Image.Image, number: int) -> Recognised | None:
        """Read an image of page `number`; None where that is impossible, which is noted."""
        self._asked = True
        left = self._deadline - time.monotonic()
        if self._tesseract is None or not self._tesseract.usable or left <= 0:
            self._skipped.append(number)
            return None
        try:
            tokens = list(_tokens(image, number, self._tesseract.languages, self.dpi, left))
        except (OSError, subprocess.SubprocessError):
            self._skipped.append(number)
            return None
        return _recognised(tokens)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not recognised and how to have it; empty where no page needed recognition."""
        if not self._asked:
            return ()
        found = []
        if self._skipped:
            found.append(f"{_pages(self._skipped)} not read: {self._reason()}")
        if self._tesseract and self._tesseract.usable and self._tesseract.missing:
            missing = ", ".join(self._tesseract.missing)
            found.append(f"Recognised without {missing}. {self._tesseract.way_out()}")
        return tuple(found)

    def _reason(self) -> str:
        if self._tesseract is None:
            return "recognition is off. Set SOVEREIGN_RAG_PARSE__OCR to true."
        if not self._tesseract.usable:
            return f"there is no text on the image. {self._tesseract.way_out()}"
        return "recognition took too long. Raise SOVEREIGN_RAG_PARSE__TIMEOUT_S."


def _pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    return f"Page {shown}" if len(numbers) == 1 else f"{len(numbers)} pages ({shown})"


def _tokens(
    image: Image.Image, number: int, languages: str, dpi: int, time_left_s: float
) -> Iterable[_Token]:
    grey = image.convert("L")
    if max(grey.size) < _SMALL_PIXELS:
        grey = grey.resize((grey.width * 2, grey.height * 2), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    grey.save(buffer, "PNG", compress_level=1)
    done = subprocess.run(
        ["tesseract", "stdin", "stdout", "-l", languages, "--dpi", str(dpi), "--psm", "3", "tsv"],
        input=buffer.getvalue(),
        capture_output=True,
        timeout=min(_PAGE_TIMEOUT_S, time_left_s),
        check=True,
    )
    # Columns: level page block paragraph line word left top width height confidence text
    for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) < 12 or cells[0] != "5" or float(cells[10]) < _LEAST_CONFIDENCE:
            continue
        text = one_line(cells[11])
        if not text:
            continue
        left, top, width, height = map(int, cells[6:10])
        box = Box(
            page=number,
            left=left / grey.width,
            top=top / grey.height,
            right=min(1.0, (left + width) / grey.width),
            bottom=min(1.0, (top + height) / grey.height),
        )
        place = int(cells[2]), int(cells[3])
        yield _Token(place, int(cells[4]), text, float(cells[10]) / 100, box)


def _recognised(tokens: list[_Token]) -> Recognised:
    paragraphs: dict[tuple[int, int], list[_Token]] = {}
    for token in tokens:
        paragraphs.setdefault(token.place, []).append(token)
    blocks = tuple(_paragraph(group) for group in paragraphs.values())
    if not tokens:
        return Recognised((), None)
    mean = math.fsum(token.confidence for token in tokens) / len(tokens)
    return Recognised(blocks, round(mean, 4))


def _paragraph(tokens: list[_Token]) -> Block:
    """Words joined by spaces; a word that was broken at a line's end is put together again."""
    text = ""
    words: list[Word] = []
    last_line = tokens[0].line
    for token in tokens:
        broken = token.line != last_line and text.endswith("-")
        if broken and is_broken(text[:-1], token.text):
            text = text[:-1]
            before = words[-1]
            words[-1] = Word(before.start, len(text), before.box)
        elif text:
            text += " "
        words.append(Word(len(text), len(text) + len(token.text), token.box))
        text += token.text
        last_line = token.line
    box = Box(
        page=tokens[0].box.page,
        left=min(t.box.left for t in tokens),
        top=min(t.box.top for t in tokens),
        right=max(t.box.right for t in tokens),
        bottom=max(t.box.bottom for t in tokens),
    )
    return Block(ElementKind.PARAGRAPH, text, words=tuple(words), box=box)
