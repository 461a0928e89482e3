"""A document's row and readers, together with what an index has of it."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, insert, select, update

from sovereign_rag.access import OWNER, stored_readers
from sovereign_rag.catalog.database import batches
from sovereign_rag.catalog.index_rows import in_index, leave_rows, put_row
from sovereign_rag.catalog.records import (
    DocumentRecord,
    DocumentStatus,
    TaskRecord,
    document_id,
)
from sovereign_rag.catalog.tables import (
    clean,
    document_facts,
    document_readers,
    documents,
    index_documents,
)
from sovereign_rag.metadata import NOTHING_STATED, Stated
from sovereign_rag.text.folding import folded

Rights = tuple[frozenset[str], int]
"""Reader labels without the owner's, and the level."""

VERSION = func.coalesce(index_documents.c.version, "").label("version")
"""Of a document in the index that it is joined with; "" where it is not in it."""
_CHUNKS = func.coalesce(index_documents.c.chunks, 0).label("chunks")
_OUR_OWN = {"stamp", "sought", "dated", "found_title"}  # no reader's business
_WHOLE = [*(column for column in documents.c if column.name not in _OUR_OWN), VERSION, _CHUNKS]
_MOST_SOUGHT = 500  # characters: PostgreSQL takes up to 2,704 bytes into an index


def select_whole(index: int | None) -> Select[Any]:
    """Documents as their records are made of; None: as the live index has them."""
    joined = documents.outerjoin(index_documents, in_index(index))
    return select(*_WHOLE).select_from(joined)


def readers_of(connection: Connection, ids: Sequence[str]) -> dict[str, set[str]]:
    """The labels by document id, without the owner's."""
    found: dict[str, set[str]] = {id_: set() for id_ in ids}
    for some in batches(ids):
        rows = connection.execute(
            select(document_readers).where(
                document_readers.c.document_id.in_(some), document_readers.c.label != OWNER
            )
        )
        for id_, label in rows:
            found[id_].add(label)
    return found


def record_of(row: Mapping[Any, Any], readers: Iterable[str]) -> DocumentRecord:
    status = DocumentStatus(row["status"])
    stated = Stated.of(row["stated"])
    return DocumentRecord(
        **{**row, "status": status, "readers": frozenset(readers), "stated": stated}
    )


def failed_record(task: TaskRecord, reason: str, now: datetime) -> DocumentRecord:
    """A document that never was readable."""
    return DocumentRecord(
        id=document_id(task.tenant, task.uri),
        tenant=task.tenant,
        uri=task.uri,
        name=task.name,
        title=task.name,
        status=DocumentStatus.FAILED,
        reason=reason,
        content_hash=task.content_hash or "",
        parse_key="",
        version="",
        media_type="",
        language=None,
        paged=False,
        pages=0,
        chunks=0,
        size=0,
        modified=task.modified,
        readers=task.readers,
        level=task.level,
        properties={},
        created=now,
        updated=now,
    )


def put_document(connection: Connection, record: DocumentRecord, live: int) -> None:
    values: dict[str, Any] = asdict(record)
    for name in ("readers", "version", "chunks"):
        del values[name]
    values["status"] = record.status.value
    values["properties"] = {clean(k): clean(v) for k, v in record.properties.items()}
    values["stamp"] = new_stamp()
    values |= stated_values(record)
    if record.stated.title is None or record.title != record.stated.title:
        values["found_title"] = record.title  # else it is the stated one that is moved along
    if record.stated.spoken is None:
        values["found_language"] = record.found_language or record.language
    its_own = and_(documents.c.id == record.id, documents.c.tenant == record.tenant)
    same_text = and_(
        documents.c.content_hash == record.content_hash, documents.c.parse_key == record.parse_key
    )
    if not connection.execute(select(exists().where(its_own, same_text))).scalar_one():
        # Spans of its chunks would point into another text; and what was replaced is gone.
        leave_rows(connection, record.id, but=live)
    changes = {name: value for name, value in values.items() if name != "created"}
    changed = connection.execute(update(documents).where(its_own).values(changes))
    if not changed.rowcount:
        connection.execute(insert(documents).values(values))
    if record.version:
        put_row(
            connection,
            live,
            record.tenant,
            record.id,
            version=record.version,
            chunks=record.chunks,
            stamp=values["stamp"],
        )
    put_readers(connection, record.id, record.readers)
    put_facts(connection, record.id, record.stated)


def stated_values(record: DocumentRecord) -> dict[str, Any]:
    """The columns that hang on what was stated of a document."""
    title = record.stated.title or record.title
    stated = None if record.stated == NOTHING_STATED else record.stated.plain()
    return {
        "stated": stated,
        "title": title,
        "language": spoken_of(record),
        "sought": sought(title, record.name),
        "dated": record.date,
    }


def spoken_of(record: DocumentRecord) -> str | None:
    """A document's language: as stated, or else as found."""
    return record.stated.spoken or record.found_language or record.language


def put_facts(connection: Connection, id_: str, stated: Stated) -> None:
    connection.execute(delete(document_facts).where(document_facts.c.document_id == id_))
    if rows := [{"document_id": id_, "fact": fact} for fact in sorted(stated.facts)]:
        connection.execute(insert(document_facts), rows)


def sought(title: str, name: str) -> str:
    """What a document is found by in lists, and put in order by: its title, then its name."""
    return folded(f"{title}\n{name}")[:_MOST_SOUGHT]


def new_stamp() -> str:
    return uuid.uuid4().hex


def put_readers(connection: Connection, id_: str, readers: Iterable[str]) -> None:
    connection.execute(delete(document_readers).where(document_readers.c.document_id == id_))
    rows = [{"document_id": id_, "label": label} for label in sorted(stored_readers(readers))]
    connection.execute(insert(document_readers), rows)


def rights_of_one(connection: Connection, tenant: str, document_id: str) -> Rights | None:
    """Who may read a document; None: the tenant has none such."""
    return rights_of(connection, tenant, [document_id]).get(document_id)


def rights_of(connection: Connection, tenant: str, ids: list[str]) -> dict[str, Rights]:
    """Who may read documents, of those that the tenant has."""
    own = and_(documents.c.id.in_(ids), documents.c.tenant == tenant)
    levels = connection.execute(select(documents.c.id, documents.c.level).where(own)).all()
    readers = readers_of(connection, [id_ for id_, _ in levels])
    return {id_: (frozenset(readers[id_]), level) for id_, level in levels}


def put_rights(
    connection: Connection, document_id: str, known: Rights, rights: Rights, now: datetime
) -> None:
    if rights == known:
        return
    connection.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(level=rights[1], updated=now, stamp=new_stamp())
    )
    put_readers(connection, document_id, rights[0])
