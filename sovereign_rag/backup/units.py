"""Files and folders of files as what a backup's tree is made of: names, lengths, and pieces."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sovereign_rag.backup.repository import PieceWriter

_BLOCK: Final = 1 << 20


def file_unit(writer: PieceWriter, path: Path, name: str, size: int | None) -> dict[str, Any]:
    """One file as a unit; of one that others append to, the first `size` bytes."""
    length = path.stat().st_size if size is None else size
    return {"files": [[name, length, 0o600]], "pieces": writer.put(_blocks(path, length))}


def folder_unit(writer: PieceWriter, folder: Path, below: str) -> dict[str, Any] | None:
    """A folder of small files as one stream; None: it is gone."""
    listed: list[list[Any]] = []

    def stream() -> Iterator[bytes]:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.name.startswith("."):  # one that is being written
                continue
            length = path.stat().st_size
            listed.append([f"{below}/{path.relative_to(folder)}", length, 0o600])
            yield from _blocks(path, length)

    try:
        pieces = writer.put(stream())
    except FileNotFoundError:
        return None
    return {"files": listed, "pieces": pieces} if listed else None


def _blocks(path: Path, length: int) -> Iterator[bytes]:
    """The first `length` bytes of a file; the file may have grown since. Raises OSError."""
    with path.open("rb") as file:
        rest = length
        while rest:
            block = file.read(min(_BLOCK, rest))
            if not block:
                raise FileNotFoundError(os.strerror(2))
            rest -= len(block)
            yield block
