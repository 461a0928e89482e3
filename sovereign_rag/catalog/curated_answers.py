"""Answers that a tenant's admins wrote, with their sources; what they say is sealed bytes here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata
from sovereign_rag.errors import NotFound

curated_answers = Table(
    "curated_answers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("checked", UtcTime, nullable=False),
    Column("checked_by", CleanText, nullable=False),
    Column("due", Date, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_curated_answers_tenant", "tenant"),
)

curated_sources = Table(
    "curated_sources",
    metadata,
    Column(
        "answer_id",
        String(36),
        ForeignKey("curated_answers.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("position", Integer, primary_key=True),
    Column("document_id", String(36), nullable=False, index=True),
    Column("content_hash", String(64), nullable=False),  # as the document was when it was checked
    Column("quote", LargeBinary),  # NULL: its document is gone
)

_NO_SUCH = "There is no such answer of the house."


@dataclass(frozen=True, slots=True)
class CuratedSourceRow:
    document_id: str
    content_hash: str
    quote: bytes | None


@dataclass(frozen=True, slots=True)
class CuratedRow:
    """An answer as it is kept; `revision` counts its changes, from 1."""

    id: str
    tenant: str
    body: bytes
    checked: datetime
    checked_by: str
    due: date
    revision: int
    sources: tuple[CuratedSourceRow, ...]


class CuratedAnswerRows(CatalogPart):
    """Read with every question: a few hundred rows at most."""

    def of_tenant(self, tenant: str) -> list[CuratedRow]:
        """What is to be looked at again first, first."""
        its = select(curated_answers).where(curated_answers.c.tenant == tenant)
        its = its.order_by(curated_answers.c.due, curated_answers.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(its).mappings().all()
            if not rows:
                return []
            wanted = select(curated_sources).join(curated_answers)
            wanted = wanted.where(curated_answers.c.tenant == tenant)
            wanted = wanted.order_by(curated_sources.c.answer_id, curated_sources.c.position)
            sources: dict[str, list[CuratedSourceRow]] = {}
            for one in connection.execute(wanted).mappings():
                source = CuratedSourceRow(one["document_id"], one["content_hash"], one["quote"])
                sources.setdefault(one["answer_id"], []).append(source)
        return [CuratedRow(**row, sources=tuple(sources.get(row["id"], ()))) for row in rows]

    def tenants(self) -> list[str]:
        """Those that keep any."""
        statement = select(curated_answers.c.tenant).distinct()
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(curated_answers.c.tenant)))

    def reseal(self, row: CuratedRow) -> bool:
        """Put other bytes in the place of what a row holds; False: it was changed meanwhile."""
        same = (curated_answers.c.id == row.id) & (curated_answers.c.revision == row.revision)
        with self._database.writing() as connection:
            changed = update(curated_answers).where(same).values(body=row.body)
            if not connection.execute(changed).rowcount:
                return False
            for position, source in enumerate(row.sources):
                its = (curated_sources.c.answer_id == row.id) & (
                    curated_sources.c.position == position
                )
                there = its & curated_sources.c.quote.is_not(None)
                new = update(curated_sources).where(there).values(quote=source.quote)
                connection.execute(new)
        return True

    def put(self, row: CuratedRow, *, most: int) -> bool:
        """Keep an answer, in the place of what is kept of it.

        Returns:
            False: The tenant has `most` answers, and this one is not kept.

        Raises:
            NotFound: It was to follow another revision than the one that is kept.
        """
        its = curated_answers.c.tenant == row.tenant
        same = its & (curated_answers.c.id == row.id)
        values = {name: getattr(row, name) for name in ("body", "checked", "checked_by", "due")}
        with self._database.writing() as connection:
            if row.revision > 1:
                earlier = same & (curated_answers.c.revision == row.revision - 1)
                changed = update(curated_answers).where(earlier)
                if not connection.execute(changed.values(**values, revision=row.revision)).rowcount:
                    raise NotFound(f"{_NO_SUCH} Somebody may have changed it; look at it again.")
                gone = delete(curated_sources).where(curated_sources.c.answer_id == row.id)
                connection.execute(gone)
            else:
                counted = select(func.count()).select_from(curated_answers).where(its)
                if connection.execute(counted).scalar_one() >= most:
                    return False
                new = {"id": row.id, "tenant": row.tenant, "revision": 1, **values}
                connection.execute(insert(curated_answers).values(**new))
            _put_sources(connection, row.id, row.sources)
        return True

    def remove(self, tenant: str, id_: str) -> None:
        """Forget an answer. Raises NotFound."""
        same = (curated_answers.c.tenant == tenant) & (curated_answers.c.id == id_)
        with self._database.writing() as connection:
            if not connection.execute(delete(curated_answers).where(same)).rowcount:
                raise NotFound(_NO_SUCH)


def forget_quotes(connection: Connection, document_id: str) -> None:
    """Take what answers quote of a document out of them; nobody is given these any more."""
    its = curated_sources.c.document_id == document_id
    connection.execute(update(curated_sources).where(its).values(quote=None))


def _put_sources(connection: Connection, id_: str, sources: Sequence[CuratedSourceRow]) -> None:
    rows = [
        {
            "answer_id": id_,
            "position": position,
            "document_id": source.document_id,
            "content_hash": source.content_hash,
            "quote": source.quote,
        }
        for position, source in enumerate(sources)
    ]
    if rows:
        connection.execute(insert(curated_sources), rows)
