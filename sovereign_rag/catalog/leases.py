"""Leases: how workers, in any number of processes, share the tasks of all jobs.

A task is held by one worker until it ends, is given back, or its lease runs out. Tasks for the
same document are done one after the other in the order in which they were handed in, so an older
version never replaces a newer one.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, and_, exists, or_, select, update

from sovereign_rag.catalog.database import CatalogPart, Clock, Database
from sovereign_rag.catalog.follow_ups import is_followed_up
from sovereign_rag.catalog.holding import UNFINISHED, close_finished_jobs, is_cancelled, lease_state
from sovereign_rag.catalog.jobs import task_record
from sovereign_rag.catalog.late_writes import note_late
from sovereign_rag.catalog.outages import STORE, awaiting, current_outage, note_outage
from sovereign_rag.catalog.records import Lease, LeaseState, TaskRecord, TaskState
from sovereign_rag.catalog.tables import jobs, tasks

_FREE: dict[str, Any] = {"worker": None, "leased_until": None}
_STAGES = (TaskState.PARSING, TaskState.EMBEDDING)
_SUCCESS = (TaskState.INDEXED, TaskState.PARTIAL, TaskState.UNCHANGED)
_LONGEST_PAUSE_S = 60.0
_REFUSALS = 5
_LONGEST_WAIT_S = 600.0  # of one document that the machine keeps failing at


class Leases(CatalogPart):
    """For workers. `worker` names one thread of one process and is never used again."""

    def __init__(
        self, database: Database, clock: Clock, max_attempts: int, most_awaiting: int
    ) -> None:
        """
        Args:
            max_attempts: The tries that a document has.
            most_awaiting: While the store is away, so many documents are made ready for it.
        """
        super().__init__(database, clock)
        self._max_attempts, self._most_awaiting = max_attempts, most_awaiting

    def acquire(
        self, worker: str, *, lease_s: float, job_id: str | None = None
    ) -> TaskRecord | None:
        """Take the next task, or None where there is none right now.

        Jobs take turns: the first documents of all jobs come before the second ones, so a small
        job does not wait for the end of a large one. A task whose worker fell silent waits again;
        after the last attempt it has failed. While the store is away, those that wait for nothing
        else are left alone.

        Args:
            lease_s: Silent for so long, the worker loses the task.
            job_id: Only what this job waits for; that includes an earlier task of another job
                for the same document, which has to come first.
        """
        now = self._clock()
        ready = _ready(now, job_id)
        fallen_silent = and_(tasks.c.worker.is_not(None), tasks.c.leased_until < now)
        with self._database.reading() as connection:  # who is idle keeps no writer waiting
            if current_outage(connection, STORE) is not None:
                if awaiting(connection, STORE) >= self._most_awaiting:
                    return None
                ready = ready.where(tasks.c.awaits.is_(None))
            silent = select(tasks.c.id).where(fallen_silent).limit(1)
            if connection.scalar(ready) is None and connection.scalar(silent) is None:
                return None
        with self._database.writing() as connection:
            self._take_back(connection, fallen_silent, now)
            # What the machine failed at comes last, so that it does not hold up the rest.
            chosen = connection.scalar(ready.where(tasks.c.faults == 0)) or connection.scalar(ready)
            if chosen is None:
                return None
            connection.execute(
                update(tasks)
                .where(tasks.c.id == chosen)
                .values(
                    state=TaskState.PARSING.value,
                    worker=worker,
                    leased_until=now + timedelta(seconds=lease_s),
                    attempts=tasks.c.attempts + 1,
                    started=now,
                    reason=None,
                    not_before=None,
                )
            )
            row = connection.execute(select(tasks).where(tasks.c.id == chosen)).mappings().one()
            return task_record(row)

    def renew(self, task_id: int, worker: str, lease_s: float) -> bool:
        """Hold a task for `lease_s` more from now.

        Returns:
            False: The lease is lost or the job was cancelled; the worker drops the task.
        """
        until = self._clock() + timedelta(seconds=lease_s)
        renewed = _held(task_id, worker).where(~is_cancelled()).values(leased_until=until)
        with self._database.writing() as connection:
            return connection.execute(renewed).rowcount > 0

    def state(self, lease: Lease) -> LeaseState:
        """How a worker stands to its task; a look that costs no write."""
        with self._database.reading() as connection:
            return lease_state(connection, lease)

    def advance(self, task_id: int, worker: str, state: TaskState, *, pages: int = 0) -> bool:
        """Say that the task is being parsed or embedded now. False: the lease is lost.

        From embedding on, chunks may be stored that no document names yet, and whatever becomes
        of the task, they are removed: `acquire_leftover`.

        Args:
            pages: How many it has, where that is known.
        """
        if state not in _STAGES:
            raise ValueError(f"{state!r} is no stage of a leased task; use finish to end it")
        values: dict[str, Any] = {"state": state.value, "pages": pages}
        if state is TaskState.EMBEDDING:
            values["leftover"] = True
        with self._database.writing() as connection:
            return connection.execute(_held(task_id, worker).values(**values)).rowcount > 0

    def record_content(self, lease: Lease, content_hash: str) -> bool:
        """Record which content a task is about, before its bytes are stored.

        From then on nothing removes them. False: the lease is lost.
        """
        named = _held(lease.task_id, lease.worker).values(content_hash=content_hash)
        with self._database.writing() as connection:
            return connection.execute(named).rowcount > 0

    def finish(
        self,
        task_id: int,
        worker: str,
        state: TaskState,
        *,
        reason: str | None = None,
        document_id: str | None = None,
        pages: int = 0,
        chunks: int = 0,
    ) -> bool:
        """End a task; with the last one its job is finished.

        Returns:
            False: The lease was lost, and nothing is recorded.
        """
        if not state.is_final:
            raise ValueError(f"{state!r} does not end a task")
        now = self._clock()
        values: dict[str, Any] = {
            **_FREE,
            "state": state.value,
            "reason": reason,
            "document_id": document_id,
            "pages": pages,
            "chunks": chunks,
            "finished": now,
            "password": None,
        }
        if state in _SUCCESS:
            values["leftover"] = False  # what is stored is what was published
        with self._database.writing() as connection:
            if not connection.execute(_held(task_id, worker).values(**values)).rowcount:
                return False
            job_id = _job_of(connection, task_id)
            if state in _SUCCESS:  # the machine works
                connection.execute(
                    update(jobs)
                    .where(jobs.c.id == job_id, jobs.c.pause_reason.is_not(None))
                    .values(pause_reason=None, retry_at=None, faults=0)
                )
            connection.execute(  # of a deleted document, nothing is kept for a retry
                update(tasks)
                .where(tasks.c.id == task_id, tasks.c.cancelled.is_not(None))
                .values(content_hash=None)
            )
            close_finished_jobs(connection, [job_id], now)
            return True

    def release(
        self, task_id: int, worker: str, *, reason: str, pause_s: float, awaits: str | None = None
    ) -> bool:
        """Give a task back that this machine, not the document, kept from ending.

        Its job pauses for `pause_s` seconds, twice as long with each fault in a row up to a
        minute. The task itself waits longer each time, so that one document which the machine
        keeps failing at does not stand in the way of the others. The attempt does not count. A
        task of a cancelled job ends.

        Args:
            awaits: The part that is away, see `Outages`; then nothing pauses but what needs it,
                until somebody found that it is back.

        Returns:
            False: The lease was lost already.
        """
        now = self._clock()
        with self._database.writing() as connection:
            held = and_(tasks.c.id == task_id, tasks.c.worker == worker)
            row = connection.execute(
                select(tasks.c.job_id, tasks.c.faults).where(held, tasks.c.state.in_(UNFINISHED))
            ).first()
            if row is None:
                return False
            job_id, faults = row
            wait_s = min(_LONGEST_WAIT_S, pause_s * 2 ** min(faults, 20))
            # One that the store refuses again and again, though it is there, waits like the rest.
            is_ready = awaits is not None and faults < _REFUSALS
            connection.execute(
                update(tasks)
                .where(held)
                .values(
                    **_FREE,
                    state=TaskState.WAITING.value,
                    reason=reason,
                    pages=0,
                    attempts=tasks.c.attempts - 1,
                    faults=faults + 1,
                    not_before=None if is_ready else now + timedelta(seconds=wait_s),
                    awaits=awaits,
                )
            )
            if awaits is None:
                _pause(connection, job_id, reason, pause_s, now)
            else:
                note_outage(connection, awaits, reason, now)
            _end_cancelled(connection, [task_id], now)
            close_finished_jobs(connection, [job_id], now)
            return True

    def acquire_leftover(self, worker: str, *, lease_s: float) -> TaskRecord | None:
        """Take an ended task that may have left chunks behind, to remove them; None: there is none.

        While it is held, nothing else is done for the document.
        """
        now = self._clock()
        other = tasks.alias()
        busy = exists().where(other.c.target == tasks.c.target, other.c.worker.is_not(None))
        left = (
            select(tasks)
            .where(tasks.c.leftover, tasks.c.state.not_in(UNFINISHED), ~busy)
            .order_by(tasks.c.id)
            .limit(1)
        )
        with self._database.reading() as connection:  # nearly always there is none
            if connection.execute(left).first() is None:
                return None
        with self._database.writing() as connection:
            row = connection.execute(left).mappings().first()
            if row is None:
                return None
            connection.execute(
                update(tasks)
                .where(tasks.c.id == row["id"])
                .values(worker=worker, leased_until=now + timedelta(seconds=lease_s))
            )
            return task_record(row)

    def end_leftover(self, task_id: int, worker: str, *, removed: bool) -> None:
        """Let go of what `acquire_leftover` gave; `removed`: there is nothing left behind."""
        values = {**_FREE, **({"leftover": False} if removed else {})}
        with self._database.writing() as connection:
            connection.execute(_held(task_id, worker).values(**values))

    def note_leftover(self, task_id: int) -> None:
        """Say that a worker which lost the task has written chunks, perhaps after its loss."""
        with self._database.writing() as connection:
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(leftover=True))

    def holders(self) -> list[str]:
        """The names of the workers that hold a task."""
        statement = select(tasks.c.worker).where(tasks.c.worker.is_not(None)).distinct()
        with self._database.reading() as connection:
            return sorted(connection.scalars(statement))

    def free(self, worker: str) -> int:
        """Take back what `worker` holds, for a caller who knows that it has died.

        Returns:
            How many tasks it held; each lost an attempt.
        """
        with self._database.writing() as connection:
            return self._take_back(connection, tasks.c.worker == worker, self._clock())

    def _take_back(
        self, connection: Connection, condition: ColumnElement[bool], now: datetime
    ) -> int:
        lost = connection.execute(
            select(
                tasks.c.id,
                tasks.c.job_id,
                tasks.c.attempts,
                tasks.c.state,
                tasks.c.leftover,
                tasks.c.tenant,
                tasks.c.target,
            ).where(tasks.c.worker.is_not(None), condition)
        ).all()
        for task_id, _, attempts, state, has_written, tenant, target in lost:
            values: dict[str, Any] = dict(_FREE)
            if has_written:  # what it asked of the store last may be done yet
                note_late(connection, tenant, target, now)
            if state in UNFINISHED:  # else it was held to clean up after it
                values |= {"state": TaskState.WAITING.value, "pages": 0}
            if state in UNFINISHED and attempts >= self._max_attempts:
                values |= {
                    "state": TaskState.FAILED.value,
                    "finished": now,
                    "password": None,
                    "reason": (
                        f"The worker stopped {attempts} times while reading this document, "
                        "perhaps for lack of memory. See the log, then retry the job."
                    ),
                }
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(**values))
        if lost:
            _end_cancelled(connection, [row.id for row in lost], now)
            close_finished_jobs(connection, [row.job_id for row in lost], now)
        return len(lost)


def _ready(now: datetime, job_id: str | None) -> Select[tuple[int]]:
    """The next task that may be begun, of all jobs or of what one waits for."""
    ready = (
        select(tasks.c.id)
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .where(
            tasks.c.state == TaskState.WAITING.value,
            jobs.c.accepted.is_not(None),
            or_(jobs.c.retry_at.is_(None), jobs.c.retry_at <= now),
            or_(tasks.c.not_before.is_(None), tasks.c.not_before <= now),
            ~_must_wait(),
            ~is_followed_up(tasks.c.target, now),
        )
        .order_by(tasks.c.position, tasks.c.id)
        .limit(1)
    )
    if job_id is None:
        return ready
    own = tasks.alias()
    wanted = select(own.c.target).where(
        own.c.job_id == job_id, own.c.state == TaskState.WAITING.value
    )
    return ready.where(tasks.c.target.in_(wanted))


def _held(task_id: int, worker: str) -> Update:
    return update(tasks).where(tasks.c.id == task_id, tasks.c.worker == worker)


def _must_wait() -> ColumnElement[bool]:
    """Another task for the same document is being worked on, or was handed in before."""
    other, other_job = tasks.alias(), jobs.alias()
    earlier = and_(other.c.id < tasks.c.id, other.c.state.in_(UNFINISHED))
    return exists().where(
        other.c.target == tasks.c.target,
        other.c.id != tasks.c.id,
        other_job.c.id == other.c.job_id,
        other_job.c.accepted.is_not(None),
        or_(other.c.worker.is_not(None), earlier),
    )


def _pause(connection: Connection, job_id: str, reason: str, pause_s: float, now: datetime) -> None:
    retry_at, faults = connection.execute(
        select(jobs.c.retry_at, jobs.c.faults).where(jobs.c.id == job_id)
    ).one()
    values: dict[str, Any] = {"pause_reason": reason}
    if retry_at is None or retry_at <= now:  # else another worker met the same fault just now
        wait_s = min(_LONGEST_PAUSE_S, pause_s * 2 ** min(faults, 20))
        values |= {"retry_at": now + timedelta(seconds=wait_s), "faults": faults + 1}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))


def _end_cancelled(connection: Connection, task_ids: list[int], now: datetime) -> None:
    connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(task_ids), tasks.c.state == TaskState.WAITING.value, is_cancelled())
        .values(state=TaskState.CANCELLED.value, finished=now, password=None)
    )


def _job_of(connection: Connection, task_id: int) -> str:
    job_id: str = connection.execute(
        select(tasks.c.job_id).where(tasks.c.id == task_id)
    ).scalar_one()
    return job_id
