"""A job as it changes, for whoever follows it."""

from collections.abc import AsyncIterator
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import JobProgress
from sovereign_rag.catalog.signals import CALLERS, of_job
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.identity import still_welcome
from sovereign_rag.http.looks import LOOK_EVERY_S, SharedLooks
from sovereign_rag.http.streaming import HEARTBEAT_S
from sovereign_rag.services.container import Service

_LOOK_ANYWAY_S: Final = 5.0  # estimates change by themselves, and a token runs out


async def followed(
    request: Request, service: Service, job_id: str, principal: Principal
) -> AsyncIterator[JobProgress]:
    """A job's states as they change, at most one a second, its end the last.

    However many follow it, the catalog is looked at once a second for each of its readers' rights;
    where it tells of changes itself, when there was one, and every few seconds in any case. It
    ends early where the caller's key does, or the service.

    Raises:
        NotFound: Before the first one.
    """
    looks: SharedLooks[JobProgress] = request.app.state.job_looks
    ends = still_welcome(request, service)
    signals, leaving = service.catalog.signals, request.app.state.leaving
    things = (of_job(job_id), CALLERS)

    async def look() -> JobProgress:
        def progress() -> JobProgress:
            return service.jobs.progress_again(job_id, principal)

        return await looks.at((job_id, principal), progress)

    async def states(progress: JobProgress, mark: int) -> AsyncIterator[JobProgress]:
        yield progress
        told = looked = anyio.current_time()
        again = False  # a look that is shared may be from just before a change
        while progress.job.finished is None:
            await anyio.sleep(LOOK_EVERY_S)
            is_late = anyio.current_time() - looked > _LOOK_ANYWAY_S
            has_changed = signals.changed(mark, *things)
            if not (has_changed or again or is_late or leaving.is_set()):
                continue
            looked, again, mark = anyio.current_time(), has_changed, signals.mark()
            if (reason := await anyio.to_thread.run_sync(ends)) is not None:
                raise reason
            before, progress = progress, await look()
            # Now and then without a change: proxies close connections on which nothing comes.
            if progress != before or anyio.current_time() - told > HEARTBEAT_S:
                yield progress
                told = anyio.current_time()

    mark = signals.mark()
    await anyio.to_thread.run_sync(service.jobs.progress, job_id, principal)  # on the record
    return states(await look(), mark)


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
