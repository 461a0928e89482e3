"""The tables; `migrations/` builds them, and a test holds the two against each other.

One row of `tasks` is one document of one job. `target` is the id that the document will have;
the unique index on the leased ones makes it impossible, not just unlikely, that two workers
write one document at the same time.
"""

import os
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import JSON


class UtcTime(TypeDecorator[datetime]):
    """Timezone-aware UTC in Python; SQLite, which has no time zones, gets UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; times in the catalog are in UTC")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text from outside: titles, names, reasons. What no database stores is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


class FilePath(TypeDecorator[str]):
    """A path as its bytes: a file name need not be valid text."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else os.fsdecode(value)


def clean(text: str) -> str:
    """Without NUL, which PostgreSQL refuses, and lone surrogates, which are no UTF-8."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys alone

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("uri", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("title", CleanText, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", CleanText),
    Column("content_hash", String(64), nullable=False, index=True),
    Column("parse_key", Text, nullable=False),
    Column("media_type", CleanText, nullable=False),
    Column("language", Text),
    Column("paged", Boolean, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified", UtcTime),
    Column("level", Integer, nullable=False),
    Column("properties", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    # Another one with every change of content or rights: an index that has it is up to date.
    Column("stamp", String(32), nullable=False, server_default=""),
    # What lists are looked through and put in order by: see `document_lists`.
    Column("sought", CleanText, nullable=False, server_default=""),
    Column("stated", JSON(none_as_null=True)),  # what was said of it, see `metadata`
    Column("found_title", CleanText),  # its own, where another was stated
    Column("found_language", Text),  # likewise
    Column("dated", UtcTime),
    # With the level, so that a list without filters is counted by it alone: in the order of the
    # ids, in which readers are stored, that takes a quarter of the time.
    Index("ix_documents_tenant_id_level", "tenant", "id", "level"),
    Index(  # by title; with all that a total is counted by
        "ix_documents_lists",
        *("tenant", "sought", "id", "level", "status", "media_type", "language", "dated"),
    ),
    Index("ix_documents_tenant_dated_id", "tenant", "dated", "id"),
    Index("ix_documents_tenant_updated_id", "tenant", "updated", "id"),
)

document_readers = Table(
    "document_readers",
    metadata,
    Column(
        "document_id",
        String(36),
        ForeignKey("documents.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("label", Text, primary_key=True),
    Index("ix_document_readers_label", "label", "document_id"),
)

document_facts = Table(  # what lists are narrowed by, of what was stated
    "document_facts",
    metadata,
    Column(
        "document_id",
        String(36),
        ForeignKey("documents.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("fact", CleanText, primary_key=True),
    Index("ix_document_facts_fact_document_id", "fact", "document_id"),
)

indexes = Table(
    "indexes",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("state", String(16), nullable=False),
    Column("collection", Text, nullable=False),  # in the vector store; "" until it is first opened
    Column("recipe", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("switched", UtcTime),  # when it last became the live one
    sqlite_autoincrement=True,  # a number is never another index's
)
Index(
    "uq_indexes_live",
    indexes.c.state,
    unique=True,
    sqlite_where=indexes.c.state == text("'live'"),
    postgresql_where=indexes.c.state == text("'live'"),
)

# What of each document is in each index. The document may be gone: what is still to be removed
# from an index is known here.
index_documents = Table(
    "index_documents",
    metadata,
    Column("index_id", ID, ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True),
    Column("document_id", String(36), primary_key=True, index=True),
    Column("tenant", Text, nullable=False),
    Column("version", Text, nullable=False),  # "" while it is being written or removed
    Column("chunks", Integer, nullable=False),
    Column("stamp", String(32), nullable=False),  # of the document as it was written
)

holds = Table(  # what one process at a time may do
    "holds",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("held_until", UtcTime, nullable=False),
)

outages = Table(  # what every process does without for a while
    "outages",
    metadata,
    Column("part", String(16), primary_key=True),
    Column("reason", CleanText, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("retry_at", UtcTime, nullable=False),  # when somebody looks again
)

processes = Table(  # services and workers that live
    "processes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("version", String(32), nullable=False),
    Column("data_dir", CleanText, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("seen", UtcTime, nullable=False),
)

audit_heads = Table(  # how far the audit record has come
    "audit_heads",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

operations = Table(  # acts whose end is not on the audit record yet
    "operations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("action", String(64), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("principal", CleanText, nullable=False),
    Column("by", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("holder", Text, nullable=False),  # "" once its end is left to whoever finds it
    Column("is_recorded", Boolean, nullable=False),
    Column("announced", UtcTime, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("submitted_by", CleanText, nullable=False),
    Column("idempotency_key", CleanText),
    Column("created", UtcTime, nullable=False),
    Column("accepted", UtcTime),  # NULL while its tasks are being written
    Column("cancelled", UtcTime),
    Column("finished", UtcTime),
    Column("pause_reason", CleanText),  # set while the machine, not a document, is at fault
    Column("retry_at", UtcTime),
    Column("faults", Integer, nullable=False, server_default=text("0")),  # in a row
    UniqueConstraint("tenant", "submitted_by", "idempotency_key"),
    Index("ix_jobs_tenant_created", "tenant", "created"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),  # in its job, from 1
    Column("tenant", Text, nullable=False),
    Column("target", String(36), nullable=False),
    Column("uri", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("readers", JSON, nullable=False),
    Column("level", Integer, nullable=False),
    Column("content_hash", String(64), index=True),
    Column("path", FilePath),
    Column("modified", UtcTime),
    Column("state", String(16), nullable=False),
    Column("reason", CleanText),
    Column("document_id", String(36)),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Column("not_before", UtcTime),
    Column("worker", Text),  # set exactly while the task is leased
    Column("leased_until", UtcTime),
    Column("password", LargeBinary),  # sealed, see `secrets`; NULL from the end of the task on
    Column("cancelled", UtcTime),  # asked for while a worker held it, which ends it
    Column("faults", Integer, nullable=False, server_default=text("0")),  # of the machine
    # Who may read its document is as the catalog says when it is published, not as it said before.
    Column("keeps_access", Boolean, nullable=False, server_default=false()),
    Column("stated", JSON(none_as_null=True)),  # NULL: nothing, what was stated before stays
    # Chunks may have been written that no document names: whoever leases it next removes them.
    Column("leftover", Boolean, nullable=False, server_default=false()),
    Column("awaits", String(16)),  # the part that is away and alone keeps it from its end
    Index("ix_tasks_job_id_state_pages_chunks", "job_id", "state", "pages", "chunks"),
    Index("ix_tasks_job_id_finished", "job_id", "finished"),
    Index("ix_tasks_state_position_id", "state", "position", "id"),
    Index("ix_tasks_target_id", "target", "id"),
    sqlite_autoincrement=True,  # ids say which task is newer, so none is ever used again
)
Index(
    "uq_tasks_target_leased",
    tasks.c.target,
    unique=True,
    sqlite_where=tasks.c.worker.is_not(None),
    postgresql_where=tasks.c.worker.is_not(None),
)
Index(
    "ix_tasks_leftover",
    tasks.c.id,
    sqlite_where=tasks.c.leftover,
    postgresql_where=tasks.c.leftover,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("name", CleanText, nullable=False),
    Column("tenant", Text, nullable=False, index=True),
    Column("user", Text, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("clearance", Integer, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("roles", JSON),  # NULL, of before there were any: as is_admin says
    Column("held_to", JSON),  # scopes; NULL: all that the roles open
    Column("curates", JSON),
    Column("front_end", String(64)),  # whose people it speaks for; it is nobody itself
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime),
    Column("revoked", UtcTime),
    Column("last_used", UtcTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("key_id", String(16), ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=True),
    Column("tenant", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("clearance", Integer, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("roles", JSON),  # NULL, of before there were any: as is_admin says
    Column("held_to", JSON),  # scopes; NULL: all that the roles open
    Column("curates", JSON),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False, index=True),
    Column("issuer", Text),  # the directory that vouched for it, and may end it
    Column("subject", Text),  # the person, as it knows them
    Column("sid", Text),  # the session, as it knows it
)

sources = Table(
    "sources",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("options", JSON, nullable=False),  # what the command said of it the last time
    Column("checkpoint", JSON, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),  # of the last sync that came to its end
    Column("counts", JSON),
    Column("error", CleanText),
    Column("holder", Text),  # who syncs it right now
    Column("held_until", UtcTime),
)

source_items = Table(  # what a source held when it was last looked through
    "source_items",
    metadata,
    Column("source_id", String(36), ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("target", String(36), primary_key=True),
    Column("uri", CleanText, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("size", BigInteger),
    Column("content_hash", String(64)),  # NULL until it has been read
    Column("facts", JSON),  # the values of the metadata field that says who may read
    Column("told_by", Text),  # the content and stamp of the file beside it; NULL: none was there
    Column("job_id", String(36)),  # set until the job that takes it in has ended
)

archive_members = Table(  # which documents were taken out of which archive
    "archive_members",
    metadata,
    Column("container", String(36), primary_key=True),
    Column("document_id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
)
