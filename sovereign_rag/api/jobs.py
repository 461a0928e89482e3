"""Ingestion jobs over HTTP, for admin keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.api.identity import AdminPrincipal, CurrentService
from sovereign_rag.api.schemas import JobsOut, JobWithTasksOut, refusals, reply
from sovereign_rag.catalog.records import JobRecord, TaskRecord
from sovereign_rag.wire import job_to_dict

router = APIRouter(tags=["Documents"])


@router.get("/v1/jobs", response_model=JobsOut, responses=refusals(403))
def list_jobs(
    principal: AdminPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=500, description="Most jobs to return.")] = 50,
) -> Response:
    """List the tenant's jobs, newest first. Admin keys only."""
    jobs = service.catalog.jobs(principal.tenant, limit)
    return reply({"jobs": [job_to_dict(job) for job in jobs]})


@router.get("/v1/jobs/{job_id}", response_model=JobWithTasksOut, responses=refusals(403, 404))
def get_job(
    job_id: Annotated[str, Path(max_length=64, description="The job's id.")],
    principal: AdminPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most documents to return.")] = 1_000,
    after: Annotated[int | None, Query(ge=0, description="The `next` of the page before.")] = None,
) -> Response:
    """Show a job and its documents. Admin keys only.

    An admin's key reads no more than its own labels allow: of a job that somebody else sent in,
    the counts are whole, the names are those of readable documents.
    """
    job = service.catalog.job(job_id, principal.tenant)
    tasks = service.catalog.tasks(job_id, principal.tenant, after=after, limit=limit)
    shown = [task for task in tasks if _may_see(principal, job, task)]
    following = tasks[-1].id if len(tasks) == limit else None
    return reply({**job_to_dict(job, shown), "next": following})


def _may_see(principal: Principal, job: JobRecord, task: TaskRecord) -> bool:
    return job.submitted_by == f"user:{principal.user}" or read_scope(principal).allows(
        tenant=task.tenant, readers=task.readers, level=task.level
    )
