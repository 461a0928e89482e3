"""What of each document is in each index: the rows, and what is said about them in SQL."""

from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update

from sovereign_rag.catalog.tables import documents, index_documents, indexes
from sovereign_rag.errors import IndexSwitched


class IndexState(StrEnum):
    BUILDING = "building"
    LIVE = "live"  # searches go to it, and documents into it
    PREVIOUS = "previous"  # was live, and is kept for a way back
    DROPPING = "dropping"  # on its way out


LIVE: Final = select(indexes.c.id).where(indexes.c.state == IndexState.LIVE.value).scalar_subquery()


def in_index(index: int | None) -> ColumnElement[bool]:
    """Joins a document with its row in an index; None: in the live one."""
    return and_(
        index_documents.c.document_id == documents.c.id,
        index_documents.c.index_id == (LIVE if index is None else index),
    )


def require_live(connection: Connection, index: int | None) -> int:
    """The live index, which has to be `index` unless that is None; nobody switches meanwhile.

    Raises:
        IndexSwitched: Another one is live by now.
    """
    live: int = connection.execute(select(LIVE)).scalar_one()
    if index is not None and index != live:
        raise IndexSwitched(
            "Another index has become the live one meanwhile; the same call works on that."
        )
    return live


def outdated(index: int) -> ColumnElement[bool]:
    """Whether a document is live and not in `index` as it is now."""
    mine, other = index_documents.alias(), index_documents.alias()
    is_live = exists().where(
        mine.c.document_id == documents.c.id, mine.c.index_id == LIVE, mine.c.version != ""
    )
    is_current = exists().where(
        other.c.document_id == documents.c.id,
        other.c.index_id == index,
        other.c.version != "",
        other.c.stamp == documents.c.stamp,
    )
    return and_(is_live, ~is_current)


def put_row(
    connection: Connection,
    index: int,
    tenant: str,
    document_id: str,
    *,
    version: str,
    chunks: int,
    stamp: str,
) -> None:
    row = and_(index_documents.c.index_id == index, index_documents.c.document_id == document_id)
    values = {"version": version, "chunks": chunks, "stamp": stamp}
    if not connection.execute(update(index_documents).where(row).values(**values)).rowcount:
        connection.execute(
            insert(index_documents).values(
                index_id=index, document_id=document_id, tenant=tenant, **values
            )
        )


def leave_rows(connection: Connection, document_id: str, *, but: int) -> None:
    """Mark what other indexes than `but` hold of a document as to be removed or written anew."""
    others = and_(index_documents.c.document_id == document_id, index_documents.c.index_id != but)
    connection.execute(update(index_documents).where(others).values(version="", chunks=0, stamp=""))


def drop_row(connection: Connection, index: int, document_id: str) -> None:
    """Forget what an index holds of a document."""
    row = and_(index_documents.c.document_id == document_id, index_documents.c.index_id == index)
    connection.execute(delete(index_documents).where(row))
