"""Jobs as people meet them: who may see one, how far it is, its end and its second try."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.job_lists import Which
from sovereign_rag.catalog.records import (
    JobProgress,
    JobRecord,
    TaskRecord,
    TaskState,
    document_id,
)
from sovereign_rag.errors import NotFound
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry


class JobService:
    """What a principal may see and do with jobs.

    The owner and the admins of a tenant see its jobs, everybody else those that they sent in;
    another's job and a missing one are the same. Who is no submitter sees the counts whole, and
    the names of those documents alone that they may read.
    """

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, operations: OperationRecorder
    ) -> None:
        self._catalog, self._audit, self._operations = catalog, audit, operations

    def list(self, principal: Principal, *, limit: int) -> list[JobRecord]:
        """Jobs, newest first; on the audit record."""
        found = self._catalog.jobs.recent(principal.tenant, limit, submitted_by=_whose(principal))
        self._audit.append(entry("jobs.list", principal, {"jobs": [job.id for job in found]}))
        return found

    def page(
        self,
        principal: Principal,
        *,
        which: Which,
        limit: int,
        after: str | None = None,
    ) -> tuple[Sequence[JobRecord], str | None]:
        """Jobs of a kind, newest first, with the `after` of the next page; on the audit record."""
        # One more tells whether there is a next page; it is not shown, nor told as shown.
        found = self._catalog.job_lists.page(
            principal.tenant,
            which=which,
            submitted_by=_whose(principal),
            limit=limit + 1,
            after=after,
        )
        shown = found[:limit]
        self._audit.append(entry("jobs.list", principal, {"jobs": [job.id for job in shown]}))
        return shown, shown[-1].id if len(found) > limit else None

    def job(self, job_id: str, principal: Principal) -> JobRecord:
        """One job. Raises NotFound."""
        job = self._catalog.jobs.get(job_id, principal.tenant)
        if not principal.is_admin and job.submitted_by != principal.label:
            raise NotFound(
                f"There is no job {job_id!r}; `sovereign-rag jobs list` shows those there are."
            )
        return job

    def progress(self, job_id: str, principal: Principal) -> JobProgress:
        """How far a job is, on the audit record. Raises NotFound."""
        seen = self.progress_again(job_id, principal)
        named = _ids((*seen.current, *seen.failures))
        self._audit.append(entry("job", principal, {"job": job_id, "documents": named}))
        return seen

    def progress_again(self, job_id: str, principal: Principal) -> JobProgress:
        """As `progress`, for who follows a job: that they do is on the record. Raises NotFound."""
        self.job(job_id, principal)
        progress = self._catalog.jobs.progress(job_id, principal.tenant)
        return replace(
            progress,
            current=_seen(principal, progress.job, progress.current),
            failures=_seen(principal, progress.job, progress.failures),
        )

    def documents(
        self,
        job_id: str,
        principal: Principal,
        *,
        after: int | None,
        limit: int,
        states: Collection[TaskState] | None = None,
    ) -> tuple[tuple[TaskRecord, ...], int | None]:
        """A page of a job's documents and the `after` of the next page; on the audit record.

        Raises NotFound.
        """
        job = self.job(job_id, principal)
        tasks = self._catalog.jobs.tasks(
            job_id, principal.tenant, after=after, limit=limit, states=states
        )
        following = tasks[-1].id if len(tasks) == limit else None
        seen = _seen(principal, job, tasks)
        detail = {"job": job_id, "documents": _ids(seen)}
        self._audit.append(entry("job.documents", principal, detail))
        return seen, following

    def cancel(self, job_id: str, principal: Principal) -> JobRecord:
        """Stop a job; what is in stays in. Raises NotFound."""
        self.job(job_id, principal)
        self._audit.append(entry("job.cancel", principal, {"job": job_id}))
        return self._catalog.jobs.cancel(job_id, principal.tenant)

    def retry(self, job_id: str, principal: Principal) -> JobRecord:
        """Let what failed or was cancelled wait again. Raises NotFound."""
        job = self.job(job_id, principal)
        self._audit.append(entry("job.retry", principal, {"job": job_id}))
        self._operations.reopen_job(job, principal)
        return self._catalog.jobs.retry(job_id, principal.tenant)


def _whose(principal: Principal) -> str | None:
    """Whose jobs are listed; None: everybody's of the tenant."""
    return None if principal.is_admin else principal.label


def _ids(tasks: Collection[TaskRecord]) -> list[str]:
    return [document_id(task.tenant, task.uri) for task in tasks]


def _seen(
    principal: Principal, job: JobRecord, tasks: Collection[TaskRecord]
) -> tuple[TaskRecord, ...]:
    if job.submitted_by == principal.label:
        return tuple(tasks)
    scope = read_scope(principal)
    return tuple(
        task
        for task in tasks
        if principal.is_owner
        or scope.allows(tenant=task.tenant, readers=task.readers, level=task.level)
    )
