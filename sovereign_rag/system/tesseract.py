"""The program Tesseract and the data that it recognises languages by, as this machine has them."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 20
_FOLDER: Final = re.compile(r'^List of available languages in "(.+?)"')


@dataclass(frozen=True, slots=True)
class Recogniser:
    """What the program says of itself."""

    version: str
    languages: frozenset[str]  # by its codes
    folder: Path | None  # of their data; None: a version that doesn't say


def installed_recogniser() -> Recogniser:
    """Raises OSError, subprocess.SubprocessError: it is not there, or fails."""
    first, *listed = _said("--list-langs").splitlines() or [""]
    version = _said("--version").split("\n", 1)[0].removeprefix("tesseract ").strip()
    told = _FOLDER.match(first)
    return Recogniser(
        version, frozenset(word.strip() for word in listed), Path(told[1]) if told else None
    )


def data_of(prefix: Path) -> list[str]:
    """Arguments that name Tesseract's data where an offline bundle brought it into a `prefix`."""
    own = prefix / "tessdata"
    return ["--tessdata-dir", str(own)] if own.is_dir() else []


def own_data() -> list[str]:
    """As `data_of`, for the environment that this process runs in."""
    return data_of(Path(sys.prefix))


def _said(argument: str) -> str:
    done = subprocess.run(
        ["tesseract", *own_data(), argument],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    return done.stdout or done.stderr
