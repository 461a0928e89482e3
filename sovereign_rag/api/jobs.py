"""Ingestion jobs over HTTP: for admins the tenant's, for everybody else their own."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.job_events import event_stream, followed
from sovereign_rag.http.params import AfterId, JobId
from sovereign_rag.http.streaming import StreamEvent
from sovereign_rag.services.serialization.jobs import (
    JobDocumentsOut,
    JobOut,
    JobProgressOut,
    JobsOut,
)

router = APIRouter(tags=["Jobs"])


@router.get("/v1/jobs", response_model=JobsOut, responses=refusals())
def list_jobs(
    principal: CurrentPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=500, description="Most jobs to return.")] = 50,
) -> Response:
    """List jobs, newest first: an admin's key sees the tenant's, any other its user's own."""
    jobs = service.jobs.list(principal, limit=limit)
    return reply(JobsOut.of(jobs))


@router.get("/v1/jobs/{job_id}", response_model=JobProgressOut, responses=refusals(404))
def get_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Tell how far a job is.

    An admin's key reads no more than its own labels allow: of a job that somebody else sent in,
    the counts are whole, the names are those of readable documents.
    """
    return reply(JobProgressOut.of(service.jobs.progress(job_id, principal)))


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
    return reply(JobDocumentsOut.of(documents, following=following))


@router.post("/v1/jobs/{job_id}/cancel", response_model=JobOut, responses=refusals(404))
def cancel_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Stop a job within seconds, its documents in work too; what is in stays in."""
    return reply(JobOut.of(service.jobs.cancel(job_id, principal)))


@router.post("/v1/jobs/{job_id}/retry", response_model=JobOut, responses=refusals(404))
def retry_job(job_id: JobId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Let what failed or was cancelled wait again; a paused job is tried at once."""
    return reply(JobOut.of(service.jobs.retry(job_id, principal)))


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
            yield StreamEvent("progress", JobProgressOut.of(progress).plain()).encode()

    return event_stream(events())
