"""Usage and metrics over HTTP, for who oversees the service."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.catalog.usage import Dimension
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.services.metrics import CONTENT_TYPE
from sovereign_rag.services.serialization.usage import UsageOut

router = APIRouter(tags=["Usage"])

_DAYS = 30


@router.get("/v1/usage", response_model=UsageOut, responses=refusals())
def get_usage(
    principal: CurrentPrincipal,
    service: CurrentService,
    since: Annotated[date | None, Query(description="First day, UTC; 30 days ago.")] = None,
    until: Annotated[date | None, Query(description="Last day, UTC; today.")] = None,
    by: Annotated[
        list[Dimension] | None, Query(description="What is told apart; may be repeated; the day.")
    ] = None,
) -> Response:
    """Tell how much was asked in the caller's tenant: questions, refusals, tokens, joules."""
    last = until or datetime.now(UTC).date()
    first = since or last - timedelta(days=_DAYS)
    rows = service.oversight.usage.read(principal, since=first, until=last, by=by or ["day"])
    return reply(UsageOut.of(rows, tenant=principal.tenant, since=first, until=last))


@router.get("/metrics", include_in_schema=False)
def metrics(principal: CurrentPrincipal, service: CurrentService) -> Response:
    return Response(service.oversight.metrics.text(), media_type=CONTENT_TYPE)
