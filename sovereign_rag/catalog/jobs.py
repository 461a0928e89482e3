"""Jobs: durable records of what is to be done, one task for each document."""

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, exists, func, insert, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.holding import close_finished_jobs
from sovereign_rag.catalog.idempotency import check_same, job_by_key
from sovereign_rag.catalog.outages import STORE, Outage, current_outage
from sovereign_rag.catalog.records import (
    JobProgress,
    JobRecord,
    NewTask,
    TaskRecord,
    TaskState,
    document_id,
)
from sovereign_rag.catalog.tables import jobs, tasks
from sovereign_rag.catalog.uploads import ContentCondition, require_content
from sovereign_rag.errors import NotFound
from sovereign_rag.metadata import Stated

_ABANDONED = timedelta(days=1)
_LATELY = timedelta(minutes=3)  # what a rate is measured over
_SHORTEST = timedelta(seconds=5)  # else the first document's rate would be anything
_FAILURES = 10  # told with the progress
_IN_WORK = (TaskState.PARSING.value, TaskState.EMBEDDING.value)
_FINAL = [state.value for state in TaskState if state.is_final]


class Jobs(CatalogPart):
    """Submitted, looked at, cancelled, tried again; `leases` is how workers do them."""

    def create(
        self,
        tenant: str,
        submitted_by: str,
        tasks: Iterable[NewTask],
        idempotency_key: str | None = None,
        *,
        job_id: str | None = None,
        before_commit: Callable[[], None] = lambda: None,
        conditions: Sequence[ContentCondition] = (),
    ) -> JobRecord:
        """Record a job; workers see it when it is whole, so a crash before that leaves nothing.

        Args:
            tasks: Taken in batches, so a generator of any length needs no memory.
            idempotency_key: The same key of the same submitter gives the same job, and nothing is
                taken in anew.
            job_id: Its id; None: a new one.
            before_commit: Called when the tasks are recorded and before a worker sees them: it puts
                the bytes where they are looked for, which nothing removes any more from then on.

            conditions: What has to be there, at the moment when the job is accepted.

        Raises:
            KeyReused: The key came before, with other tasks.
            DocumentChanged: A condition does not hold; there is no job.
        """
        if idempotency_key is not None:
            tasks = tuple(tasks)
            with self._database.reading() as connection:
                known = job_by_key(connection, tenant, submitted_by, idempotency_key)
                if known is not None:
                    check_same(connection, known["id"], tasks, idempotency_key)
                    return job_record(connection, known)
        job_id = job_id or str(uuid.uuid4())
        self._begin(job_id, tenant, submitted_by)
        try:
            self._add(job_id, tenant, tasks)
            before_commit()
            key = None if idempotency_key is None else (idempotency_key, tuple(tasks))
            return self._accept(job_id, tenant, submitted_by, key, conditions)
        except BaseException:  # whatever stopped it, a job without all of its tasks never was
            with self._database.writing() as connection:
                connection.execute(delete(jobs).where(jobs.c.id == job_id))
            raise

    def get(self, job_id: str, tenant: str) -> JobRecord:
        """One job. Raises NotFound, also for another tenant's."""
        with self._database.reading() as connection:
            return job_record(connection, _row(connection, job_id, tenant))

    def recent(
        self, tenant: str, limit: int, *, submitted_by: str | None = None
    ) -> list[JobRecord]:
        """The tenant's jobs, newest first; those of one submitter, where one is named."""
        statement = (
            select(jobs)
            .where(jobs.c.tenant == tenant, jobs.c.accepted.is_not(None))
            .order_by(jobs.c.created.desc(), jobs.c.id)
            .limit(limit)
        )
        if submitted_by is not None:
            statement = statement.where(jobs.c.submitted_by == submitted_by)
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
            return [job_record(connection, row) for row in rows]

    def tasks(
        self,
        job_id: str,
        tenant: str,
        *,
        after: int | None = None,
        limit: int = 1_000,
        states: Collection[TaskState] | None = None,
    ) -> list[TaskRecord]:
        """A job's tasks in the order in which they were given.

        Args:
            after: The last id of the page before.
            states: Only those in one of these states; None: all.

        Raises:
            NotFound: There is no such job in the tenant.
        """
        statement = (
            select(tasks)
            .where(tasks.c.job_id == job_id, tasks.c.id > (after or 0))
            .order_by(tasks.c.id)
            .limit(limit)
        )
        if states is not None:
            statement = statement.where(tasks.c.state.in_([state.value for state in states]))
        with self._database.reading() as connection:
            _row(connection, job_id, tenant)
            return [task_record(row) for row in connection.execute(statement).mappings()]

    def progress(self, job_id: str, tenant: str) -> JobProgress:
        """How far a job is, without reading all its tasks.

        Raises:
            NotFound: There is no such job in the tenant.
        """
        now = self._clock()
        own = tasks.c.job_id == job_id
        is_final = tasks.c.state.in_(_FINAL)
        sums = select(
            func.coalesce(func.sum(case((is_final, tasks.c.pages), else_=0)), 0),
            func.coalesce(func.sum(tasks.c.pages), 0),
            func.coalesce(func.sum(tasks.c.chunks), 0),
        ).where(own)
        lately = select(
            func.count(), func.coalesce(func.sum(tasks.c.pages), 0), func.min(tasks.c.started)
        ).where(own, tasks.c.finished > now - _LATELY, tasks.c.started.is_not(None))
        in_work = select(tasks).where(own, tasks.c.state.in_(_IN_WORK)).order_by(tasks.c.id)
        failed = (
            select(tasks)
            .where(own, tasks.c.state == TaskState.FAILED.value)
            .order_by(tasks.c.finished.desc(), tasks.c.id.desc())
            .limit(_FAILURES)
        )
        with self._database.reading() as connection:
            job = job_record(connection, _row(connection, job_id, tenant))
            pages_done, pages_known, chunks = connection.execute(sums).one()
            documents, pages, since = connection.execute(lately).one()
            current = [task_record(row) for row in connection.execute(in_work).mappings()]
            failures = [task_record(row) for row in connection.execute(failed).mappings()]
        span = max(_SHORTEST, min(_LATELY, now - since)) if documents else _LATELY
        minutes = span.total_seconds() / 60
        left = job.total - job.done
        is_going = job.finished is None and job.pause_reason is None and left > 0
        return JobProgress(
            job=job,
            pages_done=pages_done,
            pages_known=pages_known,
            chunks=chunks,
            documents_per_minute=round(documents / minutes, 1),
            pages_per_minute=round(pages / minutes, 1),
            seconds_left=round(left / documents * minutes * 60) if documents and is_going else None,
            current=tuple(current),
            failures=tuple(failures),
        )

    def unfinished(self) -> list[JobProgress]:
        """How far the jobs are that have not ended, of every tenant: for the log."""
        statement = select(jobs.c.id, jobs.c.tenant).where(
            jobs.c.accepted.is_not(None), jobs.c.finished.is_(None)
        )
        with self._database.reading() as connection:
            found = connection.execute(statement.order_by(jobs.c.created)).all()
        return [self.progress(row.id, row.tenant) for row in found]

    def cancel(self, job_id: str, tenant: str) -> JobRecord:
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
                    .values(
                        state=TaskState.CANCELLED.value, reason=None, finished=now, password=None
                    )
                )
                close_finished_jobs(connection, [job_id], now)
            return job_record(connection, _row(connection, job_id, tenant))

    def retry(self, job_id: str, tenant: str) -> JobRecord:
        """Let what failed or was cancelled, and nothing else, wait again.

        A document that was handed in again since stays as it is: the newer one counts. A job that
        paused is tried at once.

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
                    tasks.c.state.in_([TaskState.FAILED.value, TaskState.CANCELLED.value]),
                    tasks.c.worker.is_(None),
                    ~superseded,
                )
                .values(
                    state=TaskState.WAITING.value,
                    reason=None,
                    attempts=0,
                    faults=0,
                    pages=0,
                    chunks=0,
                    started=None,
                    finished=None,
                    cancelled=None,
                    not_before=None,
                )
            )
            connection.execute(
                update(tasks)
                .where(tasks.c.job_id == job_id, tasks.c.state == TaskState.WAITING.value)
                .values(not_before=None, awaits=None)
            )
            resumed = {"retry_at": None, "faults": 0}
            if waiting.rowcount:
                resumed |= {"finished": None, "cancelled": None, "pause_reason": None}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(**resumed))
            return job_record(connection, _row(connection, job_id, tenant))

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
                new_row(task, job_id, tenant, position + place)
                for place, task in enumerate(batch, start=1)
            ]
            position += len(batch)
            with self._database.writing() as connection:
                connection.execute(insert(tasks), rows)

    def _accept(
        self,
        job_id: str,
        tenant: str,
        submitted_by: str,
        keyed: tuple[str, Sequence[NewTask]] | None,
        conditions: Sequence[ContentCondition],
    ) -> JobRecord:
        now = self._clock()
        with self._database.writing() as connection:
            if keyed is not None:
                known = job_by_key(connection, tenant, submitted_by, keyed[0])
                if known is not None:  # another process was faster with the same key
                    check_same(connection, known["id"], keyed[1], keyed[0])
                    connection.execute(delete(jobs).where(jobs.c.id == job_id))
                    return job_record(connection, known)
            require_content(connection, tenant, conditions)
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id)
                .values(accepted=now, idempotency_key=keyed[0] if keyed else None)
            )
            close_finished_jobs(connection, [job_id], now)  # a job without tasks is finished
            return job_record(connection, _row(connection, job_id, tenant))


def task_record(row: RowMapping) -> TaskRecord:
    values = {name: row[name] for name in TaskRecord.__dataclass_fields__}
    values |= {"state": TaskState(row["state"]), "readers": frozenset(row["readers"])}
    values["stated"] = None if row["stated"] is None else Stated.of(row["stated"])
    return TaskRecord(**values)


def new_row(task: NewTask, job_id: str, tenant: str, position: int) -> dict[str, Any]:
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
        "password": task.password,
        "keeps_access": task.keeps_access,
        "stated": None if task.stated is None else task.stated.plain(),
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


def job_record(connection: Connection, row: RowMapping) -> JobRecord:
    counted = connection.execute(
        select(tasks.c.state, func.count())
        .where(tasks.c.job_id == row["id"])
        .group_by(tasks.c.state)
    )
    counts = {TaskState(state): count for state, count in counted}
    reason, retry_at, since = row["pause_reason"], row["retry_at"], None
    if reason is None and (outage := _outage_of(connection, row)) is not None:
        reason, retry_at, since = outage.reason, outage.retry_at, outage.since
    return JobRecord(
        id=row["id"],
        tenant=row["tenant"],
        submitted_by=row["submitted_by"],
        created=row["created"],
        finished=row["finished"],
        cancelled=row["cancelled"] is not None,
        counts={state: counts[state] for state in TaskState if state in counts},
        pause_reason=reason,
        retry_at=retry_at,
        paused_since=since,
    )


def _outage_of(connection: Connection, row: RowMapping) -> Outage | None:
    """What is away that a job waits for."""
    if row["finished"] is not None:
        return None
    outage = current_outage(connection, STORE)
    waits = select(tasks.c.id).where(tasks.c.job_id == row["id"], tasks.c.awaits == STORE).limit(1)
    return None if outage is None or connection.scalar(waits) is None else outage
