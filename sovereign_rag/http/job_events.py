"""A job as it changes, for whoever follows it."""

from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import JobProgress
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.identity import still_welcome
from sovereign_rag.http.looks import LOOK_EVERY_S, SharedLooks
from sovereign_rag.http.streaming import HEARTBEAT_S
from sovereign_rag.services.container import Service


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
