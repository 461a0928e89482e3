"""Documents over HTTP: what there is for the caller, its pages, and its removal."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.domain import Box
from sovereign_rag.errors import BadInput
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import DocumentId, PageNumber, SpanEnd, SpanStart
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization.documents import DocumentOut, DocumentsOut, PageOut

router = APIRouter(tags=["Documents"])


@router.get("/v1/documents", response_model=DocumentsOut, responses=refusals())
def list_documents(
    principal: CurrentPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=500, description="Most documents to return.")] = 100,
    after: Annotated[
        str | None, Query(max_length=64, description="The `next` of the page before.")
    ] = None,
) -> Response:
    """List the documents that the caller may read."""
    # One more than asked for tells whether there is a next page.
    documents = service.documents.list(principal, limit=limit + 1, after=after)
    more = documents[limit - 1].id if len(documents) > limit else None
    return reply(DocumentsOut.of(documents[:limit], following=more))


@router.get("/v1/documents/{document_id}", response_model=DocumentOut, responses=refusals(404))
def get_document(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Show one document."""
    return reply(DocumentOut.of(service.documents.get(document_id, principal)))


@router.delete(
    "/v1/documents/{document_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
def delete_document(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Delete a document for good: its original, text, page images and vectors. Admin keys only."""
    service.documents.delete(document_id, principal)
    return Response(status_code=204)


@router.get(
    "/v1/documents/{document_id}/pages/{number}",
    response_model=PageOut,
    responses=refusals(404),
)
def get_page(
    document_id: DocumentId,
    number: PageNumber,
    principal: CurrentPrincipal,
    service: CurrentService,
) -> Response:
    """Show the stored text of a page: what every quote is checked against."""
    document = service.documents.get(document_id, principal)
    page = service.documents.page(document_id, number, principal)
    return reply(PageOut.of(page, has_image=service.documents.has_image(document)))


@router.get(
    "/v1/documents/{document_id}/pages/{number}/image",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **refusals(404)},
)
def get_page_image(
    document_id: DocumentId,
    number: PageNumber,
    principal: CurrentPrincipal,
    service: CurrentService,
    start: SpanStart = None,
    end: SpanEnd = None,
) -> Response:
    """Show a page as an image (PNG), with the span `start` to `end` of its text marked on it."""
    marks = span_boxes(document_id, number, start, end, principal, service)
    image = service.documents.page_image(document_id, number, principal, marks)
    return Response(image, media_type="image/png")


def span_boxes(
    document_id: str,
    number: int,
    start: int | None,
    end: int | None,
    principal: Principal,
    service: Service,
) -> tuple[Box, ...]:
    """Where a span stands on its page; nowhere, if none is given.

    Raises:
        BadInput: Only one end is given, or the span is empty.
        NotFound: The caller may not read the document, or it isn't there.
    """
    if start is None and end is None:
        return ()
    if start is None or end is None or start >= end:
        raise BadInput("A span takes both `start` and `end`, and `start` comes first.")
    return service.documents.boxes(document_id, number, start, end, principal)
