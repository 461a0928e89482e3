"""The application: routes, what holds for all of them, and errors in one shape."""

import threading
from typing import Any, cast

import anyio
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from sovereign_rag.api import answers, documents, health, jobs, search, uploads
from sovereign_rag.catalog.records import JobProgress
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.errors import (
    UNEXPECTED,
    error_response,
    http_body,
    http_response,
    validation_error,
)
from sovereign_rag.http.limits import UploadPlaces
from sovereign_rag.http.looks import SharedLooks
from sovereign_rag.http.middleware import (
    AllowedHosts,
    BodyLimit,
    HeadAsGet,
    Patience,
    SecurityHeaders,
    UnexpectedErrors,
)
from sovereign_rag.http.params import known_parameters
from sovereign_rag.services.container import Service
from sovereign_rag.version import VERSION
from sovereign_rag.web import job_pages, pages, reference
from sovereign_rag.web.rendering import STATIC

MAX_BODY_BYTES = 1 << 20
_MACHINES = ("/v1/", "/healthz", "/readyz", "/openapi.json")


def create_app(service: Service) -> FastAPI:
    """The API and the page over `service`, which the caller closes."""
    server = service.settings.server
    app = FastAPI(
        title="Sovereign RAG",
        version=VERSION,
        description="Answers from an organisation's documents, every statement with its quote.",
        docs_url=None,  # they load their script from a CDN; /docs is ours
        redoc_url=None,
    )
    app.state.service = service
    # Everybody whose turn it is, or who waits for theirs, holds a thread meanwhile.
    generation = service.settings.generation
    slots = generation.slots + generation.queue + server.queue + 16
    app.state.answer_slots = anyio.CapacityLimiter(slots)
    app.state.uploads = UploadPlaces(server.uploads, per_person=server.uploads_per_person)
    app.state.job_looks = SharedLooks[JobProgress]()
    app.state.leaving = threading.Event()  # set when the service goes down

    for module in (answers, search, documents, uploads, jobs, health):
        app.include_router(module.router, dependencies=[Depends(known_parameters)])
    for module in (pages, job_pages, reference):  # addresses that people copy keep what they hold
        app.include_router(module.router)
    app.mount("/static", _Assets(directory=STATIC))

    # The last added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, streamed=frozenset({uploads.PATH}))
    app.add_middleware(Patience, receive_s=server.request_timeout_s, send_s=server.send_timeout_s)
    app.add_middleware(UnexpectedErrors, respond=_unexpected)
    app.add_middleware(HeadAsGet)
    app.add_middleware(AllowedHosts, allowed=server.allowed_hosts, open_paths=health.PATHS)
    app.add_middleware(SecurityHeaders)

    app.add_exception_handler(SovereignError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


async def _refused(request: Request, error: Exception) -> Response:
    refusal = cast(SovereignError, error)
    if _is_for_people(request):
        return pages.error_page(request, refusal.status, str(refusal))
    return error_response(refusal)


async def _invalid(request: Request, error: Exception) -> Response:
    return await _refused(request, validation_error(cast(RequestValidationError, error).errors()))


async def _no_route(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    if _is_for_people(request):
        detail = http_body(refusal.status_code)["detail"]
        return pages.error_page(request, refusal.status_code, detail)
    return http_response(refusal.status_code, refusal.headers)


def _unexpected(request: Request) -> Response:
    if _is_for_people(request):
        return pages.error_page(request, 500, UNEXPECTED["detail"])
    return JSONResponse(UNEXPECTED, status_code=500)


def _is_for_people(request: Request) -> bool:
    accepts_html = "text/html" in request.headers.get("accept", "")
    return accepts_html and not request.url.path.startswith(_MACHINES)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description as it is: a schema's refusal is our 400, not the framework's 422."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)
                operation["security"] = [{"key": []}]
        components = schema["components"]
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = schema
    return app.openapi_schema


class _Assets(StaticFiles):
    """Our own script and style: kept by browsers, asked for again each time (by their ETag)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
