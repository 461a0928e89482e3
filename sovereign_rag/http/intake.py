"""Files in, as a form brings them: streamed into the content store, then handed to a job."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request

from sovereign_rag.access import HIGHEST_LEVEL, Principal, parse_readers
from sovereign_rag.catalog.records import JobRecord, NewTask
from sovereign_rag.catalog.uploads import ContentCondition
from sovereign_rag.errors import BadInput, TooLarge
from sovereign_rag.http.multipart import MultipartReader
from sovereign_rag.http.stated import read_metadata
from sovereign_rag.metadata import NOTHING_STATED, Stated
from sovereign_rag.services.container import Service
from sovereign_rag.services.uploads import safe_name, upload_uri, upload_uri_by_id
from sovereign_rag.storage.content import Received
from sovereign_rag.storage.password_box import Seal

MAX_FILES: Final = 500


def take_in(
    request: Request,
    principal: Principal,
    service: Service,
    idempotency_key: str | None = None,
    content_hash: str | None = None,
) -> JobRecord:
    """Receive a form and hand its files to a job; runs in a thread, since its parts are files.

    Args:
        content_hash: Only as long as this is the content of the one document that is sent anew.

    Raises:
        BadInput: The form is broken, or has no file, an unknown field or an impossible value.
        TooLarge: A file is larger than `server.max_upload_mib`, or there are too many.
        Forbidden: The principal may not take documents in.
        KeyReused: The key came before, with other documents.
        DocumentChanged: The document has another content, or is there and was not to be.
        AuditError: It can't be recorded; then nothing is taken in.
    """
    body = _blocks(request)
    reader = MultipartReader(request.headers.get("content-type", ""), body)
    try:
        form = _receive(reader, service, principal)
    except TooLarge:
        _drain(body, limit=service.settings.server.max_upload_mib << 20)
        raise
    labels = frozenset({principal.label}) if form.readers is None else form.readers
    content = service.content
    if content_hash is not None and len(form.files) > 1:
        for _, received in form.files.values():
            content.drop(received)
        raise BadInput("If-Match is for one file: send the others in another upload.")

    def before_commit() -> None:
        for _, received in form.files.values():
            content.keep(received, principal.tenant)

    try:
        tasks = [
            NewTask(
                uri=uri,
                name=name,
                readers=labels,
                level=form.level,
                content_hash=received.content_hash,
                password=_sealed(form, service, principal.tenant, uri),
                stated=form.stated,
            )
            for uri, (name, received) in form.files.items()
        ]
        return service.documents.submit(
            tasks,
            principal,
            idempotency_key,
            before_commit=before_commit,
            conditions=[
                ContentCondition(uri, content_hash)
                for uri in form.files
                if content_hash is not None or not form.replaces
            ],
        )
    finally:
        for _, received in form.files.values():
            content.drop(received)  # of a key that was used before, or of a refusal


@dataclass(slots=True)
class _Form:
    files: dict[str, tuple[str, Received]] = field(default_factory=dict)  # by URI: name, bytes
    readers: frozenset[str] | None = None  # None: not said
    level: int = 0
    stated: Stated | None = None
    password: str | None = field(default=None, repr=False)
    own_id: str | None = None  # the integrator's, of the one file
    replaces: bool = True  # a document that is there already


def _sealed(form: _Form, service: Service, tenant: str, uri: str) -> bytes | None:
    if form.password is None:
        return None
    return Seal(service.sealer).close(form.password, tenant=tenant, uri=uri)


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
            blocks = reader.blocks()
            first = next(blocks, None)
            if first is None and part.filename == "":
                continue  # what a browser sends for a field where nothing was chosen
            name = safe_name(part.filename)
            uri = upload_uri(part.filename, principal, service.catalog.uploads)
            if uri in files:
                raise BadInput(f"Two files are named {name!r}; send them under different names.")
            if len(files) == MAX_FILES:
                raise TooLarge(
                    f"More than {MAX_FILES} files at once; send them in several uploads."
                )
            try:
                whole = chain([] if first is None else [first], blocks)
                received = service.content.receive(whole, max_bytes=max_mib << 20)
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
            form.password = reader.field() or None
        elif part.name == "id":
            form.own_id = reader.field().strip()
        elif part.name == "replace":
            form.replaces = _yes_or_no(reader.field())
        elif part.name == "metadata":
            kinds = service.settings.metadata.fields
            form.stated = read_metadata(reader.field()).over(NOTHING_STATED, kinds)
        else:
            raise BadInput(
                f"The form has no field {part.name!r}: send file, readers, level, password, "
                "metadata, id, replace."
            )
    if not files:
        raise BadInput("The form has no file: send at least one, e.g. `curl -F file=@a.pdf`.")
    if form.stated is not None and form.stated.title is not None and len(files) > 1:
        raise BadInput("A title is for one file: send the others in another upload.")
    if form.own_id is not None:
        if len(files) > 1:
            raise BadInput("An id is for one file: send the others in another upload.")
        form.files = {upload_uri_by_id(form.own_id, principal): next(iter(files.values()))}
    if form.password is not None and len(files) > 1:
        raise BadInput("A password is for one file: send the others in another upload.")


def _yes_or_no(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.strip().lower()]
    except KeyError as error:
        raise BadInput("replace is true or false.") from error


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
