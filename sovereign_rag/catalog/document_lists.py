"""Lists of documents: filtered, put in order, counted, and read page by page.

The rights stand in every statement, as in `documents`; a page goes on after a place in the order,
not after a number of rows, so what comes in meanwhile shifts nothing.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, null, or_, select, tuple_

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.database import IndexedPart
from sovereign_rag.catalog.document_overview import counted_by
from sovereign_rag.catalog.document_query import DocumentPage, DocumentQuery, Order
from sovereign_rag.catalog.document_rows import readers_of, record_of, select_whole
from sovereign_rag.catalog.documents import readable_by
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.catalog.tables import document_facts, document_readers, documents
from sovereign_rag.errors import BadInput
from sovereign_rag.text.folding import folded

_MOST_WORDS: Final = 20
# As an expression it stands in the index of lists, which needs no row: most dates match.
_DATED: Final = func.coalesce(documents.c.dated, null(), type_=documents.c.dated.type)


_COLUMNS: Final[dict[Order, ColumnElement[Any]]] = {
    Order.TITLE: documents.c.sought,
    Order.DATE: documents.c.dated,
    Order.UPDATED: documents.c.updated,
}


class DocumentLists(IndexedPart):
    """What a scope may see of many documents at once."""

    def page(
        self,
        query: DocumentQuery,
        scope: ReadScope,
        *,
        limit: int,
        after: str | None = None,
        also: Sequence[ReadScope] | None = None,
    ) -> DocumentPage:
        """The first `limit` documents of the list, or those behind a page that was shown.

        Args:
            limit: 1 or more.
            after: The `following` of the page before.
            also: Only what one of these scopes may read, too; None: they are not asked.

        Raises:
            BadInput: `after` is of another list, or no place in any.
        """
        counted = select(func.count()).select_from(documents)
        counted = counted.where(_conditions(query, scope, also, counted_by))
        rows = self._rows(query, scope, limit=limit, after=after, also=also)
        with self._database.reading() as connection:
            total = connection.execute(counted).scalar_one()
        shown = rows[:limit]
        following = _place(query, shown[-1][0], shown[-1][1].id) if len(rows) > limit else None
        return DocumentPage(tuple(record for _, record in shown), total, following)

    def first(
        self, query: DocumentQuery, scope: ReadScope, *, limit: int
    ) -> tuple[DocumentRecord, ...]:
        """The first `limit` documents of the list, where nobody asks how long it is."""
        rows = self._rows(query, scope, limit=limit, after=None, also=None)
        return tuple(record for _, record in rows[:limit])

    def _rows(
        self,
        query: DocumentQuery,
        scope: ReadScope,
        *,
        limit: int,
        after: str | None,
        also: Sequence[ReadScope] | None,
    ) -> list[tuple[Any, DocumentRecord]]:
        """One more than `limit`, each with its place in the order."""
        condition = _conditions(query, scope, also, partial(readable_by, of_many=True))
        column = _COLUMNS.get(query.order)
        statement = select_whole(self._index).add_columns(
            documents.c.id.label("place") if column is None else column.label("place")
        )
        order = [documents.c.id] if column is None else [column, documents.c.id]
        listed = statement.where(condition).order_by(
            *(one.desc() if query.descending else one for one in order)
        )
        if after is not None:
            listed = listed.where(_behind(query, after))
        with self._database.reading() as connection:
            found = connection.execute(listed.limit(limit + 1)).mappings().all()
            readers = readers_of(connection, [row["id"] for row in found])
        rows = [dict(row) for row in found]
        return [(row.pop("place"), record_of(row, readers[row["id"]])) for row in rows]


_Readable = Callable[[ReadScope], ColumnElement[bool]]


def _conditions(
    query: DocumentQuery,
    scope: ReadScope,
    also: Sequence[ReadScope] | None,
    readable: _Readable,
) -> ColumnElement[bool]:
    """What the list holds. `readable` says the same rule in the way that suits the statement."""
    condition = _matching(query, scope, readable)
    if also is None:
        return condition
    return and_(condition, or_(False, *(readable(one) for one in also)))


def _matching(query: DocumentQuery, scope: ReadScope, readable: _Readable) -> ColumnElement[bool]:
    conditions = [readable(scope)]
    conditions += [
        documents.c.sought.contains(word, autoescape=True)
        for word in folded(query.words).split()[:_MOST_WORDS]
    ]
    for column, allowed in (
        (documents.c.status, query.statuses),
        (documents.c.media_type, query.media_types),
        (documents.c.language, query.languages),
    ):
        if allowed is not None:
            conditions.append(column.in_(sorted(allowed)))
    if query.sources is not None:
        conditions.append(or_(False, *(_at(source) for source in sorted(query.sources))))
    if query.labels is not None:
        # Whom else a document is shared with is not for the asker to find out.
        own = sorted(query.labels & scope.labels)
        of_label = select(document_readers.c.document_id).where(
            document_readers.c.document_id == documents.c.id, document_readers.c.label.in_(own)
        )
        conditions.append(of_label.exists())
    for facts in query.facts:
        # By the index of facts: few documents have one, and those are looked at alone.
        has = select(document_facts.c.document_id).where(document_facts.c.fact.in_(sorted(facts)))
        conditions.append(documents.c.id.in_(has))
    if query.date_from is not None:
        conditions.append(query.date_from <= _DATED)
    if query.date_before is not None:
        conditions.append(query.date_before > _DATED)
    return and_(*conditions)


def _at(source: str) -> ColumnElement[bool]:
    folder = source.rstrip("/") + "/"
    below = func.substr(documents.c.uri, 1, len(folder)) == folder
    return or_(documents.c.uri == source, below)


def _behind(query: DocumentQuery, after: str) -> ColumnElement[bool]:
    column = _COLUMNS.get(query.order)
    if column is None:
        return documents.c.id < after if query.descending else documents.c.id > after
    value, id_ = _read_place(query, after)
    here, there = (
        tuple_(column, documents.c.id),
        tuple_(value, id_, types=[column.type, documents.c.id.type]),
    )
    return here < there if query.descending else here > there


def _place(query: DocumentQuery, value: Any, id_: str) -> str:
    if query.order is Order.ID:
        return id_
    told = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
    place = json.dumps([query.order.value, told, id_], ensure_ascii=False)
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_place(query: DocumentQuery, after: str) -> tuple[Any, str]:
    try:
        text = urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode()
        order, value, id_ = json.loads(text)
        if order != query.order.value or not isinstance(value, str) or not isinstance(id_, str):
            raise ValueError(text)
        if query.order is Order.TITLE:
            return value.replace("\0", ""), id_.replace("\0", "")
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment, id_.replace("\0", "")
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(
            "`after` is no place in this list: give the `next` of the page before, with the same "
            "`sort`."
        ) from error
