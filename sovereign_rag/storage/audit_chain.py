"""The links of the audit record: lines that each carry the hash of the line before."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError

NO_HASH: Final = "0" * 64
"""What the first record carries as the hash of the one before."""

_BLOCK: Final = 1 << 16
_NOTABLE: Final = timedelta(seconds=1)  # by which a clock goes wrong and it is said


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry with its number in the log, from 1."""

    number: int
    entry: AuditEntry
    writer: str | None = None  # of another machine; None: this one wrote it


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How far a log has come: the number and the hash of its last record."""

    number: int
    hash: str
    at: datetime | None = field(default=None, compare=False)  # of the record, where it is known


@dataclass(frozen=True, slots=True)
class Link:
    """A line of the log: a record, and the hash of the line before."""

    record: AuditRecord
    prev: str
    is_timed: bool = True  # written since times follow the chain
    was: str | None = None  # the hash of the record that an erasure put this one in the place of


def in_time(entry: AuditEntry, last: ChainHead, ahead: timedelta = timedelta(0)) -> AuditEntry:
    """The entry with its time by the clock that all writers share, not before the last record's.

    A clock that goes wrong, or was set back, says so in `by`; until it has caught up with the last
    record, times stand still.

    Args:
        ahead: How far the shared clock is ahead of the one that the entry's time is of.
    """
    at = entry.at + ahead
    if last.at is not None and at < last.at:
        at = last.at
    elif abs(ahead) < _NOTABLE:
        return replace(entry, at=at) if ahead else entry
    clock = entry.at.astimezone(UTC).isoformat()
    return replace(entry, at=at, by={**entry.by, "clock": clock})


def record_line(entry: AuditEntry, number: int, prev: str) -> bytes:
    values = {
        "number": number,
        "prev": prev,
        "at": entry.at.astimezone(UTC).isoformat(),
        "action": entry.action,
        "tenant": entry.tenant,
        "principal": entry.principal,
        "by": dict(entry.by),
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


def link_of(line: bytes) -> Link | None:
    try:
        values = json.loads(line)
        entry = AuditEntry(
            at=datetime.fromisoformat(values["at"]),
            action=str(values["action"]),
            tenant=str(values["tenant"]),
            principal=str(values["principal"]),
            detail=dict(values["detail"]),
            by=dict(values.get("by", {})),
        )
        record = AuditRecord(int(values["number"]), entry)
        was = str(values["was"]) if "was" in values else None
        return Link(record, str(values["prev"]), is_timed="by" in values, was=was)
    except (ValueError, KeyError, TypeError):
        return None


def problem_of(link: Link | None, expected: ChainHead) -> str | None:
    if link is None:
        return "the line is no record"
    if link.record.number != expected.number + 1:
        return f"record {link.record.number} stands in its place"
    if link.prev != expected.hash:
        return "the record before it is not the one that it was written after"
    if link.is_timed and expected.at is not None and link.record.entry.at < expected.at:
        return "its time is before that of the record before it"
    return None


def hash_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def first_of(file: Path) -> int:
    return int(file.name.partition("-")[0])


def lines_of(file: Path) -> Iterator[bytes]:
    """The finished lines, without their ends; what a crash left behind the last is none."""
    with file.open("rb") as opened:
        for line in opened:
            if line.endswith(b"\n"):
                yield line[:-1]


def whole_part(file: Path) -> tuple[int, bytes | None]:
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
            if link_of(line) is not None:
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


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
