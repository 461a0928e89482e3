"""The pages on ingestion jobs: what runs, how far it is, what failed and why."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.catalog.records import TaskState
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.job_events import event_stream, followed
from sovereign_rag.http.params import AfterId, JobId
from sovereign_rag.http.streaming import StreamEvent
from sovereign_rag.web.rendering import fragment, page

router = APIRouter(include_in_schema=False)
PAGE_OF_JOBS = 100
PAGE_OF_TASKS = 100
_SHOWN_STATES = tuple(TaskState)


@router.get("/jobs")
def jobs_page(request: Request, principal: CurrentPrincipal, service: CurrentService) -> Response:
    jobs = service.jobs.list(principal, limit=PAGE_OF_JOBS)
    return page(request, "jobs.html", principal=principal, jobs=jobs)


@router.get("/jobs/{job_id}")
def job_page(
    request: Request,
    job_id: JobId,
    principal: CurrentPrincipal,
    service: CurrentService,
    after: AfterId = None,
    state: Annotated[TaskState | None, Query()] = None,
) -> Response:
    progress = service.jobs.progress(job_id, principal)
    tasks, following = service.jobs.documents(
        job_id,
        principal,
        after=after,
        limit=PAGE_OF_TASKS,
        states=None if state is None else (state,),
    )
    return page(
        request,
        "job.html",
        principal=principal,
        progress=progress,
        tasks=tasks,
        following=following,
        chosen=state,
        states=[one for one in _SHOWN_STATES if one in progress.job.counts],
        is_first=after is None,
    )


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    service.jobs.cancel(job_id, principal)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.post("/jobs/{job_id}/retry")
def retry(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    service.jobs.retry(job_id, principal)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.get("/jobs/{job_id}/events")
async def events(
    request: Request, job_id: JobId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """The part of the page that changes, each time that it does."""
    following = await followed(request, service, job_id, principal)

    async def pieces() -> AsyncIterator[bytes]:
        async for progress in following:
            html = fragment(request, "job_progress.html", progress=progress)
            yield StreamEvent("progress", {"html": html}).encode()

    return event_stream(pieces())
