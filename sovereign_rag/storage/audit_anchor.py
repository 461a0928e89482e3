"""Where it is noted how far the audit record has come, so that a cut of it is missed elsewhere.

Notes are made within a second of a record, and when the log is closed: a note of its own for each
record would make every search wait for a second disk.
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from sovereign_rag.catalog.audit_heads import WRITER, AuditHeads
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import batches
from sovereign_rag.errors import AuditError, EnvironmentFault
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit_chain import ChainHead, first_of
from sovereign_rag.storage.audit_syslog import SCHEMES, SyslogAnchor

_SOON_S: Final = 1.0


class AuditAnchor(Protocol):
    """A place beside the log that knows how far it has come."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def last(self) -> ChainHead | None:
        """What was noted last; None: nothing was, ever. Raises EnvironmentFault."""
        ...

    def note(self, head: ChainHead) -> None:
        """Note the last record. Raises EnvironmentFault."""
        ...


class CatalogAnchor:
    """In the catalog, by whose clock the records of several machines are put in one order."""

    where = "the catalog"

    def __init__(self, heads: AuditHeads, writer: str) -> None:
        self._heads, self.writer = heads, writer
        self.ahead = timedelta(0)
        """How far the catalog's clock was ahead of ours when it was last asked."""

    def last(self) -> ChainHead | None:
        self.ahead = self._heads.ahead()
        noted = self._heads.last(self.writer)
        return None if noted is None else ChainHead(*noted)

    def note(self, head: ChainHead) -> None:
        self.ahead = self._heads.ahead()
        self._heads.note(head.number, head.hash, self.writer)


class CopyingAnchor(CatalogAnchor):
    """And the lines themselves are copied there: so that other machines read this one's record."""

    def __init__(self, catalog: Catalog, writer: str, folder: Path) -> None:
        super().__init__(catalog.audit_heads, writer)
        self._copies, self._folder = catalog.audit_copies, folder
        self._read_to: tuple[Path, int, int, int] | None = None  # file, its inode, bytes, number

    def note(self, head: ChainHead) -> None:
        self.catch_up()  # first: what is noted is copied, too
        super().note(head)

    def catch_up(self) -> None:
        """Copy what is not copied yet."""
        for batch in batches(self._new_lines(self._copies.last(self.writer))):
            self._copies.add(self.writer, batch)

    def replace(self, lines: Iterable[tuple[int, bytes]]) -> None:
        """Put what an erasure left of lines in the place of their copies."""
        self.catch_up()  # else a process that is at it might copy one as it was, afterwards
        for batch in batches(lines):
            self._copies.replace(self.writer, batch)

    def trimmed(self, first: int) -> None:
        """The record begins with `first` now."""
        self._copies.drop_before(self.writer, first)

    def _new_lines(self, last: int) -> Iterator[tuple[int, bytes]]:
        files = sorted(self._folder.glob("*.jsonl"))
        for file, following in zip_longest(files, files[1:]):
            if following is not None and first_of(following) <= last + 1:
                continue
            with file.open("rb") as opened:
                inode = os.fstat(opened.fileno()).st_ino
                opened.seek(self._known_to(file, inode, last))
                for line in opened:
                    if not line.endswith(b"\n"):
                        break  # it is being written, or is torn
                    number = int(json.loads(line)["number"])
                    if number > last:
                        yield number, line[:-1]
                    self._read_to = file, inode, opened.tell(), number

    def _known_to(self, file: Path, inode: int, last: int) -> int:
        """Up to which byte of a file everything is copied, as far as this process knows."""
        if self._read_to is None or self._read_to[:2] != (file, inode) or self._read_to[3] > last:
            return 0
        return self._read_to[2]


class FileAnchor:
    """In a file elsewhere: on another disk, or on another machine's."""

    def __init__(self, path: Path) -> None:
        self._path, self.where = path, str(path)

    def last(self) -> ChainHead | None:
        try:
            return head_of(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise AuditError(
                f"The anchor {self._path} of the audit record can't be read: {error}. Restore it, "
                "or correct audit.anchor."
            ) from error

    def note(self, head: ChainHead) -> None:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(handle, head_line(head), 0)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise AuditError(
                f"The anchor {self._path} of the audit record can't be written: {error.strerror}. "
                "Give this user the right to, or correct audit.anchor."
            ) from error


def anchors_of(settings: Settings, catalog: Catalog | None) -> list[AuditAnchor]:
    """The places that the settings name; `catalog` is left out where it was never made."""
    anchors: list[AuditAnchor] = []
    if catalog is not None:
        anchors.append(_of_catalog(catalog, settings))
    anchor = settings.audit.anchor
    if anchor is not None:
        is_syslog = urlsplit(anchor).scheme in SCHEMES
        folder = settings.data_dir / "audit"
        anchors.append(SyslogAnchor(anchor, folder) if is_syslog else FileAnchor(Path(anchor)))
    return anchors


def _of_catalog(catalog: Catalog, settings: Settings) -> CatalogAnchor:
    """Where there is one machine alone, nobody needs a copy."""
    writer = settings.audit.writer
    if writer == WRITER and not set(catalog.audit_heads.writers()) - {writer}:
        return CatalogAnchor(catalog.audit_heads, writer)
    return CopyingAnchor(catalog, writer, settings.data_dir / "audit")


def head_line(head: ChainHead) -> bytes:
    """As it stands in a file: of one length, so that it is written over in one go."""
    return f"{head.number:012d} {head.hash}\n".encode("ascii")


def head_of(line: str) -> ChainHead:
    """The reverse of `head_line`. Raises ValueError."""
    number, _, hash_ = line.strip().partition(" ")
    if len(hash_) != 64:
        raise ValueError("no number and hash stand in it")
    return ChainHead(int(number), hash_)


class Anchors:
    """The places where a log is noted; written to soon after a record, by a thread of their own."""

    def __init__(self, places: Sequence[AuditAnchor]) -> None:
        self._places = tuple(places)
        self._guard = threading.Lock()
        self._head: ChainHead | None = None  # still to be noted
        self._timer: threading.Timer | None = None
        self._has_failed = False

    @property
    def ahead(self) -> timedelta:
        """How far the clock that all writers go by is ahead of this machine's."""
        shared = [place.ahead for place in self._places if isinstance(place, CatalogAnchor)]
        return shared[0] if shared else timedelta(0)

    @property
    def writer(self) -> str | None:
        """What the record is called in the catalog; None: it stands by itself."""
        return next((p.writer for p in self._places if isinstance(p, CatalogAnchor)), None)

    @property
    def copying(self) -> Iterator[CopyingAnchor]:
        """Those that hold copies of its lines."""
        return (place for place in self._places if isinstance(place, CopyingAnchor))

    def last(self) -> list[tuple[str, ChainHead]]:
        """Each place that has a note, with it. Raises EnvironmentFault."""
        found = ((place.where, place.last()) for place in self._places)
        return [(where, head) for where, head in found if head is not None]

    def note_soon(self, head: ChainHead) -> None:
        """Note it within a second; at once where the last note failed.

        Raises:
            EnvironmentFault: That fails again.
        """
        if not self._places:
            return
        with self._guard:
            self._head = head
            has_failed, self._has_failed = self._has_failed, False
            if not has_failed and self._timer is None:
                self._timer = threading.Timer(_SOON_S, self._try_to_note)
                self._timer.daemon = True
                self._timer.start()
        if has_failed:
            try:
                self.note_now()
            except EnvironmentFault:
                self._has_failed = True
                raise

    def note_now(self) -> None:
        """Note what is still to be. Raises EnvironmentFault."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, head, self._head = None, self._head, None
        if head is not None:
            for place in self._places:
                place.note(head)

    def _try_to_note(self) -> None:
        try:
            self.note_now()
        except EnvironmentFault:  # the next record is refused, where it fails again
            self._has_failed = True
