"""Documents in, over HTTP: streamed into the content store, then handed to a job."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal, parse_readers
from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.catalog.records import NewTask
from sovereign_rag.errors import BadInput, TooLarge
from sovereign_rag.http.identity import AdminPrincipal, CurrentService
from sovereign_rag.http.limits import UploadPlaces
from sovereign_rag.http.multipart import MultipartReader
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization.jobs import JobOut
from sovereign_rag.services.uploads import safe_name, upload_uri
from sovereign_rag.storage.content import Received
from sovereign_rag.storage.password_box import Seal

router = APIRouter(tags=["Documents"])

PATH: Final = "/v1/documents"
MAX_FILES = 500

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
    responses=refusals(403, 408, 409, 413, 429),
    openapi_extra={"requestBody": _FORM},
)
async def upload(
    request: Request,
    principal: AdminPrincipal,
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
) -> Response:
    """Take documents in; the job that comes back tells how far they are. Admin keys only.

    A document is known by its name and by who handed it in (`upload:user:ANA/NAME`): the same
    name of the same user again replaces it. A locked file asks for its password each time.
    """
    uploads: UploadPlaces = request.app.state.uploads
    with uploads.place(principal):
        return await anyio.to_thread.run_sync(
            _take_in, request, principal, service, idempotency_key, limiter=uploads.threads
        )


def _take_in(
    request: Request, principal: Principal, service: Service, idempotency_key: str | None
) -> Response:
    """Receive a form, hand its files to a job; in a thread, since its parts are files."""
    body = _blocks(request)
    reader = MultipartReader(request.headers.get("content-type", ""), body)
    try:
        form = _receive(reader, service, principal)
    except TooLarge:
        _drain(body, limit=service.settings.server.max_upload_mib << 20)
        raise
    labels = frozenset({principal.label}) if form.readers is None else form.readers
    content = service.content

    def before_commit() -> None:
        for _, received in form.files.values():
            content.keep(received)

    try:
        tasks = [
            NewTask(
                uri=uri,
                name=name,
                readers=labels,
                level=form.level,
                content_hash=received.content_hash,
                password=_sealed(form, service, principal.tenant, uri),
            )
            for uri, (name, received) in form.files.items()
        ]
        job = service.documents.submit(
            tasks, principal, idempotency_key, before_commit=before_commit
        )
    finally:
        for _, received in form.files.values():
            content.drop(received)  # of a key that was used before, or of a refusal
    return reply(JobOut.of(job), status=202, Location=f"/v1/jobs/{job.id}")


@dataclass(slots=True)
class _Form:
    files: dict[str, tuple[str, Received]] = field(default_factory=dict)  # by URI: name, bytes
    readers: frozenset[str] | None = None  # None: not said
    level: int = 0
    password: str | None = field(default=None, repr=False)


def _sealed(form: _Form, service: Service, tenant: str, uri: str) -> bytes | None:
    if form.password is None:
        return None
    return Seal(service.settings.data_dir).close(form.password, tenant=tenant, uri=uri)


def _receive(reader: MultipartReader, service: Service, principal: Principal) -> _Form:
    """Receive the files of a form; of one that is refused nothing stays."""
    form = _Form()
    try:
        _fill(form, reader, service, principal)
    except BaseException:  # a caller who goes away ends it with more than an Exception
        for _, received in form.files.values():
            service.content.drop(received)
        raise
    return form


def _fill(form: _Form, reader: MultipartReader, service: Service, principal: Principal) -> None:
    max_mib = service.settings.server.max_upload_mib
    files = form.files
    while (part := reader.next_part()) is not None:
        if part.filename is not None:
            name = safe_name(part.filename)
            uri = upload_uri(part.filename, principal, service.catalog.jobs)
            if uri in files:
                raise BadInput(f"Two files are named {name!r}; send them under different names.")
            if len(files) == MAX_FILES:
                raise TooLarge(
                    f"More than {MAX_FILES} files at once; send them in several uploads."
                )
            try:
                received = service.content.receive(reader.blocks(), max_bytes=max_mib << 20)
            except TooLarge as error:
                raise TooLarge(
                    f"{name!r} is larger than {max_mib} MiB. An admin can raise "
                    "server.max_upload_mib, or ingest it with `sovereign-rag ingest`."
                ) from error
            files[uri] = (name, received)
        elif part.name == "readers":
            form.readers = (form.readers or frozenset()) | parse_readers(reader.field())
        elif part.name == "level":
            form.level = _level(reader.field())
        elif part.name == "password":
            form.password = reader.field()
        else:
            raise BadInput(
                f"The form has no field {part.name!r}: send file, readers, level, password."
            )
    if not files:
        raise BadInput("The form has no file: send at least one, e.g. `curl -F file=@a.pdf`.")
    if form.password is not None and len(files) > 1:
        raise BadInput("A password is for one file: send the others in another upload.")


def _level(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()) or int(text) > HIGHEST_LEVEL:
        raise BadInput(f"level is a whole number from 0 to {HIGHEST_LEVEL}.")
    return int(text)


def _blocks(request: Request) -> Iterator[bytes]:
    """The body's blocks as they arrive, for a route that runs in a thread."""
    stream = request.stream()

    async def following() -> bytes | None:
        try:
            return await anext(stream, None)
        except ClientDisconnect as error:
            raise BadInput("The upload broke off.") from error

    while (block := anyio.from_thread.run(following)) is not None:
        if block:
            yield block


def _drain(body: Iterator[bytes], *, limit: int) -> None:
    """Read on without keeping, so that the caller gets to read the refusal.

    A connection that is closed on somebody still sending shows them a broken pipe instead.
    """
    size = 0
    for block in body:
        size += len(block)
        if size > limit:
            return
