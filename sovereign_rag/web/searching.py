"""Searching on the page: documents with the passages that fit, for who looks for a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.domain import Passage
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import check_length
from sovereign_rag.store.protocol import FacetField
from sovereign_rag.text.locale import Locale
from sovereign_rag.web.asking import narrowed_titles
from sovereign_rag.web.first_screen import choices_of, folder_label, type_label
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.narrowing import Narrowing, QueryNarrowing
from sovereign_rag.web.rendering import page

router = APIRouter(include_in_schema=False)
_MOST: Final = 60  # passages
_SHOWN: Final = 3  # of one document


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document of the results, with its best passages."""

    id: str
    title: str
    folder: str
    passages: tuple[Passage, ...]
    more: int  # passages that fit, and are not shown


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that the results can be narrowed to."""

    label: str
    count: int  # passages of the reader's, within what is chosen
    url: str
    is_chosen: bool


@router.get("/search")
def search_page(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    narrowing: QueryNarrowing,
    q: Annotated[str, Query(max_length=4_000)] = "",
) -> Response:
    t, found, facets = locale_of(request), list[FoundDocument](), dict[str, list[Facet]]()
    if q.strip():
        check_length(q, service)
        chosen = narrowing.search_filter
        passages = service.searching.search(q, principal, limit=_MOST, search_filter=chosen)
        found = _by_document(passages)
        counted = service.searching.facets(principal, search_filter=chosen)
        facets = {
            "type": _facets(counted["media_type"], "media_type", q, narrowing, t),
            "language": _facets(counted["language"], "language", q, narrowing, t),
        }
    return page(
        request,
        "search.html",
        principal=principal,
        q=q,
        limit=service.settings.server.max_question_chars,
        found=found,
        facets=facets,
        narrowing=narrowing,
        only=narrowed_titles(service, principal, narrowing),
        choices=choices_of(service.first_look.overview(principal), t),
    )


def search_url(q: str, narrowing: Narrowing) -> str:
    """The address of a search."""
    rest = narrowing.query
    return f"/search?q={quote(q)}{'&' + rest[1:] if rest else ''}"


def _facets(
    counts: Mapping[str, int], field: FacetField, q: str, narrowing: Narrowing, t: Locale
) -> list[Facet]:
    made = []
    for value, count in counts.items():
        is_type = field == "media_type"
        is_chosen = value == (narrowing.media_type if is_type else narrowing.language)
        to = "" if is_chosen else value
        other = replace(narrowing, media_type=to) if is_type else replace(narrowing, language=to)
        label = type_label(value) if is_type else t.language_name(value)
        made.append(Facet(label, count, search_url(q, other), is_chosen))
    return made


def _by_document(passages: Sequence[Passage]) -> list[FoundDocument]:
    grouped: dict[str, list[Passage]] = {}
    for passage in passages:
        grouped.setdefault(passage.chunk.document_id, []).append(passage)
    return [
        FoundDocument(
            id_,
            own[0].title,
            folder_label(own[0].uri.rpartition("/")[0]),
            tuple(own[:_SHOWN]),
            len(own[_SHOWN:]),
        )
        for id_, own in grouped.items()
    ]
