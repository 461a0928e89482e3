"""The process in which the language model lives: `python -m sovereign_rag.generation.engine`.

A JSON object a line comes in on stdin, and goes out on what was stdout: first the configuration,
then requests; `engine_process` is the other side. One thread owns model and context; another
reads requests and tokenises them, so counting tokens does not wait for a step.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, Final

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.chat import ChatTemplate, PromptTokens, encode
from sovereign_rag.generation.computing import Computing
from sovereign_rag.generation.protocol import Message

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    incoming, send = _take_over_pipes()
    configuration = json.loads(incoming.readline())
    _die_with(configuration["parent"])
    try:
        engine = _Engine(configuration, send)
    except ModelError as error:
        send({"failed": str(error)})
        return
    send({"ready": engine.context_tokens})
    threading.Thread(target=engine.read, args=(incoming,), daemon=True).start()
    engine.run()


class _Engine:
    def __init__(
        self, configuration: Mapping[str, Any], send: Callable[[Mapping[str, Any]], None]
    ) -> None:
        # Here and not at the top: what these log when imported must not meet the pipe.
        from sovereign_rag.generation.arranging import arrange
        from sovereign_rag.generation.native import NativeModel, quiet
        from sovereign_rag.generation.scheduler import Event, Request, Scheduler

        self._send, self._request = send, Request
        self._template = ChatTemplate(
            configuration["template"],
            bos_token=configuration["bos_token"],
            eos_token=configuration["eos_token"],
        )
        self._public: frozenset[str] = frozenset(configuration["public_prompts"])
        self.context_tokens: int = configuration["context_tokens"]
        slots: int = configuration["slots"]
        computing = Computing(**configuration["computing"])
        quiet()
        path = Path(configuration["model"])
        if configuration["arranged"] is not None:
            path = arrange(path, Path(configuration["arranged"]), sha256=configuration["sha256"])
        self._model = NativeModel(
            path,
            context_tokens=self.context_tokens,
            sequences=Scheduler.sequences(slots),
            batch_tokens=computing.block_tokens + slots,
            temperature=configuration["temperature"],
            computing=computing,
        )
        self._written: list[Mapping[str, Any]] = []  # in this step; one line for all callers

        def emit(event: Event) -> None:
            line: dict[str, Any] = {"id": event.request, "text": event.text}
            if event.finish is not None:
                line |= {
                    "finish": event.finish,
                    "prompt_tokens": event.prompt_tokens,
                    "cached_tokens": event.cached_tokens,
                    "completion_tokens": event.completion_tokens,
                    "seconds": event.seconds,
                }
            self._written.append(line)

        self._scheduler = Scheduler(
            self._model, slots, self.context_tokens, emit, block=computing.block_tokens
        )
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def run(self) -> None:
        """Step for ever; waits where there is nothing to do."""
        while True:
            try:
                while True:
                    self._orders.get(block=self._scheduler.idle)()
                    self._tell()
            except Empty:
                self._scheduler.step()
                self._tell()

    def _tell(self) -> None:
        if self._written:
            self._send({"events": self._written})
            self._written = []

    def read(self, incoming: IO[str]) -> None:
        """Take requests until the parent closes the pipe, which ends the process."""
        handlers = {
            "start": self._start,
            "count": self._count,
            "cancel": self._cancel,
            "places": self._places,
        }
        try:
            for line in incoming:
                order = json.loads(line)
                handlers[order["op"]](order)
        except Exception:  # its parent sees the end of this process and starts another
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # whatever the other thread is computing

    def _start(self, order: Mapping[str, Any]) -> None:
        prompt = self._prompt(order)
        if prompt is None:
            return
        limit = min(self.context_tokens, order["limit"])
        if len(prompt.tokens) + order["max_tokens"] > limit:
            self._send({"id": order["id"], "too_long": len(prompt.tokens)})
            return
        self._send({"id": order["id"], "accepted": len(prompt.tokens)})
        request = self._request(
            id=order["id"],
            tenant=order["tenant"],
            person=order["person"],
            deadline=time.monotonic() + order["seconds"],
            tokens=prompt.tokens,
            public=prompt.public,
            max_tokens=order["max_tokens"],
            stop=tuple(order["stop"]),
        )
        self._orders.put(lambda: self._scheduler.submit(request))

    def _count(self, order: Mapping[str, Any]) -> None:
        if (prompt := self._prompt(order)) is not None:
            self._send({"id": order["id"], "count": len(prompt.tokens)})

    def _cancel(self, order: Mapping[str, Any]) -> None:
        request: int = order["id"]
        self._orders.put(lambda: self._scheduler.cancel(request))
        if self._scheduler.computing == {request}:
            self._model.abort()  # nobody else waits for this step

    def _places(self, order: Mapping[str, Any]) -> None:
        def tell() -> None:
            self._send({"id": order["id"], "places": self._scheduler.places})

        self._orders.put(tell)

    def _prompt(self, order: Mapping[str, Any]) -> PromptTokens | None:
        messages = [Message(role, content) for role, content in order["messages"]]
        try:
            segments = self._template.render(messages)
        except ModelError as error:
            self._send({"id": order["id"], "refused": str(error)})
            return None
        return encode(segments, self._model.vocabulary, public=self._public_of(messages))

    def _public_of(self, messages: Sequence[Message]) -> frozenset[int]:
        return frozenset(
            i for i, m in enumerate(messages) if m.role == "system" and m.content in self._public
        )


def _take_over_pipes() -> tuple[IO[str], Callable[[Mapping[str, Any]], None]]:
    """Both pipes for ourselves: what a library prints goes to stderr."""
    incoming = os.fdopen(os.dup(0), "r", encoding="utf-8")
    outgoing = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    lock = threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        with lock:
            outgoing.write(json.dumps(message) + "\n")
            outgoing.flush()

    return incoming, send


def _die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends, and not outlive it before."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main()
