"""What comes out of archives, received: they are taken apart in a confined process."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from ingest.parse.archive import ArchiveLimits, Contents, UnpackedFile, may_be_archive
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ArchiveSettings
from sovereign_rag.storage.content import ContentStore, Received

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file out of an archive."""

    path: str  # within the archive, "/" between folders; safe, and no two are the same
    name: str
    content_hash: str | None  # None: it could not be taken out
    failure: str | None = None
    modified: datetime | None = None


@dataclass
class Expansion:
    """What came out of one archive; its bytes count for nothing until they are kept."""

    members: list[Member] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    left_out: int = 0  # hidden files and links


class ArchiveOpener(Protocol):
    """Takes archives apart, in processes that may fail; the parser's."""

    def unpack(
        self,
        path: Path,
        *,
        name: str,
        limits: ArchiveLimits,
        cancel: threading.Event | None = None,
    ) -> AbstractContextManager[tuple[Path, Contents | None]]: ...


class Expander:
    """Takes archives apart and receives what they hold."""

    def __init__(
        self,
        content: ContentStore,
        opener: ArchiveOpener,
        settings: ArchiveSettings,
        *,
        max_bytes: int,
    ) -> None:
        """`max_bytes` is the size above which a single file is refused."""
        self._content, self._opener, self._max_bytes = content, opener, max_bytes
        self._limits = ArchiveLimits(**settings.model_dump(), max_bytes=max_bytes)

    def expand(
        self,
        path: Path,
        name: str,
        *,
        check: Callable[[], None] = lambda: None,
        cancel: threading.Event | None = None,
    ) -> Expansion | None:
        """Take out everything; None: it is no archive.

        Args:
            check: Called at each file; it may raise.
            cancel: Once it is set, the process that takes it apart is killed.

        Raises:
            DocumentError: A limit was passed, or there is nothing in it; nothing is kept.
            ParserUnavailable: The process can't be started, or lacks a protection.
        """
        if not may_be_archive(path, name):
            return None
        try:
            with self._opener.unpack(path, name=name, limits=self._limits, cancel=cancel) as made:
                folder, contents = made
                return None if contents is None else self._received(folder, contents, check)
        except DocumentError:
            check()  # what was cancelled is the lease's end, not the archive's
            raise

    def _received(self, folder: Path, contents: Contents, check: Callable[[], None]) -> Expansion:
        found = Expansion(left_out=contents.left_out)
        try:
            for member in contents.members:
                check()
                found.members.append(self._member(folder, member, found.received))
        except BaseException:  # a lost lease or an interrupt: what was unpacked goes
            for received in found.received:
                self._content.drop(received)
            raise
        return found

    def _member(self, folder: Path, member: UnpackedFile, received: list[Received]) -> Member:
        if member.file is None:
            return Member(member.path, member.name, None, failure=member.failure)
        with _opened(folder / str(member.file)) as file:
            received.append(self._content.receive(_blocks(file), max_bytes=self._max_bytes))
        modified = datetime.fromisoformat(member.modified) if member.modified else None
        return Member(member.path, member.name, received[-1].content_hash, modified=modified)


def _opened(path: Path) -> BinaryIO:
    """A file that a confined process wrote: it may have been taken over, so no link is followed."""
    problem = DocumentError("crashed", "The archive gave what is no file, which looks hostile.")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise problem from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise problem
    return os.fdopen(handle, "rb")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
