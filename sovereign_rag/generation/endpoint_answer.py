"""One answer of one server: waited for with patience, a deadline and an eye on the asker."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty
from typing import Any, Final, Literal

from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.endpoint_server import Failed, Server, ServerRequest
from sovereign_rag.generation.endpoint_stream import StreamChunk, Usage
from sovereign_rag.generation.protocol import Delta
from sovereign_rag.settings import EndpointSettings

_LOOK_FOR_CANCEL_S: Final = 0.05
_MOST_CHARACTERS_PER_TOKEN: Final = 64  # beyond that the server disregards max_tokens
TOO_SLOW: Final = "it said no word in time"


class EndpointAnswer(Iterator[Delta]):
    """The pieces of one answer of one server."""

    def __init__(
        self,
        server: Server,
        body: Mapping[str, Any],
        settings: EndpointSettings,
        *,
        max_tokens: int,
        cancel: threading.Event | None,
        deadline: float,
        release: Callable[[Server], None],
    ) -> None:
        """Nothing is sent yet. `release` is called once, when the answer has ended."""
        self._server, self._body, self._settings = server, body, settings
        self._cancel, self._deadline, self._release = cancel, deadline, release
        self._most = max_tokens * _MOST_CHARACTERS_PER_TOKEN
        self._request: ServerRequest | None = None
        self._first: Delta | None = None
        self._ended = False
        self._characters = self._pieces = 0
        self._finish: StreamChunk | None = None
        self._usage: Usage | None = None

    def begin(self) -> Failed | None:
        """Ask, and wait for the first word; None: it is there."""
        if self._server.sends_usage:
            self._request = self._server.begin(
                {**self._body, "stream_options": {"include_usage": True}}
            )
        else:
            self._request = self._server.begin(self._body)
        outcome = self._next(self._settings.first_token_timeout_s)
        if isinstance(outcome, Delta):
            self._first = outcome
            if outcome.finish is None:
                self._server.breaker.answers()
            return None
        if outcome.without_usage and self._server.sends_usage:
            self._server.sends_usage = False
            self._request.close()
            return self.begin()
        if outcome.kind == "server":
            self._server.breaker.failed(outcome.reason)
        self._end()
        return outcome

    def __next__(self) -> Delta:
        if self._first is not None:
            piece, self._first = self._first, None
            return piece
        if self._ended:
            raise StopIteration
        outcome = self._next(self._settings.silence_timeout_s)
        if isinstance(outcome, Delta):
            return outcome
        self._server.breaker.failed(outcome.reason)
        self._end()
        raise GenerationError(
            f"The endpoint {self._server.at.url} broke off in the middle of an answer: "
            f"{outcome.reason}. Ask again."
        )

    def close(self) -> None:
        """Free the place; nothing more comes."""
        self._first = None
        if not self._ended:
            self._end()

    def __del__(self) -> None:
        self.close()

    def _next(self, patience_s: float) -> Delta | Failed:
        """The next text, the end, or why there is none."""
        assert self._request is not None
        until = time.monotonic() + patience_s
        while True:
            if self._cancel is not None and self._cancel.is_set():
                return self._last("cancelled")
            now = time.monotonic()
            if now >= self._deadline:
                self._end()
                raise GenerationError(
                    "The answer took longer than generation.timeout_s. Raise it, ask for a "
                    "shorter answer, or choose a smaller model."
                )
            if now >= until:
                return Failed(TOO_SLOW)
            wait_s = min(until, self._deadline) - now
            if self._cancel is not None:
                wait_s = min(wait_s, _LOOK_FOR_CANCEL_S)
            try:
                event = self._request.events.get(timeout=wait_s)
            except Empty:
                continue
            if isinstance(event, Failed):
                return event
            if event is None:
                assert self._finish is not None  # else the stream was broken
                assert self._finish.finish is not None
                self._server.breaker.succeeded()
                return self._last(self._finish.finish)
            self._usage = event.usage or self._usage
            if event.finish is not None:
                self._finish = event
            if event.text:
                self._pieces += 1
                self._characters += len(event.text)
                if self._characters > self._most:
                    return self._last("length")
                return Delta(event.text)

    def _last(self, finish: Literal["stop", "length", "cancelled"]) -> Delta:
        self._end()
        usage = self._usage or Usage(0, 0, self._pieces)  # most send a token a piece
        return Delta(
            "",
            finish,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
        )

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._server.breaker.abandoned()  # where nothing else was said of it
        if self._request is not None:
            self._request.close()
        self._release(self._server)
