"""`report.pdf.meta.json` beside `report.pdf`: what is said of a document, as uploads take it.

    {"title": "Budget 2026", "author": "Ana Ruiz", "date": "2026-01-31", "tags": ["budget"],
     "address": "https://intranet.example/budget", "fields": {"department": "finance"},
     "language": "fr"}

It is no document itself, and never says who may read.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from ingest.sources.source import Entry, LeftOut
from sovereign_rag.errors import BadInput, DocumentError
from sovereign_rag.metadata import NOTHING_STATED, Stated

log = logging.getLogger(__name__)

SUFFIX: Final = ".meta.json"
MAX_BYTES: Final = 64 * 1024

_Said = TypeVar("_Said")
Reader = Callable[[bytes], Stated]
"""What such a file says. Raises BadInput: what is wrong with it, by field."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the file beside a document says, if it says anything new."""

    stated: Stated | None  # None: nothing new
    told_by: str | None  # to be compared with the next time; None: there is no such file


@dataclass(frozen=True, slots=True)
class WrongFile:
    """One that is not understood; its document is taken in without it."""

    key: str
    problem: str


@dataclass
class FilesBeside:
    """Those of one listing."""

    files: Mapping[str, Entry]  # by the document's key
    blocks: Callable[[Entry], Iterable[bytes]]
    read: Reader
    wrong: list[WrongFile] = field(default_factory=list)

    def of(self, key: str, before: str | None) -> Told:
        """What is said of a document now.

        Args:
            before: The `told_by` of the last time; None: nothing was said.

        Raises:
            EnvironmentFault: The source can't be reached.
        """
        file = self.files.get(key)
        if file is None:
            return Told(None if before is None else NOTHING_STATED, None)
        known_hash, _, known_stamp = (before or "").partition("|")
        if file.stamp and known_stamp == file.stamp:
            return Told(None, before)
        try:
            content = first_bytes(self.blocks(file))
            content_hash = hashlib.sha256(content).hexdigest()
            told_by = f"{content_hash}|{file.stamp}"
            if content_hash == known_hash:
                return Told(None, told_by)
            return Told(self.read(content), told_by)
        except (BadInput, DocumentError) as error:
            self.wrong.append(WrongFile(file.key, str(error)))
            return Told(None, before)  # what was said before stays, and it is looked at again


def first_bytes(blocks: Iterable[bytes]) -> bytes:
    """The content of a small file. Raises BadInput: it is not small."""
    content = b""
    for block in blocks:
        content += block
        if len(content) > MAX_BYTES:
            raise BadInput(f"it has more than {MAX_BYTES >> 10} KiB; say less")
    return content


def said_beside(
    file: Path | None, read: Callable[[bytes], _Said], wrong: list[WrongFile]
) -> _Said | None:
    """What such a file of this machine says, if there is one; what is wrong with it is told."""
    if file is None:
        return None
    try:
        return read(_small_content(file))
    except BadInput as error:
        log.warning("%s is passed over: %s", file, error)
        wrong.append(WrongFile(str(file), str(error)))
        return None


def _small_content(path: Path) -> bytes:
    """Such a file of this machine. Raises BadInput: it can't be read, or is no small one."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return first_bytes([file.read(MAX_BYTES + 1)])
    except OSError as error:
        raise BadInput(f"it can't be read: {error.strerror}") from error


def parted(entries: Iterable[Entry]) -> tuple[list[Entry], dict[str, Entry], list[LeftOut]]:
    """Documents, the files beside them by the document's key, and such files beside nothing."""
    found = {entry.key: entry for entry in entries}
    documents, files, alone = [], {}, []
    for key, entry in found.items():
        about = key.removesuffix(SUFFIX)
        if about == key or about.endswith("/") or not about:
            documents.append(entry)
        elif about in found and not about.endswith(SUFFIX):
            files[about] = entry
        else:
            alone.append(LeftOut(key, "beside nothing"))
    return documents, files, alone


def beside(path: Path) -> Path | None:
    """The file beside a file of this machine, if there is one; a link is none."""
    file = path.with_name(f"{path.name}{SUFFIX}")
    return file if file.is_file() and not file.is_symlink() else None
