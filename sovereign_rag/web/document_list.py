"""The documents that somebody may read: searched, filtered, in order, page by page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.web.first_screen import choices_of, folder_label
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.narrowing import Narrowing, QueryNarrowing
from sovereign_rag.web.rendering import page
from sovereign_rag.web.views import leads_with_name

router = APIRouter(include_in_schema=False)
PAGE_OF_DOCUMENTS: Final = 50
_ORDERS: Final = {  # as people choose them: the order, and whether it is turned round
    "newest": (Order.UPDATED, True),
    "title": (Order.TITLE, False),
    "date": (Order.DATE, True),
}


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document with the name that tells it from the others on its page."""

    document: DocumentRecord
    first: str
    second: str  # "" where the first says all
    folder: str


@router.get("/documents")
def documents_page(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    narrowing: QueryNarrowing,
    q: Annotated[str, Query(max_length=500)] = "",
    sort: Annotated[str, Query(max_length=10)] = "newest",
    after: Annotated[str | None, Query(max_length=4_000)] = None,
) -> Response:
    query, t = _query(q, narrowing, sort), locale_of(request)
    found = service.documents.find(query, principal, limit=PAGE_OF_DOCUMENTS, after=after)
    return page(
        request,
        "documents.html",
        principal=principal,
        q=q,
        sort=sort if sort in _ORDERS else "newest",
        sorts=list(_ORDERS),
        narrowing=narrowing,
        only=[],
        is_narrowed=bool(q.strip() or narrowing.query),
        choices=choices_of(service.first_look.overview(principal), t),
        documents=_listed(found.documents),
        total=found.total,
        next_url=None if found.following is None else _url(q, narrowing, sort, found.following),
        first_url=None if after is None else _url(q, narrowing, sort, None),
        contact=service.settings.server.contact,
    )


def _query(q: str, narrowing: Narrowing, sort: str) -> DocumentQuery:
    order, descending = _ORDERS.get(sort, _ORDERS["newest"])
    chosen = narrowing.search_filter
    return DocumentQuery(
        words=q,
        media_types=chosen.media_types,
        languages=chosen.languages,
        sources=chosen.sources,
        date_from=chosen.modified_from,
        date_before=chosen.modified_before,
        order=order,
        descending=descending,
    )


def _url(q: str, narrowing: Narrowing, sort: str, after: str | None) -> str:
    pairs = [("q", q), *narrowing.fields, ("sort", sort), ("after", after or "")]
    return f"/documents?{urlencode([(name, value) for name, value in pairs if value])}"


def _listed(documents: Sequence[DocumentRecord]) -> list[ListedDocument]:
    """The file's name first where a title is short, or another one on the page has it too."""
    titles = Counter(document.title for document in documents)
    made = []
    for one in documents:
        names = [one.title, one.name]
        if leads_with_name(one.title) or titles[one.title] > 1:
            names.reverse()
        second = names[1] if names[1] != names[0] else ""
        folder = folder_label(one.uri.rpartition("/")[0])
        made.append(ListedDocument(one, names[0], second, folder))
    return made
