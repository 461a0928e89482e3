"""What a worker may write, it may write while it holds the task: checked where it is written."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from sovereign_rag.catalog.announcements import announce_jobs
from sovereign_rag.catalog.records import DocumentRecord, Lease, LeaseState, TaskState
from sovereign_rag.catalog.tables import jobs, tasks
from sovereign_rag.metadata import NOTHING_STATED, Stated

UNFINISHED = [state.value for state in TaskState if not state.is_final]


class LeaseLost(Exception):
    """The task is another worker's, or is to end; nothing was written."""


def is_cancelled() -> ColumnElement[bool]:
    """Whether a row of `tasks` is to end: its job was cancelled, or its document deleted."""
    job_cancelled = exists().where(jobs.c.id == tasks.c.job_id, jobs.c.cancelled.is_not(None))
    return or_(tasks.c.cancelled.is_not(None), job_cancelled)


def lease_state(connection: Connection, lease: Lease) -> LeaseState:
    """How the worker stands to the task, at the moment of the transaction."""
    held = and_(tasks.c.id == lease.task_id, tasks.c.worker == lease.worker)
    cancelled = connection.execute(
        select(is_cancelled()).select_from(tasks).where(held, tasks.c.state.in_(UNFINISHED))
    ).scalar_one_or_none()
    if cancelled is None:
        return LeaseState.LOST
    return LeaseState.CANCELLED if cancelled else LeaseState.HELD


def require_held(connection: Connection, lease: Lease | None) -> None:
    """Go on with the transaction only under the lease; None: what is written is no job's.

    Raises:
        LeaseLost: The transaction is rolled back, whatever it has written.
    """
    if lease is not None and lease_state(connection, lease) is not LeaseState.HELD:
        raise LeaseLost(f"Task {lease.task_id} is not {lease.worker}'s any more.")


def said_rights(
    connection: Connection, lease: Lease, document_id: str
) -> tuple[frozenset[str], int] | None:
    """Readers and level that the task says by now; None: it is another document's."""
    own = and_(tasks.c.id == lease.task_id, tasks.c.target == document_id)
    row = connection.execute(select(tasks.c.readers, tasks.c.level).where(own)).first()
    return None if row is None else (frozenset(row[0]), row[1])


def said_metadata(connection: Connection, lease: Lease) -> Stated | None:
    """What the task says of its document by now; None: nothing."""
    statement = select(tasks.c.stated).where(tasks.c.id == lease.task_id)
    plain = connection.execute(statement).scalar()
    return None if plain is None else Stated.of(plain)


def stated_now(
    connection: Connection,
    record: DocumentRecord,
    known: DocumentRecord | None,
    lease: Lease | None,
) -> Stated:
    """What is stated of a document that is published: as its task says by now, or as before."""
    said = None if lease is None else said_metadata(connection, lease)
    if said is not None:
        return said
    if known is not None:
        return known.stated
    return record.stated if lease is None else NOTHING_STATED


def keeps_access(connection: Connection, lease: Lease) -> bool:
    """Whether the task leaves who may read its document as it is."""
    statement = select(tasks.c.keeps_access).where(tasks.c.id == lease.task_id)
    return bool(connection.execute(statement).scalar())


def close_finished_jobs(connection: Connection, job_ids: Iterable[str], now: datetime) -> None:
    """Mark as finished those of the jobs whose last task has ended, and announce it."""
    closed = connection.execute(
        update(jobs)
        .where(
            jobs.c.id.in_(sorted(set(job_ids))),
            jobs.c.accepted.is_not(None),
            jobs.c.finished.is_(None),
            ~exists().where(tasks.c.job_id == jobs.c.id, tasks.c.state.in_(UNFINISHED)),
        )
        .values(finished=now, pause_reason=None, retry_at=None, faults=0)
        .returning(jobs.c.id)
    )
    announce_jobs(connection, list(closed.scalars()), now)
