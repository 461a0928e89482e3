"""What a scope may read, at a glance: how many documents, where, of which types and languages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.catalog.tables import document_readers, documents


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of documents that can be searched; by value, the most frequent first."""

    total: int
    newest: datetime | None  # when the last one came in
    folders: Mapping[str, int]  # by URI, with its last "/"
    media_types: Mapping[str, int]
    languages: Mapping[str, int]


class DocumentOverviews(CatalogPart):
    """Counted anew each time: rights that narrow narrow the counts at once."""

    def of(self, scope: ReadScope) -> Overview:
        """What `scope` may read."""
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
