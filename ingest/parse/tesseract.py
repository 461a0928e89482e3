"""Which Tesseract is on this machine, and which of the languages asked for it has."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Tesseract:
    """`version` is "" where the program is missing; `languages` is joined by +."""

    version: str
    languages: str
    missing: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return bool(self.version and self.languages)

    def way_out(self) -> str:
        """How to get what is missing; "" where nothing is."""
        packages = [f"tesseract-ocr-{language}" for language in self.missing]
        if not self.version:
            packages.insert(0, "tesseract-ocr")
        return f"Install {' '.join(packages)}, and ingest again." if packages else ""


@lru_cache
def installed_tesseract(wanted: str) -> Tesseract:
    """What is there of `wanted`, Tesseract's language codes joined by +."""
    languages = wanted.split("+")
    if shutil.which("tesseract") is None:
        return Tesseract("", "", tuple(languages))
    try:
        version = _output("--version").split("\n", 1)[0].removeprefix("tesseract ").strip()
        present = set(_output("--list-langs").split())
    except (OSError, subprocess.SubprocessError):
        return Tesseract("", "", tuple(languages))
    usable = [language for language in languages if language in present]
    missing = tuple(language for language in languages if language not in present)
    return Tesseract(version, "+".join(usable), missing)


def _output(argument: str) -> str:
    done = subprocess.run(
        ["tesseract", argument], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    return done.stdout or done.stderr
