"""Jobs: durable records of what is to be done, one task for each document."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.database import Part, batches
from sovereign_rag.catalog.documents import UNFINISHED
from sovereign_rag.catalog.records import JobRecord, NewTask, TaskRecord, TaskState, document_id
from sovereign_rag.catalog.tables import jobs, tasks
from sovereign_rag.errors import NotFound

_ABANDONED = timedelta(days=1)


class Jobs(Part):
    """Submitted, looked at, cancelled, tried again; `leases` is how workers do them."""

    def create_job(
        self,
        tenant: str,
        submitted_by: str,
        tasks: Iterable[NewTask],
        idempotency_key: str | None = None,
    ) -> JobRecord:
        """Record a job; workers see it when it is whole, so a crash before that leaves nothing.

        Args:
            tasks: Taken in batches, so a generator of any length needs no memory.
            idempotency_key: The same key of the same submitter gives the same job; the tasks of
                later calls are not looked at.
        """
        if idempotency_key is not None:
            with self._database.reading() as connection:
                known = _by_key(connection, tenant, submitted_by, idempotency_key)
                if known is not None:
                    return _record(connection, known)
        job_id = str(uuid.uuid4())
        self._begin(job_id, tenant, submitted_by)
        try:
            self._add(job_id, tenant, tasks)
            return self._accept(job_id, tenant, submitted_by, idempotency_key)
        except BaseException:
            with self._database.writing() as connection:
                connection.execute(delete(jobs).where(jobs.c.id == job_id))
            raise

    def job(self, job_id: str, tenant: str) -> JobRecord:
        """One job. Raises NotFound, also for another tenant's."""
        with self._database.reading() as connection:
            return _record(connection, _row(connection, job_id, tenant))

    def jobs(self, tenant: str, limit: int) -> list[JobRecord]:
        """The tenant's jobs, newest first."""
        statement = (
            select(jobs)
            .where(jobs.c.tenant == tenant, jobs.c.accepted.is_not(None))
            .order_by(jobs.c.created.desc(), jobs.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
            return [_record(connection, row) for row in rows]

    def tasks(
        self, job_id: str, tenant: str, *, after: int | None = None, limit: int = 1_000
    ) -> list[TaskRecord]:
        """A job's tasks in the order in which they were given.

        Args:
            after: The last id of the page before.

        Raises:
            NotFound: There is no such job in the tenant.
        """
        statement = (
            select(tasks)
            .where(tasks.c.job_id == job_id, tasks.c.id > (after or 0))
            .order_by(tasks.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            _row(connection, job_id, tenant)
            return [task_record(row) for row in connection.execute(statement).mappings()]

    def cancel_job(self, job_id: str, tenant: str) -> JobRecord:
        """Stop a job: waiting tasks end now, leased ones when their workers next renew.

        Raises:
            NotFound: There is no such job in the tenant.
        """
        now = self._clock()
        with self._database.writing() as connection:
            row = _row(connection, job_id, tenant)
            if row["finished"] is None and row["cancelled"] is None:
                connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancelled=now))
                connection.execute(
                    update(tasks)
                    .where(tasks.c.job_id == job_id, tasks.c.state == TaskState.WAITING.value)
                    .values(state=TaskState.CANCELLED.value, finished=now)
                )
                settle(connection, [job_id], now)
            return _record(connection, _row(connection, job_id, tenant))

    def retry_job(self, job_id: str, tenant: str) -> JobRecord:
        """Let what failed, and nothing else, wait again; a cancelled job goes on with it.

        A document that was handed in again since stays as it is: the newer one counts.

        Raises:
            NotFound: There is no such job in the tenant.
        """
        newer = tasks.alias()
        superseded = exists().where(
            newer.c.target == tasks.c.target,
            newer.c.id > tasks.c.id,
            newer.c.state != TaskState.CANCELLED.value,
        )
        with self._database.writing() as connection:
            _row(connection, job_id, tenant)
            waiting = connection.execute(
                update(tasks)
                .where(
                    tasks.c.job_id == job_id,
                    tasks.c.state == TaskState.FAILED.value,
                    ~superseded,
                )
                .values(
                    state=TaskState.WAITING.value,
                    reason=None,
                    attempts=0,
                    finished=None,
                    not_before=None,
                )
            )
            if waiting.rowcount:
                connection.execute(
                    update(jobs).where(jobs.c.id == job_id).values(finished=None, cancelled=None)
                )
            return _record(connection, _row(connection, job_id, tenant))

    def _begin(self, job_id: str, tenant: str, submitted_by: str) -> None:
        now = self._clock()
        with self._database.writing() as connection:
            # What a process left behind that died while it wrote down its tasks.
            connection.execute(
                delete(jobs).where(jobs.c.accepted.is_(None), jobs.c.created < now - _ABANDONED)
            )
            connection.execute(
                insert(jobs).values(
                    id=job_id, tenant=tenant, submitted_by=submitted_by, created=now
                )
            )

    def _add(self, job_id: str, tenant: str, new_tasks: Iterable[NewTask]) -> None:
        # Between the batches nothing is locked: the iterable may read files as it goes.
        position = 0
        for batch in batches(new_tasks):
            rows = [
                _new_row(task, job_id, tenant, position + place)
                for place, task in enumerate(batch, start=1)
            ]
            position += len(batch)
            with self._database.writing() as connection:
                connection.execute(insert(tasks), rows)

    def _accept(
        self, job_id: str, tenant: str, submitted_by: str, idempotency_key: str | None
    ) -> JobRecord:
        now = self._clock()
        with self._database.writing() as connection:
            if idempotency_key is not None:
                known = _by_key(connection, tenant, submitted_by, idempotency_key)
                if known is not None:  # another process was faster with the same key
                    connection.execute(delete(jobs).where(jobs.c.id == job_id))
                    return _record(connection, known)
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id)
                .values(accepted=now, idempotency_key=idempotency_key)
            )
            settle(connection, [job_id], now)  # a job without tasks is finished
            return _record(connection, _row(connection, job_id, tenant))


def settle(connection: Connection, job_ids: Iterable[str], now: datetime) -> None:
    """Mark as finished those of the jobs whose last task has ended."""
    connection.execute(
        update(jobs)
        .where(
            jobs.c.id.in_(sorted(set(job_ids))),
            jobs.c.accepted.is_not(None),
            jobs.c.finished.is_(None),
            ~exists().where(tasks.c.job_id == jobs.c.id, tasks.c.state.in_(UNFINISHED)),
        )
        .values(finished=now)
    )


def task_record(row: RowMapping) -> TaskRecord:
    values = {name: row[name] for name in TaskRecord.__dataclass_fields__}
    values |= {"state": TaskState(row["state"]), "readers": frozenset(row["readers"])}
    return TaskRecord(**values)


def _new_row(task: NewTask, job_id: str, tenant: str, position: int) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "position": position,
        "tenant": tenant,
        "target": document_id(tenant, task.uri),
        "uri": task.uri,
        "name": task.name,
        "readers": sorted(task.readers),
        "level": task.level,
        "content_hash": task.content_hash,
        "path": task.path,
        "modified": task.modified,
        "state": TaskState.WAITING.value,
        "pages": 0,
        "chunks": 0,
        "attempts": 0,
    }


def _row(connection: Connection, job_id: str, tenant: str) -> RowMapping:
    row = (
        connection.execute(
            select(jobs).where(
                jobs.c.id == job_id, jobs.c.tenant == tenant, jobs.c.accepted.is_not(None)
            )
        )
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound(
            f"There is no job {job_id!r}; `sovereign-rag jobs list` shows those there are."
        )
    return row


def _by_key(connection: Connection, tenant: str, submitted_by: str, key: str) -> RowMapping | None:
    return (
        connection.execute(
            select(jobs).where(
                jobs.c.tenant == tenant,
                jobs.c.submitted_by == submitted_by,
                jobs.c.idempotency_key == key,
            )
        )
        .mappings()
        .first()
    )


def _record(connection: Connection, row: RowMapping) -> JobRecord:
    counted = connection.execute(
        select(tasks.c.state, func.count())
        .where(tasks.c.job_id == row["id"])
        .group_by(tasks.c.state)
    )
    counts = {TaskState(state): count for state, count in counted}
    return JobRecord(
        id=row["id"],
        tenant=row["tenant"],
        submitted_by=row["submitted_by"],
        created=row["created"],
        finished=row["finished"],
        cancelled=row["cancelled"] is not None,
        counts={state: counts[state] for state in TaskState if state in counts},
    )
