"""What holds for every request, before and after its route; plain ASGI, so that streams flow."""

import logging
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sovereign_rag.errors import BadInput

logger = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "microphone=(), payment=(), usb=()"
    ),
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds the security headers to every response; a route may set its own Cache-Control."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class AllowedHosts:
    """Refuses a Host header that isn't ours, which defeats DNS rebinding.

    Starlette's own middleware cuts an IPv6 address at its first colon and answers in plain text.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self.app = app
        self.allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self.allowed:
            name = host_name(Headers(scope=scope).get("host", ""))
            if name not in self.allowed:
                detail = (
                    f"This service does not answer for the host name {name!r}. "
                    "Its admin can add it to server.allowed_hosts."
                )
                body = {"error": BadInput.__name__, "detail": detail}
                await JSONResponse(body, status_code=400)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses a request body beyond `max_bytes`; uploads, which stream, keep their own limit."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, streamed: frozenset[str]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.streamed:
            await self.app(scope, receive, send)
            return
        size = 0

        async def receive_limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_bytes:
                # This kind passes through the framework's body parsing as it is.
                raise HTTPException(413)
            return message

        await self.app(scope, receive_limited, send)


class UnexpectedErrors:
    """Turns what no handler caught into a 500 that tells the caller nothing and the log all.

    Starlette's own place for it lies outside every middleware, so its answers would lack the
    security headers.
    """

    def __init__(self, app: ASGIApp, *, respond: Callable[[Request], Response]) -> None:
        self.app = app
        self.respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except Exception:  # whatever it is, the caller gets the one error shape and no details
            if scope["type"] != "http":
                raise
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if not started:
                await self.respond(Request(scope))(scope, receive, send)


def host_name(host: str) -> str:
    """The name in a Host header, lower-case, without its port; IPv6 keeps its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
