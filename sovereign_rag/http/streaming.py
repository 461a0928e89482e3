"""A slow answer over HTTP: as server-sent events or at once, given up when the caller leaves."""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sovereign_rag.errors import SovereignError
from sovereign_rag.http.errors import error_body, unexpected_body

logger = logging.getLogger(__name__)
T = TypeVar("T")

HEARTBEAT_S = 10.0  # shorter than the idle timeouts of common proxies (30 to 60 s)
_LOOK_EVERY_S = 1.0  # whether the caller may still be told
_HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event; `data` is sent as JSON."""

    name: str
    data: object

    def encode(self) -> bytes:
        # JSON has no raw line breaks, so one data line is always enough.
        return b"event: %s\ndata: %s\n\n" % (self.name.encode(), orjson.dumps(self.data))


class Encodable(Protocol):
    """What a stream is made of."""

    def encode(self) -> bytes: ...


def _failure(error: SovereignError | None) -> Encodable:
    return StreamEvent("error", unexpected_body() if error is None else error_body(error))


class EventStream(Response):
    """Sends events as they come, a comment when none does, and cancels when the caller leaves.

    The events are made in one thread of `slots`; a caller that reads slowly slows them down.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: Iterator[Encodable],
        *,
        cancel: threading.Event,
        slots: anyio.CapacityLimiter,
        heartbeat_s: float = HEARTBEAT_S,
        ends: Callable[[], SovereignError | None] = lambda: None,
        failure: Callable[[SovereignError | None], Encodable] = _failure,
    ) -> None:
        """
        Args:
            ends: Is asked about every second; what it gives ends the stream, as its last event.
            failure: Makes the last event of an error; None is one that nobody foresaw.
        """
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.events = events
        self.cancel = cancel
        self.slots = slots
        self.heartbeat_s = heartbeat_s
        self.ends, self.failure = ends, failure

    @classmethod
    async def opened(
        cls,
        events: Iterator[Encodable],
        *,
        cancel: threading.Event,
        slots: anyio.CapacityLimiter,
        ends: Callable[[], SovereignError | None] = lambda: None,
        failure: Callable[[SovereignError | None], Encodable] = _failure,
    ) -> "EventStream":
        """Wait for the first event, so that a refusal before it is an ordinary error response."""
        first = await anyio.to_thread.run_sync(lambda: next(events, None), limiter=slots)
        rest = events if first is None else itertools.chain([first], events)
        whole = _closing(rest, events)
        return cls(whole, cancel=cancel, slots=slots, ends=ends, failure=failure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sender, receiver = anyio.create_memory_object_stream[bytes](16)
        async with anyio.create_task_group() as group:
            group.start_soon(cancel_on_disconnect, receive, self.cancel)
            group.start_soon(self._produce, sender)
            try:
                await self._send_all(receiver, send)
            finally:
                # Whatever ended the sending, the thread that makes the events ends too.
                self.cancel.set()
                receiver.close()
                group.cancel_scope.cancel()

    async def _send_all(self, receiver: MemoryObjectReceiveStream[bytes], send: Send) -> None:
        sent = looked = anyio.current_time()
        while True:
            data = b""
            with anyio.move_on_after(min(_LOOK_EVERY_S, self.heartbeat_s)):
                try:
                    data = await receiver.receive()
                except anyio.EndOfStream:
                    break
            if anyio.current_time() - looked >= _LOOK_EVERY_S:
                looked = anyio.current_time()
                reason = await anyio.to_thread.run_sync(self.ends)
                if reason is not None:
                    last = self.failure(reason).encode()
                    await send({"type": "http.response.body", "body": last, "more_body": True})
                    break
            if not data and anyio.current_time() - sent >= self.heartbeat_s:
                data = _HEARTBEAT
            if data:
                sent = anyio.current_time()
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _produce(self, sender: MemoryObjectSendStream[bytes]) -> None:
        async with sender:
            await anyio.to_thread.run_sync(self._run, sender, limiter=self.slots)

    def _run(self, sender: MemoryObjectSendStream[bytes]) -> None:
        try:
            for event in self._with_errors():
                anyio.from_thread.run(sender.send, event.encode())
        except anyio.BrokenResourceError:
            return  # the caller has left
        finally:
            close = getattr(self.events, "close", None)
            if close is not None:
                close()

    def _with_errors(self) -> Iterator[Encodable]:
        """The status line has gone out already, so an error is the last event."""
        try:
            yield from self.events
        except SovereignError as error:
            yield self.failure(error)
        except Exception:  # the status is sent already: what is left is an event that says so
            logger.exception("a streamed answer failed")
            yield self.failure(None)


async def at_once(
    work: Callable[[], T],
    request: Request,
    *,
    cancel: threading.Event,
    slots: anyio.CapacityLimiter,
) -> T:
    """Run `work` in a thread; set `cancel` if the caller leaves before it is done."""
    refusal: SovereignError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(cancel_on_disconnect, request.receive, cancel)
        try:
            return await anyio.to_thread.run_sync(work, limiter=slots)
        except SovereignError as error:
            refusal = error
        finally:
            group.cancel_scope.cancel()
    if refusal is not None:
        raise refusal  # out here: the group would wrap it, and its status would be lost
    raise AssertionError("a task group either returns or raises")


async def cancel_on_disconnect(receive: Receive, cancel: threading.Event) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            cancel.set()
            return


def _closing(events: Iterator[Encodable], inner: Iterator[Encodable]) -> Iterator[Encodable]:
    try:
        yield from events
    finally:
        close = getattr(inner, "close", None)
        if close is not None:
            close()
