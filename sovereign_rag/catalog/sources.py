"""Sources: what each held when it was last looked through, and who is looking right now."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.announcements import Event, announce
from sovereign_rag.catalog.database import IndexedPart, batches
from sovereign_rag.catalog.document_rows import VERSION, readers_of
from sovereign_rag.catalog.index_rows import in_index
from sovereign_rag.catalog.records import DocumentStatus, TaskState
from sovereign_rag.catalog.source_tables import source_runs
from sovereign_rag.catalog.tables import (
    archive_members,
    documents,
    index_documents,
    jobs,
    source_items,
    sources,
    tasks,
)
from sovereign_rag.errors import Busy, NotFound

_SOURCES: Final = uuid.uuid5(uuid.NAMESPACE_URL, "sovereign-rag:source")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What is known of a source between two looks."""

    id: str
    tenant: str
    name: str  # of its section in the settings; of a folder without one, its path
    kind: str
    options: Mapping[str, Any]
    checkpoint: Mapping[str, Any]
    started: datetime | None
    finished: datetime | None
    counts: Mapping[str, int] | None
    error: str | None
    holder: str | None
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A thing that the source held: a file, an object, a message."""

    target: str  # the id that its document has, or would have
    uri: str
    stamp: str  # another one: its content may have changed
    size: int | None = None
    content_hash: str | None = None  # None until it has been read
    facts: tuple[str, ...] | None = None
    told_by: str | None = None  # the file beside it that said something of it last
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """What a sync needs to know of a document that is there already."""

    id: str
    uri: str
    name: str
    status: DocumentStatus
    content_hash: str
    version: str
    size: int
    level: int
    readers: frozenset[str] = field(default_factory=frozenset)


_KNOWN = [
    VERSION if name == "version" else documents.c[name]
    for name in KnownDocument.__dataclass_fields__
    if name != "readers"
]


class Sources(IndexedPart):
    """For syncs; `holder` names one run of one and is never used again."""

    def begin_sync(
        self, tenant: str, name: str, kind: str, *, holder: str, lease_s: float
    ) -> SourceRecord:
        """Hold a source for one sync; a source that is new is recorded.

        Raises:
            Busy: Another sync holds it.
        """
        now, source_id = self._clock(), source_id_of(tenant, name)
        held = {"holder": holder, "held_until": now + timedelta(seconds=lease_s), "started": now}
        with self._database.writing() as connection:
            row = _row(connection, source_id)
            if row is None:
                new = {"id": source_id, "tenant": tenant, "name": name, "kind": kind}
                empty: dict[str, Any] = {"options": {}, "checkpoint": {}}
                connection.execute(insert(sources).values(**new, **empty, **held))
            elif row["holder"] is not None and row["held_until"] > now:
                raise Busy(
                    f"The source {name!r} is being synced since {row['started']:%H:%M} UTC. Wait "
                    "for that to end; should its process have died, its lease ends by itself "
                    f"within {lease_s:.0f} seconds.",
                    retry_after_s=lease_s,
                )
            else:
                changed = update(sources).where(sources.c.id == source_id)
                connection.execute(changed.values(kind=kind, **held))
            found = _row(connection, source_id)
            assert found is not None
            return SourceRecord(**found)

    def renew_sync(self, source_id: str, holder: str, lease_s: float) -> bool:
        """Hold it on. False: the lease is lost."""
        until = self._clock() + timedelta(seconds=lease_s)
        held = (sources.c.id == source_id) & (sources.c.holder == holder)
        with self._database.writing() as connection:
            renewed = connection.execute(update(sources).where(held).values(held_until=until))
            return renewed.rowcount > 0

    def end_sync(
        self,
        source_id: str,
        holder: str,
        *,
        counts: Mapping[str, int] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Let go of a source. With `counts` the sync came to its end."""
        values: dict[str, Any] = {"holder": None, "held_until": None, "error": error}
        if counts is not None:
            values |= {"counts": dict(counts), "finished": self._clock()}
        if checkpoint is not None:
            values["checkpoint"] = dict(checkpoint)
        if options is not None:
            values["options"] = dict(options)
        held = (sources.c.id == source_id) & (sources.c.holder == holder)
        with self._database.writing() as connection:
            row = _row(connection, source_id)
            ended = connection.execute(update(sources).where(held).values(**values))
            if row is not None and ended.rowcount:
                run = {"started": row["started"], "finished": self._clock(), "error": error}
                told = None if counts is None else dict(counts)
                connection.execute(
                    insert(source_runs).values(source_id=source_id, counts=told, **run)
                )
                _announce(connection, row, told, is_failed=error is not None, now=run["finished"])

    def free_syncs(self, holders: Iterable[str]) -> None:
        """End the leases of processes that the caller knows to have died."""
        values = {"holder": None, "held_until": None, "error": "The process that synced it died."}
        with self._database.writing() as connection:
            doomed = sources.c.holder.in_(sorted(holders))
            connection.execute(update(sources).where(doomed).values(**values))

    def sync_holders(self) -> list[str]:
        """Who syncs something right now."""
        statement = select(sources.c.holder).where(sources.c.holder.is_not(None))
        with self._database.reading() as connection:
            return sorted(connection.scalars(statement))

    def all(self) -> list[SourceRecord]:
        """Every source that was ever synced, of all tenants, by tenant and name."""
        statement = select(sources).order_by(sources.c.tenant, sources.c.name)
        with self._database.reading() as connection:
            return [SourceRecord(**row) for row in connection.execute(statement).mappings()]

    def find(self, tenant: str, name: str) -> SourceRecord | None:
        """One of them, or None where it never was synced."""
        with self._database.reading() as connection:
            row = _row(connection, source_id_of(tenant, name))
            return None if row is None else SourceRecord(**row)

    def holding(self, tenant: str, document_id: str) -> list[str]:
        """Names of the sources that held a document, or the archive it was in, when last synced."""
        containers = select(archive_members.c.container).where(
            archive_members.c.document_id == document_id, archive_members.c.tenant == tenant
        )
        target = source_items.c.target
        statement = (
            select(sources.c.name)
            .join(source_items, source_items.c.source_id == sources.c.id)
            .where(sources.c.tenant == tenant, or_(target == document_id, target.in_(containers)))
            .order_by(sources.c.name)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement.distinct()))

    def forget(self, tenant: str, name: str) -> None:
        """Forget a source and what it held; its documents stay. Raises NotFound."""
        doomed = sources.c.id == source_id_of(tenant, name)
        with self._database.writing() as connection:
            if not connection.execute(delete(sources).where(doomed)).rowcount:
                raise NotFound(
                    f"There is no source {name!r}; `sources list` shows those there are."
                )

    def items(self, source_id: str) -> dict[str, SourceItem]:
        """What the source held, by target."""
        statement = select(source_items).where(source_items.c.source_id == source_id)
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings()
            return {row["target"]: _item(row) for row in rows}

    def put_items(self, source_id: str, items: Iterable[SourceItem]) -> None:
        """Record what the source holds now; an item that is known is replaced."""
        for batch in batches(items):
            rows = [_values(item, source_id) for item in batch]
            with self._database.writing() as connection:
                _drop(connection, source_id, [item.target for item in batch])
                connection.execute(insert(source_items), rows)

    def drop_items(self, source_id: str, targets: Sequence[str]) -> None:
        """Forget things that the source does not hold any more."""
        for batch in batches(targets):
            with self._database.writing() as connection:
                _drop(connection, source_id, batch)

    def confirm_items(self, source_id: str) -> frozenset[str]:
        """Look what became of the jobs of earlier syncs.

        What ended well or failed stays as it was recorded. What was cancelled, or whose job is
        gone, is forgotten, so that the next sync finds it new.

        Returns:
            The targets that still wait for a worker, or are with one.
        """
        mine = select(source_items).where(
            source_items.c.source_id == source_id, source_items.c.job_id.is_not(None)
        )
        waiting: set[str] = set()
        with self._database.writing() as connection:
            open_items = [_item(row) for row in connection.execute(mine).mappings()]
            states: dict[tuple[str, str], tuple[str, str | None]] = {}
            job_ids = sorted({item.job_id for item in open_items if item.job_id})
            for ids in batches(job_ids):
                rows = connection.execute(
                    select(tasks.c.job_id, tasks.c.target, tasks.c.state, tasks.c.content_hash)
                    .join(jobs, jobs.c.id == tasks.c.job_id)
                    .where(tasks.c.job_id.in_(ids), jobs.c.accepted.is_not(None))
                )
                states |= {(job, target): (state, read) for job, target, state, read in rows}
            done: list[SourceItem] = []
            lost: list[str] = []
            for item in open_items:
                known = states.get((item.job_id or "", item.target), ("cancelled", None))
                state, content_hash = TaskState(known[0]), known[1] or item.content_hash
                if not state.is_final:
                    waiting.add(item.target)
                elif state is TaskState.CANCELLED:
                    lost.append(item.target)
                else:
                    done.append(replace(item, job_id=None, content_hash=content_hash))
            for targets in batches([*lost, *(item.target for item in done)]):
                _drop(connection, source_id, targets)
            for items in batches(done):
                connection.execute(insert(source_items), [_values(i, source_id) for i in items])
        return frozenset(waiting)

    def set_waiting_rights(
        self, tenant: str, rights: Mapping[str, tuple[frozenset[str], int]]
    ) -> None:
        """Change who will read documents, by target, that wait to be taken in."""
        with self._database.writing() as connection:
            for target, (readers, level) in rights.items():
                connection.execute(
                    update(tasks)
                    .where(
                        tasks.c.target == target,
                        tasks.c.tenant == tenant,
                        tasks.c.state == TaskState.WAITING.value,
                    )
                    .values(readers=sorted(readers), level=level)
                )

    def documents_below(self, tenant: str, prefix: str) -> dict[str, KnownDocument]:
        """The tenant's documents whose URI begins with `prefix`, by id."""
        below = documents.c.uri.startswith(prefix, autoescape=True)
        with self._database.reading() as connection:
            rows = connection.execute(
                select(*_KNOWN)
                .select_from(documents.outerjoin(index_documents, in_index(self._index)))
                .where(documents.c.tenant == tenant, below)
            ).mappings()
            found = {row["id"]: row for row in rows if row["uri"].startswith(prefix)}
            readers = readers_of(connection, list(found))
        return {
            id_: KnownDocument(
                **{**row, "status": DocumentStatus(row["status"])}, readers=frozenset(readers[id_])
            )
            for id_, row in found.items()
        }


def source_id_of(tenant: str, name: str) -> str:
    """The id of the source of that name in the tenant."""
    return str(uuid.uuid5(_SOURCES, f"{tenant}\n{name}"))


def _row(connection: Connection, source_id: str) -> RowMapping | None:
    return connection.execute(select(sources).where(sources.c.id == source_id)).mappings().first()


def _announce(
    connection: Connection,
    row: RowMapping,
    counts: dict[str, int] | None,
    *,
    is_failed: bool,
    now: datetime,
) -> None:
    """Tell how a sync ended; what went wrong may name documents, and is not told."""
    told: dict[str, Any] = {"source": row["name"]}
    if is_failed:
        announce(connection, Event.SOURCE_FAILED, row["tenant"], told, now)
    elif counts is not None:
        told["counts"] = counts
        announce(connection, Event.SOURCE_SYNCED, row["tenant"], told, now)


def _item(row: RowMapping) -> SourceItem:
    facts = None if row["facts"] is None else tuple(row["facts"])
    return SourceItem(
        target=row["target"],
        uri=row["uri"],
        stamp=row["stamp"],
        size=row["size"],
        content_hash=row["content_hash"],
        facts=facts,
        told_by=row["told_by"],
        job_id=row["job_id"],
    )


def _values(item: SourceItem, source_id: str) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "target": item.target,
        "uri": item.uri,
        "stamp": item.stamp,
        "size": item.size,
        "content_hash": item.content_hash,
        "facts": None if item.facts is None else list(item.facts),
        "told_by": item.told_by,
        "job_id": item.job_id,
    }


def _drop(connection: Connection, source_id: str, targets: Sequence[str]) -> None:
    mine = source_items.c.source_id == source_id
    connection.execute(delete(source_items).where(mine, source_items.c.target.in_(targets)))
