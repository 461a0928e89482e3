"""Searches by that protocol: all documents that the caller may read are one vector store."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.api.openai.errors import refusals
from sovereign_rag.api.openai.schemas import (
    ComparisonBody,
    CompoundBody,
    ContentOut,
    StoreResultOut,
    StoreSearchBody,
    StoreSearchOut,
)
from sovereign_rag.api.schemas import reply
from sovereign_rag.domain import Passage
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import check_length
from sovereign_rag.http.sources import page_url, public_url
from sovereign_rag.services.conditions import ALLOWED, Condition, filter_of

router = APIRouter(tags=["OpenAI's protocol"])

STORES: Final = ("documents", "sovereign-rag")
_OPERATORS: Final = {"eq": "==", "ne": "!=", "gte": ">=", "lt": "<", "gt": ">", "lte": "<="}


@router.post(
    "/v1/vector_stores/{store}/search",
    response_model=StoreSearchOut,
    responses=refusals(404, 429),
)
def search_store(
    store: str,
    body: StoreSearchBody,
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
) -> Response:
    """Find passages in the documents the caller may read; the store is named `documents`.

    As `POST /v1/search` does. Filters that can't be kept to are refused, not passed over.
    """
    if store not in STORES:
        raise NotFound(f"There is no vector store {store!r}; there is {STORES[0]!r}.")
    queries = [body.query] if isinstance(body.query, str) else body.query
    search_filter = filter_of(_conditions(body.filters))
    rankings = []
    for query in queries:
        check_length(query, service)
        rankings.append(
            service.searching.search(
                query, principal, limit=body.max_num_results, search_filter=search_filter
            )
        )
    least = body.ranking_options.score_threshold if body.ranking_options else 0.0
    base = public_url(service.settings.server, request)
    found = [_result(passage, share, base) for passage, share in _merged(rankings)]
    kept = [result for result in found if result.score >= least][: body.max_num_results]
    return reply(StoreSearchOut(search_query=queries, data=kept, has_more=False, next_page=None))


def _conditions(filters: ComparisonBody | CompoundBody | None) -> Iterator[Condition]:
    if isinstance(filters, CompoundBody):
        if filters.type == "or" and len(filters.filters) != 1:
            raise BadInput(f"filters: joined by 'or' they can't be kept to. {ALLOWED}")
        for one in filters.filters:
            yield from _conditions(one)
    elif filters is not None:
        operator = _OPERATORS.get(filters.type, filters.type)
        yield Condition(filters.key, operator, filters.value)


def _merged(rankings: Sequence[Sequence[Passage]]) -> Iterator[tuple[Passage, float]]:
    """The passages of several searches in turns, each once, with their share of the best score."""
    seen: set[str] = set()
    shares = [
        [(passage, _share(passage, ranking[0])) for passage in ranking] for ranking in rankings
    ]
    for row in zip_longest(*shares):
        for found in row:
            if found is not None and found[0].id not in seen:
                seen.add(found[0].id)
                yield found


def _share(passage: Passage, best: Passage) -> float:
    if best.score <= 0:
        return 0.0
    return min(1.0, max(0.0, passage.score / best.score))


def _result(passage: Passage, share: float, base: str) -> StoreResultOut:
    span = passage.chunk.spans[0]
    attributes: dict[str, str | float | bool] = {
        "title": passage.title,
        "uri": passage.uri,
        "url": base + page_url(passage.chunk.document_id, span.page, span.start, span.end),
        "passage_id": passage.id,
    }
    if passage.paged:
        attributes["page"] = span.page
    if passage.chunk.language is not None:
        attributes["language"] = passage.chunk.language
    return StoreResultOut(
        file_id=passage.chunk.document_id,
        filename=PurePosixPath(unquote(urlsplit(passage.uri).path)).name or passage.title,
        score=round(share, 6),
        attributes=attributes,
        content=[ContentOut(text=passage.chunk.text)],
    )
