"""Who asked what, and what they were shown: an append-only record that shows tampering.

Each line of the log is one JSON object and carries the SHA-256 of the line before, so a line that
was changed, taken out or put in breaks the chain at its place. `head` beside the files says how
far the log has come, so that lines cut off at the end are missed too. Whoever can write the
folder could forge all of it: note the head that `verify` reports somewhere else, now and then.

    audit/000000000001-2026-03.jsonl    named by the first record and its month
    audit/head                          "number hash" of the last record
    audit/torn-000000000042.bin         what a crash left of a record, kept aside
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from filelock import FileLock, Timeout

from sovereign_rag.access import DEFAULT_TENANT, Principal
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.domain import Passage
from sovereign_rag.errors import AuditError

NO_HASH: Final = "0" * 64
"""What the first record carries as the hash of the one before."""

_WAIT_S: Final = 10.0
_BLOCK: Final = 1 << 16
_FILE = re.compile(r"(\d{12})-\d{4}-\d{2}\.jsonl")


class AuditTrail(Protocol):
    """Where is recorded what is disclosed, before it is."""

    def append(self, entry: AuditEntry) -> None:
        """Record it durably. Raises AuditError; then nothing may be disclosed."""
        ...


def entry(action: str, principal: Principal, detail: Mapping[str, Any]) -> AuditEntry:
    """What `principal` does now. `detail` holds plain JSON types."""
    return AuditEntry(datetime.now(UTC), action, principal.tenant, principal.label, detail)


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


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry with its number in the log, from 1."""

    number: int
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log has come: the number and the hash of its last record."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the whole log found."""

    first: int  # above 1: older files were removed
    head: Head
    broken_at: int | None  # number of the first record that isn't what it was
    problem: str | None  # what is wrong there

    @property
    def ok(self) -> bool:
        return self.problem is None


class AuditLog:
    """The log of one data folder; several threads and processes may append to it."""

    def __init__(self, data_dir: Path, *, max_bytes: int = 64 << 20) -> None:
        """Files begin anew each month and after `max_bytes`; the chain goes on over them."""
        self.folder = data_dir / "audit"
        self._max_bytes = max_bytes
        self._threads = threading.Lock()
        self._lock = FileLock(
            self.folder / "lock", timeout=_WAIT_S, poll_interval=0.005, mode=0o600
        )

    def append(self, entry: AuditEntry) -> None:
        """Record `entry`; it is on the disk when this returns.

        What a crash left of an unfinished record is put aside first, and that is recorded too.

        Raises:
            AuditError: It could not be recorded; nothing that depends on it may happen.
        """
        with self._alone():
            last, torn = self._last()
            for file, end in torn:
                kept = self._put_aside(file, end, last.number + 1)
                detail = {"file": file.name, "whole_bytes": end, "kept": kept.name}
                mending = AuditEntry(entry.at, "audit.torn", DEFAULT_TENANT, "system", detail)
                last = self._write(mending, last)
            self._write(entry, last)

    def read(self, *, after: int = 0) -> Iterator[AuditRecord]:
        """Records with numbers above `after`, oldest first, as they stand: see `verify`.

        Raises:
            AuditError: The log can't be read, or a line is no record.
        """
        files = self._files()
        with _in_our_words(self.folder):
            for file, following in zip_longest(files, files[1:]):
                if following is not None and _first_of(following) <= after + 1:
                    continue
                for line in _lines(file):
                    link = _link(line)
                    if link is None:
                        raise AuditError(
                            f"{file} holds a line that is no record. Compare it with a backup."
                        )
                    if link.record.number > after:
                        yield link.record

    def verify(self) -> AuditReport:
        """Follow the chain from the first record to the last; appends wait meanwhile.

        Raises:
            AuditError: The log can't be read.
        """
        with self._alone():
            first, last = 1, Head(0, NO_HASH)
            for file in self._files():
                for line in _lines(file):
                    link = _link(line)
                    if last.number == 0:  # older files may have been removed, not their lines
                        first = _first_of(file)
                        expected = Head(first - 1, link.prev if link and first > 1 else NO_HASH)
                    else:
                        expected = last
                    problem = _problem(link, expected)
                    if problem is not None:
                        return AuditReport(first, last, expected.number + 1, problem)
                    last = Head(expected.number + 1, _hash(line))
            noted = self._noted_head() or last
            if noted.number > last.number:
                cut = f"{noted.number} records were written, the log ends after {last.number}"
                return AuditReport(first, last, last.number + 1, cut)
            if noted.number == last.number and noted != last:
                return AuditReport(
                    first, last, last.number, "it is not the record that was written"
                )
            return AuditReport(first, last, None, None)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process writes to the log."""
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

    def _files(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("*.jsonl") if _FILE.fullmatch(p.name))

    def _last(self) -> tuple[Head, list[tuple[Path, int]]]:
        """What the next record is to be chained to, and files with the place where they are torn.

        Where the log ends before what `head` noted, or with another record, lines were cut off
        or changed: the chain goes on from what was noted, so the break stays for `verify`.
        """
        found, torn = Head(0, NO_HASH), []
        for file in reversed(self._files()):
            end, line = _whole(file)
            if file.stat().st_size > end:
                torn.append((file, end))
            if line is not None and (link := _link(line)) is not None:
                found = Head(link.record.number, _hash(line))
                break
        noted = self._noted_head()
        behind = noted is None or noted.number < found.number  # a crash came before it was noted
        return (found if behind or noted is None else noted), torn

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

    def _write(self, entry: AuditEntry, last: Head) -> Head:
        number = last.number + 1
        line = _line(entry, number, last.hash)
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
            _sync_folder(self.folder)  # the file's name, too, has to outlive a power cut
        head = Head(number, _hash(line))
        self._note(head)
        return head

    def _file_for(self, number: int, at: datetime) -> Path:
        month = f"{at.astimezone(UTC):%Y-%m}"
        files = self._files()
        if files and files[-1].stem.endswith(month) and files[-1].stat().st_size < self._max_bytes:
            return files[-1]
        return self.folder / f"{number:012d}-{month}.jsonl"

    def _noted_head(self) -> Head | None:
        try:
            number, _, hash_ = (self.folder / "head").read_text(encoding="ascii").partition(" ")
            return Head(int(number), hash_.strip())
        except (FileNotFoundError, ValueError):
            return None

    def _note(self, head: Head) -> None:
        # Not forced to the disk: after a power cut it may be behind the log, never ahead of it.
        handle = os.open(self.folder / "head", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, f"{head.number:012d} {head.hash}\n".encode("ascii"), 0)
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Link:
    """A line of the log: a record, and the hash of the line before."""

    record: AuditRecord
    prev: str


def _line(entry: AuditEntry, number: int, prev: str) -> bytes:
    values = {
        "number": number,
        "prev": prev,
        "at": entry.at.astimezone(UTC).isoformat(),
        "action": entry.action,
        "tenant": entry.tenant,
        "principal": entry.principal,
        "detail": dict(entry.detail),
    }
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise AuditError(
            f"The audit entry {entry.action!r} holds what JSON can't say: {error}. This is a "
            "defect of the product; please report it."
        ) from error
    # A lone surrogate in a question becomes \\udXXX, which is how JSON itself writes it.
    return text.encode("utf-8", "backslashreplace")


def _link(line: bytes) -> _Link | None:
    try:
        values = json.loads(line)
        entry = AuditEntry(
            at=datetime.fromisoformat(values["at"]),
            action=str(values["action"]),
            tenant=str(values["tenant"]),
            principal=str(values["principal"]),
            detail=dict(values["detail"]),
        )
        return _Link(AuditRecord(int(values["number"]), entry), str(values["prev"]))
    except (ValueError, KeyError, TypeError):
        return None


def _problem(link: _Link | None, expected: Head) -> str | None:
    if link is None:
        return "the line is no record"
    if link.record.number != expected.number + 1:
        return f"record {link.record.number} stands in its place"
    if link.prev != expected.hash:
        return "the record before it is not the one that it was written after"
    return None


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _first_of(file: Path) -> int:
    return int(file.name.partition("-")[0])


def _lines(file: Path) -> Iterator[bytes]:
    """The finished lines, without their ends; what a crash left behind the last is none."""
    with file.open("rb") as opened:
        for line in opened:
            if line.endswith(b"\n"):
                yield line[:-1]


def _whole(file: Path) -> tuple[int, bytes | None]:
    """Where the whole records of a file end, and the last of them.

    After a power cut the last line may be finished and yet hold nothing but zeros.

    Raises:
        AuditError: The last two lines are no records, which is nothing that a crash does.
    """
    with file.open("rb") as opened:
        end = _line_start(opened, opened.seek(0, os.SEEK_END))
        for _ in range(2):
            if end == 0:
                return 0, None
            start = _line_start(opened, end - 1)
            opened.seek(start)
            line = opened.read(end - 1 - start)
            if _link(line) is not None:
                return end, line
            end = start
    raise AuditError(
        f"The last lines of {file} are damaged. Restore the file from a backup, or move it away: "
        "the gap stays visible in the numbers."
    )


def _line_start(opened: BinaryIO, position: int) -> int:
    """The offset behind the last line break before `position`, 0 where there is none."""
    while position > 0:
        start = max(0, position - _BLOCK)
        opened.seek(start)
        found = opened.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AuditError(
            f"The audit log {folder} can't be used: {error.strerror or error}. What can't be "
            "recorded isn't released: free disk space, or give this user the right to write there."
        ) from error
