"""Documents: what failed and why, found again; read again and deleted, several at a time."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.errors import BadInput
from sovereign_rag.http.document_query import After, AskedDocuments
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PAGE_OF_DOCUMENTS: Final = 50

_Curator = Annotated[Principal, Depends(entering(Part.DOCUMENTS))]
_Ids = Annotated[list[str], Form(max_length=PAGE_OF_DOCUMENTS)]


@router.get("/admin/documents")
def documents_page(
    request: Request,
    curator: _Curator,
    service: CurrentService,
    query: AskedDocuments,
    after: After = None,
) -> Response:
    found = service.documents.find(query, curator, limit=PAGE_OF_DOCUMENTS, after=after)
    return console_page(
        request,
        "documents.html",
        Part.DOCUMENTS,
        principal=curator,
        found=found,
        query=query,
        sort=("-" if query.descending else "") + query.order,
        sorts=("title", "-updated", "-date"),
        statuses=tuple(DocumentStatus),
        chosen=sorted(query.statuses or ()),
        is_first=after is None,
        looked_after=service.console.documents.looked_after(found.documents, curator),
    )


@router.post("/admin/documents/chosen")
def act(
    request: Request,
    curator: _Curator,
    service: CurrentService,
    document: _Ids = [],  # noqa: B006  - FastAPI copies it
    do: Annotated[Literal["reread", "delete", "confirmed"], Form()] = "delete",
) -> Response:
    """Read the chosen documents again; or delete them, once somebody has said so twice."""
    if not document:
        raise BadInput("No document was chosen. Go back, and tick those that are meant.")
    if do == "reread":
        job = service.rereading.submit(document, curator)
        return RedirectResponse(f"/jobs/{job.id}", status_code=303)
    desk = service.console.documents
    if do == "confirmed":
        desk.delete(document, curator)
        return back_to(Part.DOCUMENTS, "deleted")
    return console_page(
        request,
        "delete.html",
        Part.DOCUMENTS,
        principal=curator,
        documents=desk.named(document, curator),
    )
