"""What the catalog holds sealed, row by row, to be sealed anew under another key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, exists, select, update

from sovereign_rag.catalog.conversation_tables import conversations, turns
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import documents, index_documents, tasks

_BATCH: Final = 500
_COLUMNS: Final = (
    (conversations, "title"),
    (turns, "question"),
    (turns, "answer"),
    (turns, "reason"),
)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed value of a conversation."""

    table: str
    column: str  # "title", "question", "answer" or "reason", which is also what it was sealed as
    id: str | int
    conversation: str
    tenant: str
    data: bytes


class SealedRows(CatalogPart):
    """Of every tenant."""

    def all(self) -> Iterator[SealedRow]:
        """Every sealed value of a conversation."""
        for table, column in _COLUMNS:
            last: str | int | None = None
            while rows := self._batch(table, column, last):
                yield from rows
                last = rows[-1].id

    def replace(self, row: SealedRow, data: bytes) -> bool:
        """Put another value in its place; False: it was changed meanwhile, or is gone."""
        table = conversations if row.table == conversations.name else turns
        statement = update(table).where(table.c.id == row.id, table.c[row.column] == row.data)
        with self._database.writing() as connection:
            return bool(connection.execute(statement.values({row.column: data})).rowcount)

    def has_passwords(self) -> bool:
        """Whether a document waits with a password that was given for it."""
        with self._database.reading() as connection:
            waits = select(exists().where(tasks.c.password.is_not(None)))
            return bool(connection.execute(waits).scalar_one())

    def holders_of_contents(self) -> dict[str, set[str]]:
        """Which tenants have each content, as a document's or as one's that waits; by hash."""
        found: dict[str, set[str]] = {}
        with self._database.reading() as connection:
            for table in (documents, tasks):
                held = select(table.c.content_hash, table.c.tenant).distinct()
                rows = connection.execute(held.where(table.c.content_hash.is_not(None)))
                for content_hash, tenant in rows:
                    if content_hash:
                        found.setdefault(content_hash, set()).add(tenant)
        return found

    def documents(self, index: int) -> list[tuple[str, str, str, int]]:
        """(tenant, id, version, number of chunks) of every document that an index has."""
        wanted = (
            documents.c.tenant,
            documents.c.id,
            index_documents.c.version,
            index_documents.c.chunks,
        )
        joined = documents.join(index_documents, index_documents.c.document_id == documents.c.id)
        statement = (
            select(*wanted)
            .select_from(joined)
            .where(index_documents.c.index_id == index, index_documents.c.version != "")
        )
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(statement)]

    def _batch(self, table: Table, column: str, after: str | int | None) -> list[SealedRow]:
        conversation = table.c.id if table is conversations else table.c.conversation_id
        wanted = (table.c.id, conversation, conversations.c.tenant, table.c[column])
        joined = conversations if table is conversations else turns.join(conversations)
        statement = select(*wanted).select_from(joined).where(table.c[column].is_not(None))
        if after is not None:
            statement = statement.where(table.c.id > after)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(table.c.id).limit(_BATCH)).all()
        return [SealedRow(table.name, column, *row) for row in rows]
