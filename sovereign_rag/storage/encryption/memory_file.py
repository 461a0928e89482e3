"""A file that is nowhere on a disk, for programs that want a path."""

import os
import weakref
from collections.abc import Iterable
from pathlib import Path, PosixPath

from sovereign_rag.errors import EnvironmentFault


class MemoryPath(PosixPath):
    """A path to a file in memory, which is gone when this object is."""


def in_memory(blocks: Iterable[bytes]) -> Path:
    """Write bytes into such a file. Raises EnvironmentFault: there is no room."""
    handle = os.memfd_create("content", os.MFD_CLOEXEC)
    path = MemoryPath(f"/proc/{os.getpid()}/fd/{handle}")
    weakref.finalize(path, os.close, handle)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.writelines(blocks)
    except OSError as error:
        raise EnvironmentFault(
            f"The original could not be opened in memory: {error.strerror}. Is there enough?"
        ) from error
    return path


def is_in_memory(folder: Path) -> bool:
    """Whether what is written to a folder never comes to a disk (swap aside)."""
    at, kind = "", ""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, of_kind = line.split(" ")[:3]
        if folder.resolve().is_relative_to(place) and len(place) >= len(at):
            at, kind = place, of_kind
    return kind in {"tmpfs", "ramfs"}
