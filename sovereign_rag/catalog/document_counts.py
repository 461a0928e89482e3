"""Every document as a row of numbers, so that counts of anybody's are made within milliseconds.

The rows are kept in memory, 32 bytes each, and only those that changed are read again: each change
of a document or of its readers writes, in the same transaction, a greater number beside the
beginning of the document's id, whichever process makes it.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    String,
    Table,
    or_,
    select,
)

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.catalog.tables import document_readers, documents, metadata

document_buckets = Table(
    "document_buckets",
    metadata,
    Column("bucket", String(3), primary_key=True),  # how ids begin
    Column("number", BigInteger, nullable=False),
    Index("ix_document_buckets_number", "number"),
)
"""Written by the database itself with each change of a document or its readers."""

_PREFIX: Final = 3
_MOST_ANEW: Final = 400
_AT_ONCE: Final = 50  # buckets a statement
_HEX: Final = "0123456789abcdef"
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROW: Final = np.dtype(
    [(name, np.int32) for name in ("tenant", "labels", "level", "folder", "type", "language")]
    + [("updated", np.int64)]
)
_Rows = np.ndarray[Any, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of documents that can be searched; by value, the most frequent first."""

    total: int
    newest: datetime | None  # when the last one came in
    folders: Mapping[str, int]  # by URI, with its last "/"
    media_types: Mapping[str, int]
    languages: Mapping[str, int]


class _Numbers(Generic[T]):
    """Values as small numbers, in the order in which they were met."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._known: dict[T, int] = {}

    def of(self, value: T) -> int:
        number = self._known.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class DocumentCounts:
    """All documents that can be searched, of all tenants, as of the newest look."""

    def __init__(self, *, most_anew: int = _MOST_ANEW) -> None:
        """Where more than `most_anew` beginnings of ids have changes, everything is read anew."""
        self._lock, self._most_anew = threading.Lock(), most_anew
        self._forget()

    def follow(self, connection: Connection) -> None:
        """Read what changed since the last look."""
        with self._lock:
            self._follow(connection)

    def of(self, scope: ReadScope, connection: Connection) -> Overview:
        """What `scope` may read at the moment that the connection sees."""
        with self._lock:
            self._follow(connection)
            rows = self._all()
            allowed = np.array(
                [not scope.labels.isdisjoint(labels) for labels in self._labels.values], dtype=bool
            )
            tenant = self._tenants.of(scope.tenant)
            its = rows[(rows["tenant"] == tenant) & (rows["level"] <= scope.clearance)]
            its = its[allowed[its["labels"]]] if len(its) else its
            newest = its["updated"].max() if len(its) else None
            return Overview(
                total=len(its),
                newest=None if newest is None else _BEGIN + timedelta(microseconds=int(newest)),
                folders=_counts(its["folder"], self._folders.values),
                media_types=_counts(its["type"], self._types.values),
                languages=_counts(its["language"], self._languages.values),
            )

    def _forget(self) -> None:
        self._number = -1  # the greatest that was seen
        self._buckets: dict[str, _Rows] = {}
        self._joined: _Rows | None = None
        self._tenants, self._labels = _Numbers[str](), _Numbers[frozenset[str]]()
        self._folders, self._types = _Numbers[str](), _Numbers[str]()
        self._languages = _Numbers[str]()

    def _all(self) -> _Rows:
        if self._joined is None:
            self._joined = np.concatenate([np.zeros(0, _ROW), *self._buckets.values()])
        return self._joined

    def _follow(self, connection: Connection) -> None:
        changed = connection.execute(
            select(document_buckets).where(document_buckets.c.number > self._number)
        ).all()
        if not changed and self._number >= 0:
            return
        ranges = [_range_of(bucket) for bucket, _ in changed]
        known = [one for one in ranges if one is not None]
        if self._number < 0 or len(changed) > self._most_anew or len(known) < len(ranges):
            self._forget()
            self._read(connection, None)
        else:
            for bucket, _ in changed:
                self._buckets.pop(bucket, None)
            for start in range(0, len(known), _AT_ONCE):
                self._read(connection, known[start : start + _AT_ONCE])
        self._joined = None
        self._number = max((number for _, number in changed), default=0)

    def _read(
        self, connection: Connection, ranges: Sequence[tuple[str, str | None]] | None
    ) -> None:
        """The documents whose ids lie in one of the ranges; None: all."""
        names = ("id", "tenant", "level", "uri", "media_type", "language", "updated")
        wanted = select(*(documents.c[name] for name in names))
        wanted = wanted.where(documents.c.status != DocumentStatus.FAILED.value)
        readers = select(document_readers.c.document_id, document_readers.c.label)
        if ranges is not None:
            wanted = wanted.where(_within(documents.c.id, ranges))
            readers = readers.where(_within(document_readers.c.document_id, ranges))
        labels: dict[str, list[str]] = {}
        for id_, label in connection.execute(readers):
            labels.setdefault(id_, []).append(label)
        found: dict[str, list[tuple[int, ...]]] = {}
        for id_, tenant, level, uri, media_type, language, updated in connection.execute(wanted):
            found.setdefault(id_[:_PREFIX], []).append(
                (
                    self._tenants.of(tenant),
                    self._labels.of(frozenset(labels.get(id_, ()))),
                    level,
                    self._folders.of(uri[: uri.rfind("/") + 1]),
                    self._types.of(media_type),
                    self._languages.of(language or ""),
                    (updated - _BEGIN) // timedelta(microseconds=1),
                )
            )
        self._buckets.update((bucket, np.array(rows, _ROW)) for bucket, rows in found.items())


def _counts(numbers: _Rows, values: Sequence[str]) -> dict[str, int]:
    """How often each value occurs; one that is empty is left out."""
    counts = np.bincount(numbers, minlength=len(values)) if len(numbers) else np.zeros(0, int)
    present = ((values[n], int(counts[n])) for n in np.flatnonzero(counts) if values[n])
    return dict(sorted(present, key=lambda pair: (-pair[1], pair[0])))


def _range_of(bucket: str) -> tuple[str, str | None] | None:
    """The ids that begin so: from the first on, and below the second; None: it is no bucket."""
    if len(bucket) != _PREFIX or not set(bucket) <= set(_HEX):
        return None
    following = int(bucket, 16) + 1
    return bucket, f"{following:03x}" if following < 16**_PREFIX else None


def _within(
    column: ColumnElement[str], ranges: Iterable[tuple[str, str | None]]
) -> ColumnElement[bool]:
    parts = (
        column >= first if end is None else (column >= first) & (column < end)
        for first, end in ranges
    )
    return or_(False, *parts)
