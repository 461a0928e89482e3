"""What a scope may read, at a glance: how many documents, where, of which types and languages."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, Table, and_, func, select

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.database import CatalogPart, Clock, Database
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.catalog.tables import document_readers, documents, metadata


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of documents that can be searched; by value, the most frequent first."""

    total: int
    newest: datetime | None  # when the last one came in
    folders: Mapping[str, int]  # by URI, with its last "/"
    media_types: Mapping[str, int]
    languages: Mapping[str, int]


document_changes = Table(
    "document_changes",
    metadata,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("number", BigInteger, nullable=False),
)
"""Counted on in SQLite by each change of a document or its readers, in the same transaction."""

_MOST_KEPT: Final = 32  # scopes, each with all its folders
_Kept = OrderedDict[tuple[str, frozenset[str], int], tuple[int, Overview]]


class DocumentOverviews(CatalogPart):
    """Rights that narrow narrow the counts at once.

    In SQLite counts are kept for the very same scope until the next change of any document or
    reader, whichever process makes it; PostgreSQL counts anew each time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._lock = threading.Lock()
        self._kept: _Kept = OrderedDict()

    def of(self, scope: ReadScope) -> Overview:
        """What `scope` may read."""
        if not self._database.is_sqlite:
            return self._counted(scope)
        key = (scope.tenant, scope.labels, scope.clearance)
        number = self._changes()  # before it is counted: what changes meanwhile is counted again
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == number:
                self._kept.move_to_end(key)
                return kept[1]
        counted = self._counted(scope)
        with self._lock:
            self._kept[key] = (number, counted)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return counted

    def _changes(self) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(select(document_changes.c.number)).scalar_one())

    def _counted(self, scope: ReadScope) -> Overview:
        # All behind the last "/" is cut off: characters that are none are trimmed from the right.
        folder = func.rtrim(documents.c.uri, func.replace(documents.c.uri, "/", ""))
        groups = (folder, documents.c.media_type, documents.c.language)
        counted = select(*groups, func.count(), func.max(documents.c.updated))
        counted = counted.where(
            counted_by(scope), documents.c.status != DocumentStatus.FAILED.value
        )
        with self._database.reading() as connection:
            rows: Sequence[Any] = connection.execute(counted.group_by(*groups)).all()
        folders, types, languages = Counter[str](), Counter[str](), Counter[str]()
        for at, media_type, language, count, _ in rows:
            folders[at] += count
            types[media_type] += count
            languages[language or ""] += count
        languages.pop("", None)
        return Overview(
            total=sum(types.values()),
            newest=max((row[4] for row in rows), default=None),
            folders=dict(folders.most_common()),
            media_types=dict(types.most_common()),
            languages=dict(languages.most_common()),
        )


def counted_by(scope: ReadScope) -> ColumnElement[bool]:
    """`ReadScope.allows` in SQL, for who goes through all: what is readable, found by label."""
    ids = select(document_readers.c.document_id).where(
        document_readers.c.label.in_(sorted(scope.labels))
    )
    return and_(
        documents.c.tenant == scope.tenant,
        documents.c.level <= scope.clearance,
        documents.c.id.in_(ids),
    )
