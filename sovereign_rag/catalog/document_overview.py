"""What a scope may read, at a glance: how many documents, where, of which types and languages."""

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, Table, and_, select

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.database import CatalogPart, Clock, Database
from sovereign_rag.catalog.document_counts import DocumentCounts
from sovereign_rag.catalog.document_counts import Overview as Overview
from sovereign_rag.catalog.tables import document_readers, documents, metadata

document_changes = Table(
    "document_changes",
    metadata,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("number", BigInteger, nullable=False),
)
"""Counted on in SQLite by each change of a document or its readers, in the same transaction."""


class DocumentOverviews(CatalogPart):
    """Rights that narrow narrow the counts at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._counts = DocumentCounts()

    def warm_up(self) -> None:
        """Read all documents once, so that nobody waits for it."""
        with self._database.reading() as connection:
            self._counts.follow(connection)

    def of(self, scope: ReadScope) -> Overview:
        """What `scope` may read."""
        with self._database.reading() as connection:
            return self._counts.of(scope, connection)


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
