"""One server behind `generation.endpoint`: requests go out, chunks come back, by a thread each.

A thread, because whoever waits for the next word also has to see that the asker went away or that
time is up. Closing shuts the socket down, so that no thread stays behind with a silent server.
"""

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, Literal

import httpx

from sovereign_rag.generation.endpoint_stream import (
    StreamBroken,
    StreamChunk,
    error_text,
    read_chunks,
)
from sovereign_rag.settings import EndpointSettings
from sovereign_rag.system.allowed_addresses import (
    AllowList,
    NotAdmitted,
    Resolve,
    ServerPlace,
)
from sovereign_rag.system.breaker import Breaker
from sovereign_rag.system.listed_client import deepest

_MOST_OF_AN_ERROR: Final = 64 << 10  # bytes read of a refusal's body
_SLOWEST_S: Final = 3_600.0  # no thread outlives this, whatever the waiting side does
_REFUSED: Final = {400, 413, 422}


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer, or no more of it."""

    reason: str
    kind: Literal["server", "busy", "request"] = "server"
    retry_after_s: float | None = None
    without_usage: bool = False  # the same request without `stream_options` may pass


ServerEvent = StreamChunk | Failed | None
"""What comes of a request, in order; None: it is done."""


class Server:
    """A server at one place; several requests may be under way."""

    def __init__(
        self,
        at: ServerPlace,
        settings: EndpointSettings,
        *,
        allow: AllowList,
        resolve: Resolve,
        tls: ssl.SSLContext,
        key: str | None,
        breaker: Breaker,
    ) -> None:
        self.at, self.breaker = at, breaker
        self.under_way = 0  # kept by the generator
        self.sends_usage = True  # until it refuses to be asked for it
        self._allow, self._resolve = allow, resolve
        self._headers = {"Host": at.netloc, "Accept-Encoding": "identity"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._address: str | None = None
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(
                verify=tls,
                trust_env=False,
                # A connection a request: one that the server let go of can't fail the next.
                limits=httpx.Limits(max_keepalive_connections=0),
            ),
            trust_env=False,  # no proxy, no netrc
            follow_redirects=False,
            timeout=httpx.Timeout(_SLOWEST_S, connect=settings.connect_timeout_s),
        )

    def begin(self, body: Mapping[str, Any]) -> "ServerRequest":
        """Ask for a chat completion; it comes through the request's queue."""
        return ServerRequest(self, body)

    def models(self, *, timeout_s: float) -> list[str]:
        """The models that it lists.

        Raises:
            EndpointFailed: It can't be reached or answers something else.
        """
        try:
            reply = self._client.send(self._request("GET", "/models", timeout_s=timeout_s))
        except (httpx.HTTPError, OSError, NotAdmitted) as error:
            raise EndpointFailed(self._explain(error).reason) from error
        if reply.status_code != httpx.codes.OK:
            raise EndpointFailed(_refusal(reply, reply.content).reason)
        try:
            return [str(model["id"]) for model in reply.json()["data"]]
        except (ValueError, LookupError, TypeError) as error:
            raise EndpointFailed(
                "it lists no models under /models: is it OpenAI-compatible, and does the address "
                "end in /v1?"
            ) from error

    def close(self) -> None:
        self._client.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        timeout_s: float | None = None,
        trace: Any = None,
    ) -> httpx.Request:
        """A request to the address that was checked.

        Raises:
            NotAdmitted: The name stands for nothing on the list.
            OSError: The name can't be looked up.
        """
        address = self._address
        if address is None:
            address = self._address = self._allow.choose(self.at, self._resolve)
        host = f"[{address}]" if ":" in address else address
        extensions: dict[str, Any] = {"sni_hostname": self.at.host}
        if trace is not None:
            extensions["trace"] = trace
        return self._client.build_request(
            method,
            f"{self.at.scheme}://{host}:{self.at.port}{self.at.path}{path}",
            content=body,
            headers={**self._headers, "Content-Type": "application/json"},
            extensions=extensions,
            timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
        )

    def run(self, request: "ServerRequest", body: Mapping[str, Any]) -> None:
        """Send a request and pass on what comes; in the request's thread."""
        try:
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            outgoing = self._request(
                "POST", "/chat/completions", body=content, trace=request.note_connection
            )
            reply = self._client.send(outgoing, stream=True)
            try:
                refused = _look_at(reply)
                if refused is not None:
                    request.events.put(refused)
                    return
                for chunk in read_chunks(reply.iter_raw()):
                    request.events.put(chunk)
                request.events.put(None)
            finally:
                reply.close()
        except Exception as error:  # whoever waits is told, whatever it was
            request.events.put(self._explain(error))

    def _explain(self, error: Exception) -> Failed:
        match error:
            case NotAdmitted():
                return Failed(
                    f"{self.at.host} stands for {error}, which generation.endpoint.allow does "
                    "not list; nothing was sent"
                )
            case httpx.ConnectTimeout():
                self._address = None  # the name may have moved: looked up and checked anew
                return Failed("no connection in time")
            case httpx.ConnectError():
                self._address = None
                return Failed(f"no connection: {deepest(error)}")
            case StreamBroken():
                return Failed(str(error))
            case httpx.TimeoutException():
                return Failed("it gave no reply in time")
            case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
                return Failed(f"the connection broke off: {deepest(error)}")
            case OSError():
                return Failed(f"{self.at.host} can't be looked up: {error}")
        return Failed(f"{type(error).__name__}: {error}")


class EndpointFailed(Exception):
    """A server gave no answer; the text says why."""


class ServerRequest:
    """A request under way."""

    def __init__(self, server: Server, body: Mapping[str, Any]) -> None:
        self.events: SimpleQueue[ServerEvent] = SimpleQueue()
        self._socket: socket.socket | None = None
        self._closed = False
        self._lock = threading.Lock()
        thread = threading.Thread(
            target=server.run, args=(self, body), name="endpoint-request", daemon=True
        )
        thread.start()

    def note_connection(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep hold of the socket, so that it can be shut down."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._closed:
                    self._shut()

    def close(self) -> None:
        """Nothing more is wanted; the thread ends."""
        with self._lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the plain socket's: TLS's own would pull the rug mid-read
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _look_at(reply: httpx.Response) -> Failed | None:
    """None: an event stream begins."""
    if reply.status_code != httpx.codes.OK:
        body = b""
        for block in reply.iter_raw():
            body += block
            if len(body) > _MOST_OF_AN_ERROR:
                break
        return _refusal(reply, body)
    kind = reply.headers.get("content-type", "nothing")
    if not kind.lower().startswith("text/event-stream"):
        return Failed(
            f"it sent {kind[:60]} where an event stream was due: is it OpenAI-compatible, and "
            "does the address end in /v1?"
        )
    return None


def _refusal(reply: httpx.Response, body: bytes) -> Failed:
    status = reply.status_code
    try:
        said = error_text(json.loads(body))
    except ValueError:
        said = error_text(body.decode("utf-8", "replace"))
    if reply.is_redirect:
        where = reply.headers.get("location", "?")[:200]
        return Failed(f"it redirects to {where}, and redirects are not followed")
    if status in {401, 403}:
        return Failed(f"it refuses the key ({status}): see generation.endpoint.api_key; {said}")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Failed(said, "busy", retry_after_s=_seconds(reply.headers.get("retry-after")))
    if status in _REFUSED:
        return Failed(said, "request", without_usage="stream_options" in said)
    return Failed(f"it answers {status}: {said}" if said else f"it answers {status}")


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None  # a date; rare, and no more than a hint
