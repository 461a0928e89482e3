"""Whether the service lives, and whether it can work; both say nothing about documents."""

from typing import Final

import anyio
from fastapi import APIRouter
from starlette.responses import Response

from sovereign_rag.api.schemas import reply
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.version import VERSION

router = APIRouter(tags=["Health"])
PATHS: Final = frozenset({"/healthz", "/readyz"})
_THREADS: Final = anyio.CapacityLimiter(2)
"""Their own: monitors are answered however many questions and uploads are under way."""


@router.get("/healthz", response_class=Response)
async def alive() -> Response:
    """Answer 200 as long as the process serves requests."""
    return reply({"status": "ok", "version": VERSION})


@router.get("/readyz", response_class=Response)
async def ready(service: CurrentService) -> Response:
    """Answer 200 when every component works, else 503; says which do not, and why.

    A language model that failed when it was last asked is "limited" and leaves the service ready:
    searches go on, and answers are composed of extracts.
    """
    components = dict(await anyio.to_thread.run_sync(service.readiness, limiter=_THREADS))
    is_ready = all(state.startswith(("ok", "limited")) for state in components.values())
    return reply(
        {"status": "ok" if is_ready else "not ready", "components": components},
        status=200 if is_ready else 503,
    )
