"""Files and folders on disk."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sovereign_rag.errors import BadInput

_LEFT_OUT = {"Thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to be ingested."""

    path: Path  # absolute, as it was reached
    uri: str  # "file://" and the absolute path, unescaped, so that a person can read it
    modified: float  # seconds since the epoch


def find_files(paths: Sequence[Path]) -> list[FoundFile]:
    """The files named, and those in the folders named, recursively; sorted, none twice.

    Hidden files and folders, editors' lock files and what a symbolic link inside a folder leads to
    are left out: a link could lead anywhere. A file that is named itself is taken as it is.

    Raises:
        BadInput: A path does not exist, or there is nothing to ingest at all.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise BadInput(f"Not there: {', '.join(missing)}. Check the spelling.")
    found: dict[str, FoundFile] = {}
    for path in paths:
        for file in _walk(path) if path.is_dir() else [path]:
            absolute = Path(os.path.abspath(file))
            uri = f"file://{absolute}"
            found[uri] = FoundFile(absolute, uri, file.stat().st_mtime)
    if not found:
        raise BadInput(f"No files in {', '.join(str(path) for path in paths)}.")
    return [found[uri] for uri in sorted(found)]


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            hidden = name.startswith((".", "~$")) or name in _LEFT_OUT
            if not hidden and path.is_file() and not path.is_symlink():
                yield path
