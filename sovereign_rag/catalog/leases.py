"""Leases: how workers, in any number of processes, share the tasks of all jobs.

A task is held by one worker until it ends, is given back, or its lease runs out. Tasks for the
same document are done one after the other in the order in which they were handed in, so an older
version never replaces a newer one.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, and_, exists, or_, select, update

from sovereign_rag.catalog.database import Part
from sovereign_rag.catalog.documents import UNFINISHED
from sovereign_rag.catalog.jobs import settle, task_record
from sovereign_rag.catalog.records import TaskRecord, TaskState
from sovereign_rag.catalog.tables import jobs, tasks

_FREE: dict[str, Any] = {"worker": None, "leased_until": None}
_STAGES = (TaskState.PARSING, TaskState.EMBEDDING)


class Leases(Part):
    """For workers. `worker` names one thread of one process and is never used again."""

    def lease_task(
        self, worker: str, *, lease_s: float, job_id: str | None = None
    ) -> TaskRecord | None:
        """Take the next task, or None where there is none right now.

        Jobs take turns: the first documents of all jobs come before the second ones, so a small
        job does not wait for the end of a large one. A task whose worker fell silent waits again;
        after the last attempt it has failed.

        Args:
            lease_s: Silent for so long, the worker loses the task.
            job_id: Only what this job waits for; that includes an earlier task of another job
                for the same document, which has to come first.
        """
        now = self._clock()
        with self._database.writing() as connection:
            self._take_back(connection, tasks.c.leased_until < now, now)
            ready = (
                select(tasks.c.id)
                .join(jobs, jobs.c.id == tasks.c.job_id)
                .where(
                    tasks.c.state == TaskState.WAITING.value,
                    jobs.c.accepted.is_not(None),
                    or_(tasks.c.not_before.is_(None), tasks.c.not_before <= now),
                    ~_must_wait(),
                )
                .order_by(tasks.c.position, tasks.c.id)
                .limit(1)
            )
            if job_id is not None:
                own = tasks.alias()
                ready = ready.where(
                    tasks.c.target.in_(
                        select(own.c.target).where(
                            own.c.job_id == job_id, own.c.state == TaskState.WAITING.value
                        )
                    )
                )
            chosen = connection.scalar(ready)
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

    def renew_lease(self, task_id: int, worker: str, lease_s: float) -> bool:
        """Hold a task for `lease_s` more from now.

        Returns:
            False: The lease is lost or the job was cancelled; the worker drops the task.
        """
        until = self._clock() + timedelta(seconds=lease_s)
        cancelled = exists().where(jobs.c.id == tasks.c.job_id, jobs.c.cancelled.is_not(None))
        renewed = _held(task_id, worker).where(~cancelled).values(leased_until=until)
        with self._database.writing() as connection:
            return connection.execute(renewed).rowcount > 0

    def advance(self, task_id: int, worker: str, state: TaskState) -> bool:
        """Say that the task is being parsed or embedded now. False: the lease is lost."""
        if state not in _STAGES:
            raise ValueError(f"{state!r} is no stage of a leased task; use finish_task to end it")
        with self._database.writing() as connection:
            advanced = _held(task_id, worker).values(state=state.value)
            return connection.execute(advanced).rowcount > 0

    def finish_task(
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
        ended = _held(task_id, worker).values(
            **_FREE,
            state=state.value,
            reason=reason,
            document_id=document_id,
            pages=pages,
            chunks=chunks,
            finished=now,
        )
        with self._database.writing() as connection:
            if not connection.execute(ended).rowcount:
                return False
            settle(connection, [_job_of(connection, task_id)], now)
            return True

    def release_task(self, task_id: int, worker: str, *, reason: str, not_before_s: float) -> bool:
        """Give a task back that this machine, not the document, kept from ending.

        It waits again for `not_before_s` seconds at least, and the attempt does not count. A task
        of a cancelled job ends.

        Returns:
            False: The lease was lost already.
        """
        now = self._clock()
        with self._database.writing() as connection:
            held = and_(tasks.c.id == task_id, tasks.c.worker == worker)
            if connection.scalar(select(tasks.c.id).where(held)) is None:
                return False
            connection.execute(
                update(tasks)
                .where(held)
                .values(
                    **_FREE,
                    state=TaskState.WAITING.value,
                    reason=reason,
                    attempts=tasks.c.attempts - 1,
                    not_before=now + timedelta(seconds=not_before_s),
                )
            )
            _end_cancelled(connection, [task_id], now)
            settle(connection, [_job_of(connection, task_id)], now)
            return True

    def lease_holders(self) -> list[str]:
        """The names of the workers that hold a task."""
        statement = select(tasks.c.worker).where(tasks.c.worker.is_not(None)).distinct()
        with self._database.reading() as connection:
            return sorted(connection.scalars(statement))

    def free_leases(self, worker: str) -> int:
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
            select(tasks.c.id, tasks.c.job_id, tasks.c.attempts).where(
                tasks.c.worker.is_not(None), condition
            )
        ).all()
        for task_id, _, attempts in lost:
            values = {**_FREE, "state": TaskState.WAITING.value}
            if attempts >= self._max_attempts:
                values |= {
                    "state": TaskState.FAILED.value,
                    "finished": now,
                    "reason": (
                        f"The worker stopped {attempts} times while reading this document, "
                        "perhaps for lack of memory. See the log, then retry the job."
                    ),
                }
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(**values))
        if lost:
            _end_cancelled(connection, [task_id for task_id, _, _ in lost], now)
            settle(connection, [job_id for _, job_id, _ in lost], now)
        return len(lost)


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


def _end_cancelled(connection: Connection, task_ids: list[int], now: datetime) -> None:
    cancelled = exists().where(jobs.c.id == tasks.c.job_id, jobs.c.cancelled.is_not(None))
    connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(task_ids), tasks.c.state == TaskState.WAITING.value, cancelled)
        .values(state=TaskState.CANCELLED.value, finished=now)
    )


def _job_of(connection: Connection, task_id: int) -> str:
    job_id: str = connection.execute(
        select(tasks.c.job_id).where(tasks.c.id == task_id)
    ).scalar_one()
    return job_id
