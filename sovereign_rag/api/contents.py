"""What documents are made of, over HTTP: chunks, the original, the whole to take along."""

import re
from typing import Annotated, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query
from starlette.responses import FileResponse, Response

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import PageText
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import DocumentId
from sovereign_rag.services.serialization.documents import (
    ChunksOut,
    DocumentOut,
    ExportedOut,
    PageOut,
)

router = APIRouter(tags=["Documents"])

_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[\w.+-]+")
_PLAIN: Final = "application/octet-stream"


@router.get("/v1/documents/{document_id}/chunks", response_model=ChunksOut, responses=refusals(404))
def get_chunks(
    document_id: DocumentId,
    principal: CurrentPrincipal,
    service: CurrentService,
    limit: Annotated[int, Query(ge=1, le=200, description="Most chunks to return.")] = 50,
    after: Annotated[
        int | None, Query(ge=0, le=2**31, description="The `next` of the page before.")
    ] = None,
) -> Response:
    """Show what of a document is embedded and found, with its places in the stored text."""
    page = service.contents.chunks(document_id, principal, limit=limit, after=after)
    return reply(ChunksOut.of(page.chunks, total=page.total, following=page.following))


@router.get(
    "/v1/documents/{document_id}/original",
    response_class=Response,
    responses={
        200: {"content": {_PLAIN: {}}, "description": "The bytes as they came in."},
        304: {"description": "The caller has them already: `If-None-Match` names their sha256."},
        **refusals(404),
    },
)
def get_original(
    document_id: DocumentId,
    principal: CurrentPrincipal,
    service: CurrentService,
    if_none_match: Annotated[
        str | None, Header(max_length=1_000, description="The `ETag` of what is at hand.")
    ] = None,
) -> Response:
    """Download the file that a document was taken in from; its `ETag` is the sha256."""
    record, path = service.contents.original(document_id, principal)
    tag = f'"{record.content_hash}"'
    if if_none_match is not None and tag in re.findall(r'"[^"]*"', if_none_match):
        return Response(status_code=304, headers={"ETag": tag})
    is_known = _MEDIA_TYPE.fullmatch(record.media_type)
    return FileResponse(
        path,
        media_type=record.media_type if is_known else _PLAIN,
        headers={"ETag": tag, **_attachment(record.name)},
    )


@router.get(
    "/v1/documents/{document_id}/export",
    response_model=ExportedOut,
    responses={
        200: {"content": {"text/markdown": {}}, "description": "As JSON, or as Markdown."},
        **refusals(404),
    },
)
def export_document(
    document_id: DocumentId,
    principal: CurrentPrincipal,
    service: CurrentService,
    form: Annotated[
        Literal["json", "markdown"], Query(alias="format", description="What to write.")
    ] = "json",
) -> Response:
    """Take a document along as a whole: what is known of it, and its stored text."""
    record, pages = service.contents.export(document_id, principal)
    stem = record.name.rpartition(".")[0] or record.name
    if form == "markdown":
        text = _markdown(record, pages)
        return Response(text, media_type="text/markdown", headers=_attachment(f"{stem}.md"))
    document = DocumentOut.of(record, principal, parser=service.rereading.parser)
    has_image = service.documents.has_image(record)
    shown = [PageOut.of(page, has_image=has_image) for page in pages]
    body = ExportedOut(document=document, pages=shown)
    response = reply(body)
    response.headers.update(_attachment(f"{stem}.json"))
    return response


def _markdown(record: DocumentRecord, pages: tuple[PageText, ...]) -> str:
    """The stored text under the document's title; each page of a paged one under its number."""
    parts = [f"# {' '.join(record.title.split())}"]
    for page in pages:
        if record.paged:
            parts.append(f"## {page.number}")
        parts.append(page.text)
    return "\n\n".join(parts) + "\n"


def _attachment(name: str) -> dict[str, str]:
    """To be saved, never shown: a document of somebody else's runs in no browser of ours."""
    plain = re.sub(r"[^\w. -]", "_", name, flags=re.ASCII)
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {
        "Content-Disposition": named,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
