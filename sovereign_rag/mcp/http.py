"""The protocol at `/mcp`, by streamable HTTP: every request carries its key and stands by itself.

There are no sessions, so any process may answer any request, and a key that was revoked is worth
nothing at the next one. The protocol's library takes half a second to import: it is, with the first
request for a tool, so that a service which nobody asks for tools starts without it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup, TaskStatus
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sovereign_rag.access import Principal
from sovereign_rag.errors import Forbidden, Unauthenticated
from sovereign_rag.http.errors import error_response, http_response
from sovereign_rag.http.identity import current_principal
from sovereign_rag.http.sources import public_url
from sovereign_rag.services.container import Service

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from sovereign_rag.mcp.server import Context, ToolCaller

PATH: Final = "/mcp"
METADATA: Final = "/.well-known/oauth-protected-resource"


class McpEndpoint:
    """The door itself; `running` while the application serves."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._opening = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    async def _opened(self) -> "StreamableHTTPSessionManager":
        """What speaks the protocol; made with the first request, and held as long as `running`."""
        async with self._opening:
            if self._manager is None:
                assert self._tasks is not None, "the application is not running"
                manager = await anyio.to_thread.run_sync(_manager_over, self._service)
                await self._tasks.start(_run, manager)
                self._manager = manager
            return self._manager

    def routes(self) -> list[BaseRoute]:
        """The door, and what is told of it to clients that look for how to identify themselves."""
        return [
            Route(PATH, endpoint=self),
            Route(METADATA, endpoint=self.metadata),
            Route(METADATA + PATH, endpoint=self.metadata),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != "POST":  # nothing is sent that was not asked for
            response: Response = http_response(405, {"Allow": "POST"})
            await response(scope, receive, send)
            return
        try:
            base = public_url(self._service.settings.server, request)
            require_known_origin(request, base)
            principal = await anyio.to_thread.run_sync(current_principal, request, self._service)
        except Unauthenticated as refusal:
            response = error_response(refusal)
            response.headers["WWW-Authenticate"] = self._challenge(request)
            await response(scope, receive, send)
            return
        manager = await self._opened()
        request.state.caller = _tool_caller(principal, base, request)
        await manager.handle_request(scope, receive, send)

    async def metadata(self, request: Request) -> Response:
        """Which resource this is and how a caller identifies itself (RFC 9728)."""
        base = public_url(self._service.settings.server, request)
        issuer = self._service.settings.identity.oidc.issuer
        return JSONResponse(
            {
                "resource": base + PATH,
                **({"authorization_servers": [issuer]} if issuer else {}),
                "resource_name": "Sovereign RAG",
                "resource_documentation": f"{base}/docs",
                "bearer_methods_supported": ["header"],
            }
        )

    def _challenge(self, request: Request) -> str:
        base = public_url(self._service.settings.server, request)
        return f'Bearer resource_metadata="{base}{METADATA}{PATH}"'


def require_known_origin(request: Request, base: str) -> None:
    """Refuse what a browser sends from another site's page; other programs name no origin.

    Raises:
        Forbidden: The request comes from another origin than ours.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    ours = urlsplit(base)
    sent = urlsplit(origin)
    if (sent.scheme, sent.netloc.lower()) != (ours.scheme, ours.netloc.lower()):
        raise Forbidden(f"Pages of {origin!r} may not call tools here.")


def _manager_over(service: Service) -> "StreamableHTTPSessionManager":
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from sovereign_rag.mcp.desk import ToolDesk
    from sovereign_rag.mcp.server import tool_server

    server = tool_server(ToolDesk(service), _caller)
    return StreamableHTTPSessionManager(app=server, json_response=True, stateless=True)


async def _run(manager: "StreamableHTTPSessionManager", *, task_status: TaskStatus[None]) -> None:
    async with manager.run():
        task_status.started()
        await anyio.sleep_forever()


def _tool_caller(principal: Principal, base: str, request: Request) -> "ToolCaller":
    from sovereign_rag.mcp.server import ToolCaller

    return ToolCaller(principal, base, request.app.state.answer_slots)


def _caller(context: "Context") -> "ToolCaller":
    request: Any = context.request
    caller: ToolCaller = request.state.caller
    return caller
