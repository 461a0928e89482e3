"""Indexes: which there are, which one is live, and what of each document is in each of them.

An index holds a document up to date, or it is known here that it does not: a row's stamp is that
of the document at the time of writing, and every change of content or rights gives the document
another. A row without a version is one that is being written, or to be removed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.document_rows import readers_of, record_of, select_whole
from sovereign_rag.catalog.index_rows import LIVE, IndexState, in_index, outdated, put_row
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.catalog.tables import documents, index_documents, indexes
from sovereign_rag.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """An index: a collection of the vector store, and what it was made with."""

    id: int
    state: IndexState
    collection: str  # "" until somebody first opens it
    spec: IndexSpec | None  # None likewise
    created: datetime
    switched: datetime | None  # when it last became the live one


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what is live an index holds as it is now."""

    documents: int  # that are live
    chunks: int  # of those, in the live index
    current: int  # documents that this index holds, up to date
    written: int  # chunks of those, in this index


@dataclass(frozen=True, slots=True)
class Outdated:
    """A document that an index does not hold as it is now."""

    record: DocumentRecord  # as the live index has it
    stamp: str
    present: str  # its version in that index, written before something changed; "": none


class Indexes(CatalogPart):
    """For whoever opens, builds, switches and drops them."""

    def all(self) -> list[IndexRecord]:
        """Every one that there is, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(indexes).order_by(indexes.c.id)).mappings()
            return [_record(row) for row in rows]

    def get(self, index: int) -> IndexRecord:
        """Raises NotFound."""
        with self._database.reading() as connection:
            return _find(connection, indexes.c.id == index)

    def live(self) -> IndexRecord:
        """The one that searches go to; there always is one."""
        with self._database.reading() as connection:
            return _find(connection, indexes.c.state == IndexState.LIVE.value)

    def name_live(self, spec: IndexSpec, collection: str) -> IndexRecord:
        """Record what the live index is made with, unless that is known; returns what is known."""
        unnamed = and_(indexes.c.state == IndexState.LIVE.value, indexes.c.collection == "")
        with self._database.writing() as connection:
            connection.execute(
                update(indexes).where(unnamed).values(recipe=spec.plain, collection=collection)
            )
            return _find(connection, indexes.c.state == IndexState.LIVE.value)

    def begin(self, spec: IndexSpec, collection: Callable[[int], str]) -> IndexRecord:
        """A new index that is to be built; `collection` names its collection after its number."""
        with self._database.writing() as connection:
            made = connection.execute(
                insert(indexes).values(
                    state=IndexState.BUILDING.value,
                    collection="",
                    recipe=spec.plain,
                    created=self._clock(),
                )
            ).inserted_primary_key
            assert made is not None
            its_own = indexes.c.id == made[0]
            name = collection(made[0])
            connection.execute(update(indexes).where(its_own).values(collection=name))
            return _find(connection, its_own)

    def coverage(self, index: int) -> Coverage:
        """How far an index is; the live one is told of changes at once, and not behind by them."""
        live = select(func.count(), func.coalesce(func.sum(index_documents.c.chunks), 0)).where(
            index_documents.c.index_id == LIVE, index_documents.c.version != ""
        )
        here = (
            select(func.count(), func.coalesce(func.sum(index_documents.c.chunks), 0))
            .select_from(documents.join(index_documents, in_index(index)))
            .where(
                index_documents.c.version != "",
                or_(
                    index_documents.c.stamp == documents.c.stamp,
                    index_documents.c.index_id == LIVE,
                ),
            )
        )
        with self._database.reading() as connection:
            return Coverage(*connection.execute(live).one(), *connection.execute(here).one())

    def outdated(self, index: int, *, limit: int, after: str | None = None) -> list[Outdated]:
        """What is live and not in `index` as it is now, by ascending id.

        Args:
            index: That is being built, or gone back to.
            limit: Most documents to return.
            after: The last id of the page before.
        """
        condition = outdated(index)
        if after is not None:
            condition = and_(condition, documents.c.id > after)
        whole = select_whole(None).add_columns(documents.c.stamp)
        statement = whole.where(condition).order_by(documents.c.id).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
            ids = [row["id"] for row in rows]
            readers = readers_of(connection, ids)
            present: dict[str, str] = {}
            for some in batches(ids):
                here = index_documents.c.index_id == index
                written = select(index_documents.c.document_id, index_documents.c.version)
                pairs = connection.execute(
                    written.where(here, index_documents.c.document_id.in_(some))
                )
                present |= {id_: version for id_, version in pairs}
        return [
            Outdated(
                record_of({k: v for k, v in row.items() if k != "stamp"}, readers[row["id"]]),
                row["stamp"],
                present.get(row["id"], ""),
            )
            for row in rows
        ]

    def removable(self, index: int) -> list[tuple[str, str]]:
        """(tenant, document id) of what is written in an index and of no document any more."""
        gone = ~exists().where(documents.c.id == index_documents.c.document_id)
        with self._database.reading() as connection:
            rows = connection.execute(
                select(index_documents.c.tenant, index_documents.c.document_id).where(
                    index_documents.c.index_id == index, gone
                )
            )
            return [(tenant, id_) for tenant, id_ in rows]

    def note_removed(self, index: int, document_ids: Iterable[str]) -> None:
        """Record that nothing of documents that are gone is in an index."""
        with self._database.writing() as connection:
            for id_ in document_ids:
                gone = ~exists().where(documents.c.id == id_)
                row = and_(
                    index_documents.c.index_id == index, index_documents.c.document_id == id_
                )
                connection.execute(delete(index_documents).where(row, gone))

    def begin_writing(self, index: int, tenant: str, document_ids: Iterable[str]) -> None:
        """Record that chunks of documents are about to be written into an index, or replaced.

        Whatever ends the writer, it is known from here on that something may be there.
        """
        with self._database.writing() as connection:
            for id_ in document_ids:
                put_row(connection, index, tenant, id_, version="", chunks=0, stamp="")

    def end_writing(
        self, index: int, tenant: str, document_id: str, *, version: str, chunks: int, stamp: str
    ) -> bool:
        """Record a document as written into an index.

        Returns:
            False: It is not what it was when `stamp` was read, or gone; nothing is recorded.
        """
        same = exists().where(
            documents.c.id == document_id,
            documents.c.tenant == tenant,
            documents.c.stamp == stamp,
        )
        with self._database.writing() as connection:
            if not connection.execute(select(same)).scalar_one():
                return False
            put_row(
                connection,
                index,
                tenant,
                document_id,
                version=version,
                chunks=chunks,
                stamp=stamp,
            )
            return True

    def switch_to(self, index: int) -> bool:
        """Make an index the live one, in this moment and for everybody; the live one is kept.

        Returns:
            False: It does not hold every document as it is now; nothing was changed.
        """
        with self._database.writing() as connection:
            found = _find(connection, indexes.c.id == index)
            if found.state is IndexState.LIVE:
                return True
            if found.state is IndexState.DROPPING:
                raise BadInput(f"Index {index} is being removed; build another one.")
            missing = select(documents.c.id).where(outdated(index)).limit(1)
            if connection.scalar(missing) is not None:
                return False
            for which, values in (
                (indexes.c.state == IndexState.LIVE.value, {"state": IndexState.PREVIOUS.value}),
                (
                    indexes.c.id == index,
                    {"state": IndexState.LIVE.value, "switched": self._clock()},
                ),
            ):
                connection.execute(update(indexes).where(which).values(**values))
            return True

    def drop(self, index: int) -> None:
        """Give an index up: from here on nobody goes back to it.

        Raises:
            BadInput: It is the live one.
        """
        with self._database.writing() as connection:
            if _find(connection, indexes.c.id == index).state is IndexState.LIVE:
                raise BadInput("The live index can't be removed: questions are answered from it.")
            connection.execute(
                update(indexes).where(indexes.c.id == index).values(state=IndexState.DROPPING.value)
            )

    def forget(self, index: int) -> None:
        """Forget an index whose collection is gone."""
        with self._database.writing() as connection:
            connection.execute(
                delete(indexes).where(
                    indexes.c.id == index, indexes.c.state == IndexState.DROPPING.value
                )
            )


def _find(connection: Connection, which: ColumnElement[bool]) -> IndexRecord:
    row = connection.execute(select(indexes).where(which)).mappings().first()
    if row is None:
        raise NotFound("There is no such index; `sovereign-rag reindex status` lists them.")
    return _record(row)


def _record(row: RowMapping) -> IndexRecord:
    columns = dict(row)
    spec, state = IndexSpec.of(columns.pop("recipe")), IndexState(columns.pop("state"))
    return IndexRecord(**columns, state=state, spec=spec)
