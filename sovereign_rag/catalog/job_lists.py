"""Jobs by the hundred thousand: filtered, in pages, and what waits in all."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.jobs import job_record
from sovereign_rag.catalog.outages import STORE, current_outage
from sovereign_rag.catalog.records import JobRecord, TaskState
from sovereign_rag.catalog.tables import jobs, tasks

_LATELY = timedelta(days=7)
_IN_WORK = (TaskState.PARSING.value, TaskState.EMBEDDING.value)


class Which(StrEnum):
    """The jobs that somebody wants to see."""

    ALL = "all"
    GOING = "going"  # not at their end
    FAILED = "failed"  # a document of theirs could not be read, and may be tried again
    CANCELLED = "cancelled"
    DONE = "done"  # at their end, without a failure


@dataclass(frozen=True, slots=True)
class Queue:
    """What of a tenant waits to be taken in, and what lately was not."""

    jobs: int  # that have not ended
    waiting: int  # documents
    in_work: int
    failed_lately: int  # documents, of the last seven days
    paused: str | None  # why a job waits for the machine; None: none does


class JobLists(CatalogPart):
    """Looked at by the console."""

    def page(
        self,
        tenant: str,
        *,
        which: Which = Which.ALL,
        submitted_by: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> list[JobRecord]:
        """Jobs, newest first.

        Args:
            submitted_by: Those of one submitter alone.
            after: The id of the last one of the page before; of one that is gone: the first page.
        """
        condition = and_(jobs.c.tenant == tenant, jobs.c.accepted.is_not(None), _matches(which))
        if submitted_by is not None:
            condition = and_(condition, jobs.c.submitted_by == submitted_by)
        with self._database.reading() as connection:
            if after is not None:
                last = select(jobs.c.created).where(jobs.c.id == after, jobs.c.tenant == tenant)
                created = connection.scalar(last)
                if created is not None:
                    later = and_(jobs.c.created == created, jobs.c.id > after)
                    condition = and_(condition, or_(jobs.c.created < created, later))
            statement = (
                select(jobs)
                .where(condition)
                .order_by(jobs.c.created.desc(), jobs.c.id)
                .limit(limit)
            )
            rows = connection.execute(statement).mappings().all()
            return [job_record(connection, row) for row in rows]

    def queue(self, tenant: str) -> Queue:
        """How much of the tenant's waits."""
        going = and_(
            jobs.c.tenant == tenant, jobs.c.accepted.is_not(None), jobs.c.finished.is_(None)
        )
        of_tenant = tasks.c.tenant == tenant
        lately = self._clock() - _LATELY
        failed = and_(tasks.c.state == TaskState.FAILED.value, tasks.c.finished > lately)
        with self._database.reading() as connection:

            def count(*conditions: ColumnElement[bool]) -> int:
                counted = select(func.count()).select_from(tasks).where(of_tenant, *conditions)
                return connection.execute(counted).scalar_one()

            away = current_outage(connection, STORE)
            return Queue(
                jobs=connection.execute(
                    select(func.count()).select_from(jobs).where(going)
                ).scalar_one(),
                waiting=count(tasks.c.state == TaskState.WAITING.value),
                in_work=count(tasks.c.state.in_(_IN_WORK)),
                failed_lately=count(failed),
                paused=connection.scalar(
                    select(jobs.c.pause_reason).where(going, jobs.c.pause_reason.is_not(None))
                )
                or (away.reason if away is not None and count(tasks.c.awaits == STORE) else None),
            )


def _matches(which: Which) -> ColumnElement[bool]:
    failed = exists().where(tasks.c.job_id == jobs.c.id, tasks.c.state == TaskState.FAILED.value)
    conditions: dict[Which, ColumnElement[bool]] = {
        Which.ALL: jobs.c.id.is_not(None),
        Which.GOING: jobs.c.finished.is_(None),
        Which.FAILED: failed,
        Which.CANCELLED: jobs.c.cancelled.is_not(None),
        Which.DONE: and_(jobs.c.finished.is_not(None), jobs.c.cancelled.is_(None), ~failed),
    }
    return conditions[which]
