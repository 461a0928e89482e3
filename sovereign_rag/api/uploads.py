"""Documents in, over HTTP: a form becomes a job."""

from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Header
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.api.schemas import IfMatch, matched_hash, refusals, reply
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.intake import take_in
from sovereign_rag.http.limits import UploadPlaces
from sovereign_rag.services.serialization.jobs import JobOut

router = APIRouter(tags=["Documents"])

PATH: Final = "/v1/documents"

_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "description": "One or several files.",
                    },
                    "readers": {
                        "type": "string",
                        "description": "Who may read them: `everyone`, `group:NAME`, `user:NAME`, "
                        "separated by commas. Unset: the uploader alone.",
                    },
                    "level": {
                        "type": "integer",
                        "description": "Clearance that reading them takes. Unset: 0.",
                    },
                    "metadata": {
                        "type": "string",
                        "description": "JSON: what is said of the files, as `PATCH "
                        "/v1/documents/{document_id}` takes it. Unset: what was said of a "
                        "document before stays.",
                        "examples": ['{"author": "Ana", "tags": ["budget"]}'],
                    },
                    "id": {
                        "type": "string",
                        "description": "Your own id of the document, which is then the only file: "
                        "the same id of the same user again replaces it, whatever the file is "
                        "called. Up to 200 letters, digits and . _ : @ + -",
                    },
                    "replace": {
                        "type": "boolean",
                        "description": "false: a document that is there already is refused (412). "
                        "Unset: it is replaced.",
                    },
                    "password": {
                        "type": "string",
                        "format": "password",
                        "description": "Opens the file, which is then the only one. It is kept "
                        "sealed until the file has been read, and never shown.",
                    },
                },
            }
        }
    },
}


@router.post(
    PATH,
    status_code=202,
    response_model=JobOut,
    responses=refusals(403, 408, 409, 412, 413, 429),
    openapi_extra={"requestBody": _FORM},
)
async def upload(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key again gives the same job, and nothing is taken in twice; "
            "with other files or readers it is refused with 409.",
        ),
    ] = None,
    if_match: IfMatch = None,
) -> Response:
    """Take documents in; the job that comes back tells how far they are.

    A document is known by its name and by who handed it in (`upload:user:ANA/NAME`): the same
    name of the same user again replaces it, and so does the same `id`. With `If-Match` it is
    replaced only as long as that is its sha256. A locked file asks for its password each time.
    """
    uploads: UploadPlaces = request.app.state.uploads
    with uploads.place(principal):
        job = await anyio.to_thread.run_sync(
            take_in,
            request,
            principal,
            service,
            idempotency_key,
            matched_hash(if_match),
            limiter=uploads.threads,
        )
    return reply(JobOut.of(job), status=202, Location=f"/v1/jobs/{job.id}")
