"""Who asked what, and what they were shown: an append-only record that shows tampering.

Each line of the log is one JSON object and carries the SHA-256 of the line before, so a line that
was changed, taken out or put in breaks the chain at its place. `head` beside the files says how
far the log has come, so that lines cut off at the end are missed too. Whoever can write the
folder could forge all of it: note the head that `verify` reports somewhere else, now and then.

    audit/000000000001-2026-03.jsonl    named by the first record and its month
    audit/head                          "number hash" of the last record
    audit/torn-000000000042.bin         what a crash left of a record, kept aside
"""

import logging
import os
import pwd
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Protocol

from filelock import FileLock, Timeout

from sovereign_rag.access import DEFAULT_TENANT, OWNER, Principal
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.domain import Passage
from sovereign_rag.errors import AuditError, EnvironmentFault
from sovereign_rag.storage.audit_anchor import Anchors, AuditAnchor, head_line, head_of
from sovereign_rag.storage.audit_chain import (
    NO_HASH,
    AuditRecord,
    ChainHead,
    first_of,
    hash_of,
    in_time,
    lines_of,
    link_of,
    record_line,
    sync_folder,
    whole_part,
)
from sovereign_rag.storage.audit_walk import CHECKPOINT, TRIMMED, AuditReport, Walk

log = logging.getLogger(__name__)

_WAIT_S: Final = 10.0
_FILE = re.compile(r"(\d{12})-\d{4}-\d{2}\.jsonl")


class AuditTrail(Protocol):
    """Where is recorded what is disclosed, before it is."""

    def append(self, entry: AuditEntry) -> None:
        """Record it durably. Raises AuditError; then nothing may be disclosed."""
        ...


def entry(action: str, principal: Principal, detail: Mapping[str, Any]) -> AuditEntry:
    """What `principal` does now. `detail` holds plain JSON types.

    Who acts is told with what they act by: the system's account for the owner, also when they look
    as somebody; groups and clearance of everybody else, their key and where they called from.
    """
    who = f"{OWNER} as {principal.label}" if principal.is_view else principal.label
    return AuditEntry(datetime.now(UTC), action, principal.tenant, who, detail, _by(principal))


def _by(principal: Principal) -> dict[str, Any]:
    by: dict[str, Any] = {}
    if principal.is_owner or principal.is_view:
        by["account"] = _account()
    if not principal.is_owner:
        by |= {"groups": sorted(principal.groups), "clearance": principal.clearance}
    by |= {name: value for name, value in asdict(principal.caller).items() if value is not None}
    return by


@cache
def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return str(os.geteuid())


def disclosed(passages: Sequence[Passage]) -> list[dict[str, object]]:
    """Which pieces of which documents were shown, without their text."""
    return [
        {
            "document": passage.chunk.document_id,
            "version": passage.chunk.version,
            "spans": [asdict(span) for span in passage.chunk.spans],
        }
        for passage in passages
    ]


class AuditLog:
    """The log of one data folder; several threads and processes may append to it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        anchors: Sequence[AuditAnchor] = (),
        max_bytes: int = 64 << 20,
    ) -> None:
        """Files begin anew each month and after `max_bytes`; the chain goes on over them.

        `anchors` note how far it has come, beside the log's own note.
        """
        self.anchors = Anchors(anchors)
        self._is_joined = False  # to what the anchors noted
        self.folder = data_dir / "audit"
        self._max_bytes = max_bytes
        self._threads = threading.RLock()
        self._lock = FileLock(
            self.folder / "lock", timeout=_WAIT_S, poll_interval=0.005, mode=0o600
        )

    def append(self, entry: AuditEntry) -> None:
        """Record `entry`; it is on the disk when this returns.

        What a crash left of an unfinished record is put aside first, and that is recorded too.

        Raises:
            AuditError: It could not be recorded; nothing that depends on it may happen.
        """
        with self.alone():
            last = self._mended(entry.at)
            self.anchors.note_soon(self._write(entry, last))

    def close(self) -> None:
        """Have the anchors note the last record."""
        try:
            self.anchors.note_now()
        except EnvironmentFault as problem:  # the next record is noted there in its stead
            log.warning("The audit record's last note could not be made: %s", problem)

    def checkpoint(
        self, entry: AuditEntry, sign: Callable[[ChainHead], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Record, and return, what `sign` makes of how far the log has come.

        Raises:
            AuditError: It can't be recorded.
        """
        with self.alone():
            last = self._mended(entry.at)
            made = sign(last)
            checkpoint = replace(entry, action=CHECKPOINT, detail=made)
            self.anchors.note_soon(self._write(checkpoint, last))
            return made

    def trim(
        self,
        before: date,
        entry: AuditEntry,
        sign: Callable[[ChainHead], Mapping[str, Any]] | None = None,
    ) -> int:
        """Remove the files of months that ended before a day; returns how many.

        Where the log then begins is on the record first, which makes it a beginning that `verify`
        takes; also where files of an earlier version were removed by hand.

        Args:
            entry: Who does it; its detail is made here.
            sign: Signs the record that comes before the first one that stays.

        Raises:
            AuditError: It can't be recorded; nothing is removed.
        """
        with self.alone():
            files = self.files()
            old = [file for file in files[:-1] if _month_of(file) < f"{before:%Y-%m}"]
            kept = files[len(old) :]
            if not kept:
                return 0
            link = next((link_of(line) for line in lines_of(kept[0])), None)
            first, prev = first_of(kept[0]), link.prev if link else NO_HASH
            detail = {
                **{"first": first, "prev": prev, "files": [file.name for file in old]},
                **({"signed": sign(ChainHead(first - 1, prev))} if sign is not None else {}),
            }
            trimmed = replace(entry, action=TRIMMED, detail=detail)
            self.anchors.note_soon(self._write(trimmed, self._mended(entry.at)))
            for file in old:
                file.unlink()
            sync_folder(self.folder)
            for place in self.anchors.copying:
                place.trimmed(first)
            return len(old)

    def read(self, *, after: int = 0) -> Iterator[AuditRecord]:
        """Records with numbers above `after`, oldest first, as they stand: see `verify`.

        Raises:
            AuditError: The log can't be read, or a line is no record.
        """
        files = self.files()
        with _in_our_words(self.folder):
            for file, following in zip_longest(files, files[1:]):
                if following is not None and first_of(following) <= after + 1:
                    continue
                for line in lines_of(file):
                    link = link_of(line)
                    if link is None:
                        raise AuditError(
                            f"{file} holds a line that is no record. Compare it with a backup."
                        )
                    if link.record.number > after:
                        yield link.record

    def verify(
        self,
        notes: Sequence[tuple[str, ChainHead]] = (),
        *,
        is_signed: Callable[[Mapping[str, Any]], bool] | None = None,
        stamped_at: Callable[[Mapping[str, Any]], datetime | None] | None = None,
    ) -> AuditReport:
        """Follow the chain from the first record to the last; appends wait meanwhile.

        Args:
            notes: What was noted of it elsewhere, such as by a syslog: where, and what.
            is_signed: Whether a checkpoint's signature is good; None: signatures are not looked at.
            stamped_at: The time of a good time stamp; None: stamps are not looked at.

        Raises:
            AuditError: The log can't be read.
        """
        with self.alone():
            walk = Walk([*self._noted(), *self.anchors.last(), *notes], is_signed, stamped_at)
            for file in self.files():
                for line in lines_of(file):
                    walk.step(first_of(file), line)
                    if walk.problem is not None:
                        return walk.report()
            walk.end(is_noted=self._noted_head() is not None)
            return walk.report()

    def extent(self) -> tuple[list[tuple[Path, int]], ChainHead]:
        """Its files with their sizes at this moment, and the last record then: to copy it."""
        with self.alone():
            return [(file, file.stat().st_size) for file in self.files()], self._found()[0]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread or process writes to the log; whoever is alone may append to it."""
        with _in_our_words(self.folder), self._threads:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise AuditError(
                    f"The audit log {self.folder} is held by another process for {_WAIT_S:.0f} s. "
                    "Look for one that hangs, then try again."
                ) from error
            try:
                yield
            finally:
                self._lock.release()

    def files(self) -> list[Path]:
        """In the order of their records."""
        return sorted(p for p in self.folder.glob("*.jsonl") if _FILE.fullmatch(p.name))

    def _mended(self, at: datetime) -> ChainHead:
        """What the next record is chained to, after what a crash or somebody did is recorded."""
        found, torn = self._found()
        last = max([found, *(head for _, head in self._noted_anywhere())], key=_number)
        is_gap, last = last.number > found.number, replace(last, at=found.at)
        for file, end in torn:
            kept = self._put_aside(file, end, last.number + 1)
            detail = {"file": file.name, "whole_bytes": end, "kept": kept.name}
            mending = AuditEntry(at, "audit.torn", DEFAULT_TENANT, "system", detail)
            last = self._write(mending, last)
        if is_gap:  # the chain goes on from what was noted, so the break stays for `verify`
            log.error("Audit records %d to %d are gone", found.number + 1, last.number)
            lost = {"found": found.number, "noted": last.number}
            gap = AuditEntry(at, "audit.gap", DEFAULT_TENANT, "system", lost)
            last = self._write(gap, last)
        return last

    def _found(self) -> tuple[ChainHead, list[tuple[Path, int]]]:
        """The last record, and files with the place where they are torn."""
        found, torn = ChainHead(0, NO_HASH), []
        for file in reversed(self.files()):
            end, line = whole_part(file)
            if file.stat().st_size > end:
                torn.append((file, end))
            if line is not None and (link := link_of(line)) is not None:
                found = ChainHead(link.record.number, hash_of(line), link.record.entry.at)
                break
        noted = self._noted_head()
        # A record that was changed stays a break: the chain goes on from what was written.
        if noted is not None and noted.number == found.number:
            found = replace(found, hash=noted.hash)
        return found, torn

    def _noted(self) -> list[tuple[str, ChainHead]]:
        head = self._noted_head()
        return [] if head is None else [("audit/head", head)]

    def _noted_anywhere(self) -> list[tuple[str, ChainHead]]:
        """Anchors are asked at this process's first record alone, and where the note is gone."""
        noted = self._noted()
        if self._is_joined and noted:
            return noted
        found = [*noted, *self.anchors.last()]
        self._is_joined = True
        return found

    def _put_aside(self, file: Path, end: int, number: int) -> Path:
        """Keep what stands behind `end` in a file of its own, then cut it off."""
        kept = self.folder / f"torn-{number:012d}.bin"
        with file.open("r+b") as opened:
            opened.seek(end)
            handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as aside:
                aside.write(opened.read())
                aside.flush()
                os.fsync(aside.fileno())
            opened.truncate(end)
            os.fsync(opened.fileno())
        return kept

    def _write(self, entry: AuditEntry, last: ChainHead) -> ChainHead:
        number, entry = last.number + 1, in_time(entry, last, self.anchors.ahead)
        line = record_line(entry, number, last.hash)
        file = self._file_for(number, entry.at)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            try:
                rest = memoryview(line + b"\n")
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                with suppress(OSError):  # else the next append puts aside what remains of it
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if size == 0:
            sync_folder(self.folder)  # the file's name, too, has to outlive a power cut
        head = ChainHead(number, hash_of(line), entry.at)
        self._note(head)
        return head

    def _file_for(self, number: int, at: datetime) -> Path:
        month = f"{at.astimezone(UTC):%Y-%m}"
        files = self.files()
        if files and files[-1].stem.endswith(month) and files[-1].stat().st_size < self._max_bytes:
            return files[-1]
        return self.folder / f"{number:012d}-{month}.jsonl"

    def _noted_head(self) -> ChainHead | None:
        try:
            return head_of((self.folder / "head").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _note(self, head: ChainHead) -> None:
        # Not forced to the disk: after a power cut it may be behind the log, never ahead of it.
        path = self.folder / "head"
        is_new = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, head_line(head), 0)
            if is_new:  # but that it is there, or was taken away, has to outlive one
                os.fsync(handle)
                sync_folder(self.folder)
        finally:
            os.close(handle)


def _number(head: ChainHead) -> int:
    return head.number


def _month_of(file: Path) -> str:
    return file.stem.partition("-")[2]


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AuditError(
            f"The audit log {folder} can't be used: {error.strerror or error}. What can't be "
            "recorded isn't released: free disk space, or give this user the right to write there."
        ) from error
