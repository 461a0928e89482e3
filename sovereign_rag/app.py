"""The application: routes, what holds for all of them, and errors in one shape."""

import threading
from typing import cast

import anyio
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from sovereign_rag.api import (
    access,
    answers,
    contents,
    curated,
    documents,
    health,
    jobs,
    keys,
    roles,
    search,
    settings,
    uploads,
    usage,
    webhooks,
)
from sovereign_rag.api.description import described
from sovereign_rag.api.openai import chat, embeddings, models, vector_stores
from sovereign_rag.api.openai import errors as openai_errors
from sovereign_rag.catalog.records import JobProgress
from sovereign_rag.errors import Forbidden, SovereignError
from sovereign_rag.http.errors import (
    UNEXPECTED,
    error_headers,
    error_response,
    http_body,
    http_response,
    unexpected_body,
    validation_error,
)
from sovereign_rag.http.identity import the_service
from sovereign_rag.http.limits import UploadPlaces
from sovereign_rag.http.looks import SharedLooks
from sovereign_rag.http.middleware import (
    AllowedHosts,
    BodyLimit,
    HeadAsGet,
    OneLength,
    Patience,
    SecurityHeaders,
    UnexpectedErrors,
)
from sovereign_rag.http.params import accepts_events, known_parameters
from sovereign_rag.http.permissions import operation_of
from sovereign_rag.http.told import Told
from sovereign_rag.mcp.http import McpEndpoint
from sovereign_rag.services.container import Service
from sovereign_rag.version import VERSION
from sovereign_rag.web import (
    asking,
    design,
    directory,
    document_list,
    history,
    house,
    job_pages,
    pages,
    reference,
    searching,
)
from sovereign_rag.web.admin import routes, upload
from sovereign_rag.web.rendering import STATIC
from sovereign_rag.web.session import address_to_return_to

MAX_BODY_BYTES = 1 << 20
_CONDITIONS = ("If-Match", "If-None-Match", "Last-Event-ID")
_MACHINES = ("/v1/", "/healthz", "/readyz", "/openapi.json")


def create_app(service: Service) -> FastAPI:
    """The API and the page over `service`, which the caller closes."""
    server = service.settings.server
    mcp = McpEndpoint(service)
    app = FastAPI(
        title="Sovereign RAG",
        version=VERSION,
        description="Answers from an organisation's documents, every statement with its quote.",
        docs_url=None,  # they load their script from a CDN; /docs is ours
        redoc_url=None,
        lifespan=lambda app: mcp.running(),
        # Clients are generated from the description: a name there is a method's of theirs.
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    # Everybody whose turn it is, or who waits for theirs, holds a thread meanwhile.
    generation = service.settings.generation
    slots = generation.slots + generation.queue + server.queue + 16
    app.state.answer_slots = anyio.CapacityLimiter(slots)
    app.state.uploads = UploadPlaces(server.uploads, per_person=server.uploads_per_person)
    app.state.job_looks = SharedLooks[JobProgress]()
    app.state.leaving = threading.Event()  # set when the service goes down

    ours = (
        *(
            answers,
            search,
            documents,
            contents,
            uploads,
            jobs,
            access,
            keys,
            roles,
            settings,
            usage,
        ),
        *(webhooks, curated, health),
    )
    for module in ours:
        app.include_router(module.router, dependencies=[Depends(known_parameters)])
    for module in (models, chat, embeddings, vector_stores):  # whose protocol takes any parameter
        app.include_router(module.router)
    app.router.routes.extend(mcp.routes())
    for module in (
        asking,
        design,
        history,
        searching,
        document_list,
        pages,
        directory,
        house,
        job_pages,
        reference,
        routes,
    ):  # addresses that people copy keep what they hold
        app.include_router(module.router)
    app.mount("/static", _Assets(directory=STATIC))

    # The last added is the outermost.
    app.add_middleware(
        BodyLimit, max_bytes=MAX_BODY_BYTES, streamed=frozenset({uploads.PATH, upload.PATH})
    )
    app.add_middleware(Patience, receive_s=server.request_timeout_s, send_s=server.send_timeout_s)
    app.add_middleware(UnexpectedErrors, respond=_unexpected)
    app.add_middleware(HeadAsGet)
    if server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=server.cors_origins,
            allow_methods=("GET", "POST", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", *_CONDITIONS),
            expose_headers=("ETag", "Location", "Retry-After", "Content-Disposition"),
        )
    app.add_middleware(AllowedHosts, allowed=server.allowed_hosts, open_paths=health.PATHS)
    app.add_middleware(OneLength)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Told, metrics=service.oversight.metrics)

    app.add_exception_handler(SovereignError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


async def _refused(request: Request, error: Exception) -> Response:
    refusal = cast(SovereignError, error)
    if isinstance(refusal, Forbidden):
        await anyio.to_thread.run_sync(_note_refusal, request)
    if request.url.path == "/c" and accepts_events(request):
        body = pages.refusal_for_script(request, refusal)
        headers = error_headers(refusal)
        return JSONResponse(body, status_code=refusal.status, headers=headers)
    if _is_for_people(request):
        to = await address_to_return_to(request) if refusal.status == 401 else "/"
        return pages.error_page(request, refusal.status, str(refusal), to=to)
    if openai_errors.speaks(request):
        return openai_errors.error_response(refusal)
    return error_response(refusal)


def _note_refusal(request: Request) -> None:
    """What somebody known may not do is on the record before they are told."""
    if (principal := getattr(request.state, "principal", None)) is not None:
        service = the_service(request)
        service.oversight.refusals.note(principal, operation_of(request.scope))


async def _invalid(request: Request, error: Exception) -> Response:
    return await _refused(request, validation_error(cast(RequestValidationError, error).errors()))


async def _no_route(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    if _is_for_people(request):
        detail = http_body(refusal.status_code)["detail"]
        return pages.error_page(request, refusal.status_code, detail)
    if openai_errors.speaks(request):
        return openai_errors.http_response(refusal.status_code, refusal.headers)
    return http_response(refusal.status_code, refusal.headers)


def _unexpected(request: Request) -> Response:
    if _is_for_people(request):
        return pages.error_page(request, 500, UNEXPECTED["detail"])
    body = openai_errors.unexpected_body() if openai_errors.speaks(request) else unexpected_body()
    return JSONResponse(body, status_code=500)


def _is_for_people(request: Request) -> bool:
    accepts_html = "text/html" in request.headers.get("accept", "")
    return accepts_html and not request.url.path.startswith(_MACHINES)


class _Assets(StaticFiles):
    """Our own script and style: kept by browsers, asked for again each time (by their ETag)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
