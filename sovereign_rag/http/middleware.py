"""What holds for every request, before and after its route; plain ASGI, so that streams flow."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sovereign_rag.errors import BadInput
from sovereign_rag.http.errors import error_response
from sovereign_rag.http.owner_door import came_by_door

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
    What says nothing but whether the service lives answers by any name: monitors ask by address.
    """

    def __init__(
        self, app: ASGIApp, *, allowed: Sequence[str], open_paths: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.allowed = frozenset(name.lower() for name in allowed)
        self.open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and "*" not in self.allowed
            and scope["path"] not in self.open_paths
            and not came_by_door(scope)
        ):
            name = host_name(Headers(scope=scope).get("host", ""))
            if name not in self.allowed:
                detail = (
                    f"This service does not answer for the host name {name!r}. "
                    "Its admin can add it to server.allowed_hosts."
                )
                await error_response(BadInput(detail))(scope, receive, send)
                return
        await self.app(scope, receive, send)


class OneLength:
    """Refuses a request that tells its length twice: a proxy before us may go by the other one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if "content-length" in headers and "transfer-encoding" in headers:
                detail = "A request has one length: Content-Length or Transfer-Encoding, not both."
                response = error_response(BadInput(detail))
                response.headers["Connection"] = "close"  # where the next one begins is unknown
                await response(scope, receive, send)
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


class HeadAsGet:
    """Answers HEAD as GET without its body, on every route; a stream ends at its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        answered, begun = anyio.Event(), False

        async def gone_when_answered() -> Message:
            nonlocal begun
            if not begun:
                begun = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await answered.wait()
            return {"type": "http.disconnect"}

        async def headers_alone(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                answered.set()

        request = {**scope, "method": "GET"}
        await self.app(request, gone_when_answered, headers_alone)


class Patience:
    """Lets go of callers that send a body, or read an answer, more slowly than anybody does."""

    def __init__(self, app: ASGIApp, *, receive_s: float, send_s: float) -> None:
        self.app = app
        self.receive_s, self.send_s = receive_s, send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        whole = gave_up = False

        async def receive_in_time() -> Message:
            nonlocal whole
            if whole:  # from here on a receive waits for the caller to leave
                return await receive()
            with anyio.move_on_after(self.receive_s):
                message = await receive()
                whole = not message.get("more_body", False)
                return message
            whole = True
            raise HTTPException(408, headers={"Connection": "close"})

        async def send_in_time(message: Message) -> None:
            nonlocal gave_up
            with anyio.move_on_after(self.send_s) as time_limit:
                await send(message)
            if time_limit.cancelled_caught:
                gave_up = True
                raise ClientDisconnect

        try:
            await self.app(scope, receive_in_time, send_in_time)
        except Exception:  # a task group may have wrapped what was raised here
            if not gave_up:
                raise
            logger.info("A caller of %s read nothing for %g s", scope["path"], self.send_s)


_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)


def host_name(host: str) -> str:
    """The name in a Host header, lower-case, without its port; IPv6 keeps its brackets.

    What is no host at all ("localhost:80@elsewhere") gives "", which nobody answers for.
    """
    found = _HOST.fullmatch(host.strip().lower())
    return found[1] if found else ""
