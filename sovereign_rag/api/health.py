"""Whether the service lives, and whether it can work; both say nothing about documents."""

from typing import Final, Literal

import anyio
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from sovereign_rag.api.schemas import reply
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.version import VERSION


class AliveOut(Body):
    status: Literal["ok"]
    version: str


class ReadyOut(Body):
    status: Literal["ok", "not ready"]
    components: dict[str, str] = Field(description='"ok", or what is wrong with it.')


router = APIRouter(tags=["Health"])
PATHS: Final = frozenset({"/healthz", "/readyz"})
_THREADS: Final = anyio.CapacityLimiter(2)
"""Their own: monitors are answered however many questions and uploads are under way."""


@router.get("/healthz", response_model=AliveOut)
async def alive() -> Response:
    """Answer 200 as long as the process serves requests."""
    return reply(AliveOut(status="ok", version=VERSION))


@router.get("/readyz", response_model=ReadyOut, responses={503: {"model": ReadyOut}})
async def ready(service: CurrentService) -> Response:
    """Answer 200 when every component works, else 503; says which do not, and why.

    A language model that failed when it was last asked is "limited" and leaves the service ready:
    searches go on, and answers are composed of extracts.
    """
    components = dict(await anyio.to_thread.run_sync(service.readiness, limiter=_THREADS))
    is_ready = all(state.startswith(("ok", "limited")) for state in components.values())
    return reply(
        ReadyOut(status="ok" if is_ready else "not ready", components=components),
        status=200 if is_ready else 503,
    )
