"""Searches over HTTP."""

from fastapi import APIRouter
from starlette.responses import Response

from sovereign_rag.api.schemas import FacetsBody, SearchBody, refusals, reply
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import check_length
from sovereign_rag.retrieval.conversation import newest
from sovereign_rag.services.serialization.answers import FacetsOut, SearchOut

router = APIRouter(tags=["Answers"])


@router.post("/v1/search", response_model=SearchOut, responses=refusals(408, 413, 429))
def search(body: SearchBody, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Find passages in the documents the caller may read, best first."""
    check_length(body.query, service)
    passages = service.searching.search(
        body.query,
        principal,
        limit=body.limit,
        mode=body.mode,
        search_filter=body.search_filter(service, principal),
        history=body.turns,
    )
    _, dropped = newest(body.turns)
    return reply(SearchOut.of(passages, turns_dropped=dropped))


@router.post("/v1/search/facets", response_model=FacetsOut, responses=refusals(408, 413, 429))
def facets(body: FacetsBody, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Count the passages the caller may read, by language and by media type."""
    within = body.search_filter(service, principal)
    counted = service.searching.facets(principal, search_filter=within)
    return reply(FacetsOut.of(counted))
