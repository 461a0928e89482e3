"""Documents over HTTP: what there is for the caller, its pages, and its removal."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.api.schemas import (
    EditAllBody,
    EditBody,
    IfMatch,
    SeveralBody,
    matched_hash,
    refusals,
    reply,
)
from sovereign_rag.domain import Box
from sovereign_rag.errors import BadInput
from sovereign_rag.http.document_query import After, AskedDocuments
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import DocumentId, PageNumber, SpanEnd, SpanStart
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization.documents import (
    DocumentOut,
    DocumentsOut,
    EditedAllOut,
    EditedOut,
    PageOut,
    PagesOut,
)
from sovereign_rag.services.serialization.jobs import JobOut

router = APIRouter(tags=["Documents"])


@router.get("/v1/documents", response_model=DocumentsOut, responses=refusals())
def list_documents(
    principal: CurrentPrincipal,
    service: CurrentService,
    query: AskedDocuments,
    limit: Annotated[int, Query(ge=1, le=500, description="Most documents to return.")] = 100,
    after: After = None,
) -> Response:
    """List the documents that the caller may read: filtered, in order, counted, page by page."""
    page = service.documents.find(query, principal, limit=limit, after=after)
    return reply(DocumentsOut.of(page, principal, parser=service.rereading.parser))


@router.get("/v1/documents/{document_id}", response_model=DocumentOut, responses=refusals(404))
def get_document(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Show one document."""
    document = service.documents.get(document_id, principal)
    return reply(DocumentOut.of(document, principal, parser=service.rereading.parser))


@router.patch(
    "/v1/documents/{document_id}",
    response_model=EditedOut,
    responses=refusals(403, 404, 409, 412),
)
def edit_document(
    document_id: DocumentId,
    body: EditBody,
    principal: CurrentPrincipal,
    service: CurrentService,
    if_match: IfMatch = None,
) -> Response:
    """Change who may read a document, and what is said of it; nothing is read again.

    Who is no reader any more finds nothing of it from this answer on.
    """
    edited = service.editor.edit(
        document_id,
        body.edit(service.settings.metadata.fields),
        principal,
        content_hash=matched_hash(if_match),
    )
    return reply(EditedOut.of(edited, principal, parser=service.rereading.parser))


@router.delete(
    "/v1/documents/{document_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
def delete_document(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Delete a document for good: its original, text, page images and vectors."""
    service.documents.delete(document_id, principal)
    return Response(status_code=204)


@router.post("/v1/documents/edit", response_model=EditedAllOut, responses=refusals(403, 404, 409))
def edit_documents(
    body: EditAllBody, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Change several documents alike: all of them, or none where one can't be."""
    edit = body.edit(service.settings.metadata.fields)
    edited = service.editor.edit_all(body.documents, edit, principal)
    parser = service.rereading.parser
    return reply(EditedAllOut(edited=[EditedOut.of(e, principal, parser=parser) for e in edited]))


@router.post(
    "/v1/documents/delete",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
def delete_documents(
    body: SeveralBody, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Delete several documents for good: all, or none where one can't be."""
    service.documents.delete_all(body.documents, principal)
    return Response(status_code=204)


@router.post(
    "/v1/documents/{document_id}/reread",
    status_code=202,
    response_model=JobOut,
    responses=refusals(403, 404, 409),
)
def reread_document(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Read a document again from its kept original, as the parser of today does.

    Readers, level and name stay; what is there is searched until the new text is published.
    """
    job = service.rereading.submit([document_id], principal)
    return reply(JobOut.of(job), status=202, Location=f"/v1/jobs/{job.id}")


@router.get("/v1/documents/{document_id}/pages", response_model=PagesOut, responses=refusals(404))
def get_pages(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Show the stored text of all pages."""
    document = service.documents.get(document_id, principal)
    pages = service.documents.pages(document_id, principal)
    return reply(PagesOut.of(pages, has_image=service.documents.has_image(document)))


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
    document, page = service.documents.opened(document_id, number, principal)
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
    width: Annotated[
        int | None, Query(ge=64, le=1_000, description="That small, in pixels; else as it is kept.")
    ] = None,
) -> Response:
    """Show a page as an image (PNG), with the span `start` to `end` of its text marked on it."""
    marks = span_boxes(document_id, number, start, end, principal, service)
    image = service.documents.page_image(document_id, number, principal, marks, width=width)
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
