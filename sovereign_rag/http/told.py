"""What is told of each request: its id, what is left of its limits, a line and numbers for who
runs the service. Never a query, a body, or an address of the caller's making.
"""

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sovereign_rag.access import Principal
from sovereign_rag.http.permissions import operation_of
from sovereign_rag.services.limits import Standing
from sovereign_rag.services.metrics import Metrics
from sovereign_rag.system.logs import request_id_var
from sovereign_rag.system.tracing import Span, request_span

log = logging.getLogger("sovereign_rag.access_log")

ID_HEADER: Final = "X-Request-ID"
_GIVEN: Final = re.compile(r"[A-Za-z0-9_.-]{8,64}")


class Told:
    """Gives every request an id, which its answer and its log lines carry, and counts it."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope)
        given = sent.get(ID_HEADER, "")
        request_id = given if _GIVEN.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        begun, status = time.perf_counter(), 500

        async def send_told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[ID_HEADER] = request_id
                standing: Standing | None = state.get("standing")
                for name, value in (standing.headers if standing else {}).items():
                    headers[name] = value
            await send(message)

        token = request_id_var.set(request_id)
        with request_span(sent) as span:
            try:
                await self.app(scope, receive, send_told)
            finally:
                self._note(scope, status, time.perf_counter() - begun, span, request_id)
                request_id_var.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float, span: Span, request_id: str) -> None:
        operation = operation_of(scope)
        span.name(operation)
        span.set(
            request_id=request_id,
            http_request_method=scope["method"],
            http_route=operation.partition(" ")[2] or None,
            http_response_status_code=status,
        )
        if status >= 500:
            span.fail(str(status))
        self.metrics.requested(operation, status, seconds)
        caller: Principal | None = scope["state"].get("principal")
        fields = {
            "operation": operation,
            "status": status,
            "ms": round(seconds * 1_000, 1),
            "key": caller.caller.key if caller else None,
        }
        log.info("%s %d %s ms", operation, status, fields["ms"], extra={"fields": fields})
