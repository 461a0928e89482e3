"""The process in which the language model lives: `python -m sovereign_rag.generation.engine`.

A JSON object a line comes in on stdin, and goes out on what was stdout: first the configuration,
then requests; `engine_process` is the other side. One thread reads the requests and tokenises
them, so counting tokens does not wait for a step; each lane has one that computes.
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
from typing import IO, TYPE_CHECKING, Any, Final

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.chat import ChatTemplate, PromptTokens, encode
from sovereign_rag.generation.compute_options import Computing
from sovereign_rag.generation.protocol import Message

if TYPE_CHECKING:
    from sovereign_rag.generation.scheduler import SlotEvent

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
    send({"ready": engine.context_tokens, "copied_into": engine.copied_into})
    engine.read(incoming)


class _Engine:
    def __init__(
        self, configuration: Mapping[str, Any], send: Callable[[Mapping[str, Any]], None]
    ) -> None:
        # Here and not at the top: what these log when imported must not meet the pipe.
        from sovereign_rag.generation.lanes import Lanes, sequences_of_lane
        from sovereign_rag.generation.native import NativeContext, NativeModel, quiet
        from sovereign_rag.generation.requantize import ARRANGED_INTO, arrange
        from sovereign_rag.generation.scheduler import SlotRequest

        self._send, self._request = send, SlotRequest
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
        self.copied_into = ARRANGED_INTO if path != Path(configuration["model"]) else ""
        model = NativeModel(path, computing=computing)
        self._vocabulary = model.vocabulary
        lanes = min(computing.lanes, slots)
        contexts = [
            NativeContext(
                model,
                context_tokens=self.context_tokens,
                sequences=sequences_of_lane(slots, lanes, lane),
                batch_tokens=computing.block_tokens + slots,
                temperature=configuration["temperature"],
            )
            for lane in range(lanes)
        ]

        def emit(events: "Sequence[SlotEvent]") -> None:
            self._send({"events": [_line(event) for event in events]})  # one line for all callers

        self._lanes = Lanes(
            contexts,
            slots=slots,
            context_tokens=self.context_tokens,
            block=computing.block_tokens,
            emit=emit,
        )

    def read(self, incoming: IO[str]) -> None:
        """Take requests until the parent closes the pipe, which ends the process."""
        handlers = {
            "start": self._start,
            "count": self._count,
            "cancel": self._cancel,
            "slot_use": self._slot_use,
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
        self._lanes.submit(request)

    def _count(self, order: Mapping[str, Any]) -> None:
        if (prompt := self._prompt(order)) is not None:
            self._send({"id": order["id"], "count": len(prompt.tokens)})

    def _cancel(self, order: Mapping[str, Any]) -> None:
        self._lanes.cancel(order["id"])

    def _slot_use(self, order: Mapping[str, Any]) -> None:
        self._lanes.slot_use(lambda used: self._send({"id": order["id"], "slot_use": used}))

    def _prompt(self, order: Mapping[str, Any]) -> PromptTokens | None:
        messages = [Message(role, content) for role, content in order["messages"]]
        try:
            segments = self._template.render(messages)
        except ModelError as error:
            self._send({"id": order["id"], "refused": str(error)})
            return None
        return encode(segments, self._vocabulary, public=self._public_of(messages))

    def _public_of(self, messages: Sequence[Message]) -> frozenset[int]:
        return frozenset(
            i for i, m in enumerate(messages) if m.role == "system" and m.content in self._public
        )


def _line(event: "SlotEvent") -> dict[str, Any]:
    line: dict[str, Any] = {"id": event.request, "text": event.text}
    if event.finish is not None:
        line |= {
            "finish": event.finish,
            "prompt_tokens": event.prompt_tokens,
            "cached_tokens": event.cached_tokens,
            "completion_tokens": event.completion_tokens,
            "seconds": event.seconds,
        }
    return line


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
