"""Ingestion jobs over HTTP: for admins the tenant's, for everybody else their own."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sovereign_rag.access import Principal
from sovereign_rag.api.schemas import (
    JobDocumentsOut,
    JobOut,
    JobProgressOut,
    JobsOut,
    refusals,
    reply,
)
from sovereign_rag.catalog.records import JobProgress, TaskState
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService, still_welcome
from sovereign_rag.http.looks import LOOK_EVERY_S, SharedLooks
from sovereign_rag.http.params import AfterId
from sovereign_rag.http.streaming import HEARTBEAT_S, StreamEvent
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization import job_to_dict, progress_to_dict, task_to_dict

router = APIRouter(tags=["Jobs"])

JobId = Annotated[str, Path(max_length=64, description="The job's id.")]


@router.get("/v1/jobs", response_model=JobsOut, responses=refusals())
def list_jobs(
    principal: CurrentPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=500, description="Most jobs to return.")] = 50,
) -> Response:
    """List jobs, newest first: an admin's key sees the tenant's, any other its user's own."""
    jobs = service.jobs.list(principal, limit=limit)
    return reply({"jobs": [job_to_dict(job) for job in jobs]})


@router.get("/v1/jobs/{job_id}", response_model=JobProgressOut, responses=refusals(404))
def get_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Tell how far a job is.

    An admin's key reads no more than its own labels allow: of a job that somebody else sent in,
    the counts are whole, the names are those of readable documents.
    """
    return reply(progress_to_dict(service.jobs.progress(job_id, principal)))


@router.get("/v1/jobs/{job_id}/documents", response_model=JobDocumentsOut, responses=refusals(404))
def get_job_documents(
    job_id: JobId,
    principal: CurrentPrincipal,
    service: CurrentService,
    state: Annotated[
        list[TaskState] | None, Query(description="Only these states; may be repeated.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most documents to return.")] = 100,
    after: AfterId = None,
) -> Response:
    """List a job's documents with what became of each, in the order of submission."""
    documents, following = service.jobs.documents(
        job_id, principal, after=after, limit=limit, states=state
    )
    return reply({"documents": [task_to_dict(task) for task in documents], "next": following})


@router.post("/v1/jobs/{job_id}/cancel", response_model=JobOut, responses=refusals(404))
def cancel_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Stop a job within seconds, its documents in work too; what is in stays in."""
    return reply(job_to_dict(service.jobs.cancel(job_id, principal)))


@router.post("/v1/jobs/{job_id}/retry", response_model=JobOut, responses=refusals(404))
def retry_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Let what failed or was cancelled wait again; a paused job is tried at once."""
    return reply(job_to_dict(service.jobs.retry(job_id, principal)))


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "`progress` events, each the whole state as `GET /v1/jobs/{job_id}` "
            "gives it; the last one has `finished` set.",
        },
        **refusals(404),
    },
)
async def follow_job(
    request: Request, job_id: JobId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Follow a job as server-sent events until it ends; to resume, just ask again."""
    following = await followed(request, service, job_id, principal)

    async def events() -> AsyncIterator[bytes]:
        async for progress in following:
            yield StreamEvent("progress", progress_to_dict(progress)).encode()

    return event_stream(events())


async def followed(
    request: Request, service: Service, job_id: str, principal: Principal
) -> AsyncIterator[JobProgress]:
    """A job's states as they change, at most one a second, its end the last.

    However many follow it, the catalog is looked at once a second for each of its readers' rights.
    It ends early where the caller's key does, or the service.

    Raises:
        NotFound: Before the first one.
    """
    looks: SharedLooks[JobProgress] = request.app.state.job_looks
    ends = still_welcome(request, service)

    async def look() -> JobProgress:
        def progress() -> JobProgress:
            return service.jobs.progress(job_id, principal)

        return await looks.at((job_id, principal), progress)

    async def states(progress: JobProgress) -> AsyncIterator[JobProgress]:
        yield progress
        told = anyio.current_time()
        while progress.job.finished is None:
            await anyio.sleep(LOOK_EVERY_S)
            if (reason := await anyio.to_thread.run_sync(ends)) is not None:
                raise reason
            before, progress = progress, await look()
            # Now and then without a change: proxies close connections on which nothing comes.
            if progress != before or anyio.current_time() - told > HEARTBEAT_S:
                yield progress
                told = anyio.current_time()

    return states(await look())


def event_stream(events: AsyncIterator[bytes]) -> Response:
    """The events as a response; it ends where one can't be made any more, and may be resumed."""

    async def sent() -> AsyncIterator[bytes]:
        try:
            async for event in events:
                yield event
        except SovereignError:  # the job is gone, or the catalog does not answer for now
            return

    return StreamingResponse(
        sent(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
