"""The program Tesseract: which languages this machine has for it, and what it sees."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from PIL import Image

from sovereign_rag.system.tesseract import installed_recogniser, own_data

_LEAST_SURE_OF_TURN = 1.0  # Tesseract's orientation confidence, 0 to about 15
_TURN = re.compile(r"Rotate: (\d+)")
_SURE = re.compile(r"Orientation confidence: ([\d.]+)")
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "de": "deu",
        "en": "eng",
        "es": "spa",
        "fr": "fra",
        "it": "ita",
        "nl": "nld",
        "pt": "por",
        "pl": "pol",
        "sv": "swe",
        "da": "dan",
        "cs": "ces",
        "ro": "ron",
        "hu": "hun",
        "fi": "fin",
        "el": "ell",
        "ru": "rus",
        "uk": "ukr",
        "ar": "ara",
        "zh": "chi_sim",
    }
)
_NOT_LATIN: Final = frozenset({"ell", "rus", "ukr", "ara", "chi_sim"})


@dataclass(frozen=True, slots=True)
class Tesseract:
    """`version` is "" where the program is missing; `languages` is joined by +."""

    version: str
    languages: str
    missing: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return bool(self.version and self.languages)

    @property
    def first(self) -> str:
        """The language to begin with where nothing tells one: English reads all Latin letters."""
        languages = self.languages.split("+")
        return "eng" if "eng" in languages else languages[0]

    def code(self, language: str | None) -> str | None:
        """Tesseract's code for an ISO 639-1 code; None where that language is not there."""
        found = _CODES.get(language or "")
        return found if found in self.languages.split("+") else None

    @property
    def of_other_scripts(self) -> tuple[str, ...]:
        """Those of the languages that are not written in Latin letters."""
        return tuple(code for code in self.languages.split("+") if code in _NOT_LATIN)

    def way_out(self) -> str:
        """How to get what is missing; "" where nothing is."""
        packages = [f"tesseract-ocr-{language}" for language in self.missing]
        if not self.version:
            packages.insert(0, "tesseract-ocr")
        return f"Install {' '.join(packages)}, and ingest again." if packages else ""


@dataclass(frozen=True, slots=True)
class Sighted:
    """A word as Tesseract reports it."""

    block: int
    paragraph: int
    line: int
    text: str
    confidence: float  # 0..1
    pixels: tuple[int, int, int, int]  # left, top, right, bottom


@lru_cache
def installed_tesseract(wanted: str) -> Tesseract:
    """What is there of `wanted`, Tesseract's language codes joined by +."""
    languages = wanted.split("+")
    if shutil.which("tesseract") is None:
        return Tesseract("", "", tuple(languages))
    try:
        found = installed_recogniser()
    except (OSError, subprocess.SubprocessError):
        return Tesseract("", "", tuple(languages))
    version, present = found.version, found.languages
    usable = [language for language in languages if language in present]
    missing = tuple(language for language in languages if language not in present)
    return Tesseract(version, "+".join(usable), missing)


def sighted(
    image: Image.Image, languages: str, *, dpi: int, mode: int, timeout_s: float
) -> Iterator[Sighted]:
    """The words on a picture, in Tesseract's reading order.

    Args:
        image: Grey.
        languages: Tesseract's codes, joined by +.
        dpi: Resolution; Tesseract takes heights of letters from it.
        mode: Page segmentation: 3 looks for blocks of text, 11 for words wherever they stand.
        timeout_s: After this many seconds the program is killed.

    Raises:
        OSError, subprocess.SubprocessError: It could not be run, failed, or took too long.
    """
    arguments = ["-l", languages, "--dpi", str(dpi), "--psm", str(mode), "tsv"]
    # Columns: level page block paragraph line word left top width height confidence text
    for row in _seen(image, arguments, timeout_s).splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) < 12 or cells[0] != "5" or float(cells[10]) < 0:
            continue
        block, paragraph, line = map(int, cells[2:5])
        left, top, width, height = map(int, cells[6:10])
        pixels = (left, top, left + width, top + height)
        yield Sighted(block, paragraph, line, cells[11], float(cells[10]) / 100, pixels)


def quarters_to_upright(image: Image.Image, timeout_s: float) -> int:
    """How many quarter turns against the clock make the text upright; 0 where it can't tell."""
    try:
        said = _seen(image, ["-l", "osd", "--psm", "0"], timeout_s)
    except subprocess.CalledProcessError:
        return 0  # too few letters, or Debian's tesseract-ocr-osd is missing
    turn, sure = _TURN.search(said), _SURE.search(said)
    if turn is None or sure is None or float(sure.group(1)) < _LEAST_SURE_OF_TURN:
        return 0
    return (-int(turn.group(1)) // 90) % 4  # it says degrees with the clock


def _seen(image: Image.Image, arguments: list[str], timeout_s: float) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    done = subprocess.run(
        ["tesseract", "stdin", "stdout", *own_data(), *arguments],
        input=buffer.getvalue(),
        capture_output=True,
        timeout=timeout_s,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")
