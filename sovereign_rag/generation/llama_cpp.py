"""The `Generator` that runs a GGUF file through llama.cpp, in a process of its own."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from sovereign_rag.cpu import physical_cores
from sovereign_rag.errors import BadInput, Busy, GenerationError, ModelError
from sovereign_rag.generation.engine_process import EngineProcess, Reply
from sovereign_rag.generation.protocol import Message, ModelInfo, Piece
from sovereign_rag.models.gguf_header import GgufHeader, read_header
from sovereign_rag.models.inventory import language_model
from sovereign_rag.models.manifest import model_hash, require_hash
from sovereign_rag.settings import GenerationSettings, Settings

_REPACKED_WELL = {2, 7, 25}  # llama.cpp's file types Q4_0, Q8_0, IQ4_NL
_LOOK_FOR_CANCEL_S = 0.05
_LOAD_S = 600.0  # longest wait for a model to be read from disk
_REPLY_S = 60.0  # orders are taken at once, whatever the model is computing
_FIRST_GUESS_S = 20.0  # length of an answer before one was measured


class LlamaCppGenerator:
    """Writes for any number of callers; the engine starts with the first request."""

    def __init__(
        self,
        header: GgufHeader,
        settings: GenerationSettings,
        *,
        sha256: str,
        public_prompts: Collection[str] = (),
    ) -> None:
        """Take the model that `header` describes; nothing is loaded yet.

        Args:
            sha256: Of the file.
            public_prompts: System messages that hold nothing of any tenant, word for word: what
                is computed for them is reused by all. Everything else is reused within its
                tenant alone.

        Raises:
            ModelError: It isn't the file that `settings.sha256` expects.
        """
        require_hash(header.path, sha256, settings.sha256, "generation.sha256")
        self._header, self._settings = header, settings
        self._public = tuple(public_prompts)
        self._info = ModelInfo(
            name=header.path.stem,  # as the admin knows it; the header often says odd things
            sha256=sha256,
            architecture=header.architecture,
            parameters=header.parameters,
            context_tokens=min(settings.context_tokens, header.context_length),
            licence=header.licence,
        )
        self._lock = threading.Lock()
        self._engine: EngineProcess | None = None
        self._closed = False
        self._answer_s = _FIRST_GUESS_S

    @classmethod
    def open(cls, settings: Settings, *, public_prompts: Collection[str] = ()) -> Self:
        """The generator that the settings name, by the file's header alone.

        Raises:
            ModelMissing: The file isn't there, or no package ships one.
            ModelError: It is broken, no model to chat with, or not the expected one.
        """
        path: Path = language_model(settings.generation.model)
        header = read_header(path)
        sha256 = model_hash(path, models_dir=settings.models_dir)
        return cls(header, settings.generation, sha256=sha256, public_prompts=public_prompts)

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def engine_pid(self) -> int | None:
        """The engine's process; None: it isn't running."""
        engine = self._engine
        return engine.pid if engine is not None and engine.alive else None

    def count_tokens(self, messages: Sequence[Message]) -> int:
        with self._lock:
            engine = self._running()
        _, replies = engine.ask({"op": "count", "messages": _plain(messages)})
        reply = _first(replies)
        count: int = reply["count"]
        return count

    def stream(
        self,
        messages: Sequence[Message],
        *,
        tenant: str,
        max_tokens: int,
        stop: Sequence[str] = (),
        cancel: threading.Event | None = None,
    ) -> Iterator[Piece]:
        """As the protocol says; what it raises is raised here, before the first piece."""
        settings = self._settings
        with self._lock:
            engine = self._running()
            deadline = time.monotonic() + settings.timeout_s
            ahead = engine.writing
            if ahead >= settings.slots + settings.queue:
                wait_s = max(1.0, self._answer_s * (ahead - settings.slots + 1) / settings.slots)
                raise Busy(
                    f"All {settings.slots} places and the {settings.queue} of the queue are "
                    f"taken. Ask again in about {wait_s:.0f} s.",
                    retry_after_s=wait_s,
                )
            request, replies = engine.ask(
                {
                    "op": "start",
                    "messages": _plain(messages),
                    "tenant": tenant,
                    "max_tokens": max_tokens,
                    "limit": self._info.context_tokens,
                    "stop": list(stop),
                }
            )
        reply = _first(replies)
        if "too_long" in reply:
            raise BadInput(
                f"The prompt has {reply['too_long']:,} tokens and the answer may have "
                f"{max_tokens:,}; together the context holds {self._info.context_tokens:,}. "
                "Shorten the question or the passages, or raise generation.context_tokens."
            )
        return _Answer(engine, request, replies, cancel, deadline, self._note_length)

    def close(self) -> None:
        """End the engine; what is being written fails."""
        with self._lock:
            self._closed = True
            if self._engine is not None:
                self._engine.close()

    def _running(self) -> EngineProcess:
        """The engine, started if it isn't there or has died; under the lock."""
        if self._closed:
            raise GenerationError("The generator was closed. Open a new one.")
        if self._engine is None or not self._engine.alive:
            self._engine = EngineProcess(self._configuration(), timeout_s=_LOAD_S)
        return self._engine

    def _configuration(self) -> dict[str, Any]:
        header, settings = self._header, self._settings
        return {
            "model": str(header.path),
            "template": header.chat_template,
            "bos_token": header.bos_token,
            "eos_token": header.eos_token,
            "public_prompts": self._public,
            "context_tokens": settings.context_tokens,
            "slots": settings.slots,
            "threads": settings.threads or physical_cores(),
            "temperature": settings.temperature,
            "repack": header.quantization in _REPACKED_WELL,
        }

    def _note_length(self, seconds: float) -> None:
        self._answer_s += 0.2 * (seconds - self._answer_s)


class _Answer(Iterator[Piece]):
    """The pieces of one answer. Not a generator: it can be closed before its first piece."""

    def __init__(
        self,
        engine: EngineProcess,
        request: int,
        replies: "SimpleQueue[Reply]",
        cancel: threading.Event | None,
        deadline: float,
        note_length: Callable[[float], None],
    ) -> None:
        self._engine, self._request, self._replies = engine, request, replies
        self._cancel, self._deadline = cancel, deadline
        self._note_length, self._begin = note_length, time.monotonic()
        self._ended = self._cancel_sent = False

    def __next__(self) -> Piece:
        if self._ended:
            raise StopIteration
        reply = self._next_reply()
        if "gone" in reply:
            self._ended = True
            raise GenerationError(reply["gone"])
        if "finish" not in reply:
            return Piece(reply["text"])
        self._ended = True
        self._note_length(time.monotonic() - self._begin)
        return Piece(
            reply["text"],
            reply["finish"],
            prompt_tokens=reply["prompt_tokens"],
            cached_tokens=reply["cached_tokens"],
            completion_tokens=reply["completion_tokens"],
        )

    def close(self) -> None:
        """Free the place; nothing more comes."""
        if not self._ended:
            self._ended = True
            self._engine.cancel(self._request)

    def __del__(self) -> None:
        self.close()

    def _next_reply(self) -> Reply:
        while True:
            if self._cancel is not None and self._cancel.is_set() and not self._cancel_sent:
                self._cancel_sent = True
                self._engine.cancel(self._request)
            left = self._deadline - time.monotonic()
            if left <= 0:
                self.close()
                raise GenerationError(
                    "The answer took longer than generation.timeout_s. Raise it, ask for a "
                    "shorter answer, or choose a smaller model."
                )
            try:
                wait = left if self._cancel is None else min(left, _LOOK_FOR_CANCEL_S)
                return self._replies.get(timeout=wait)
            except Empty:
                continue


def _plain(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def _first(replies: "SimpleQueue[Reply]") -> Reply:
    """The reply that says whether an order was taken.

    Raises:
        ModelError: The model's template refuses the messages.
        GenerationError: The engine is gone or silent.
    """
    try:
        reply = replies.get(timeout=_REPLY_S)
    except Empty:
        raise GenerationError(
            f"The language model's process gave no reply for {_REPLY_S:.0f} s. Ask again; if it "
            "recurs, restart the service."
        ) from None
    if "refused" in reply:
        raise ModelError(reply["refused"])
    if "gone" in reply:
        raise GenerationError(reply["gone"])
    return reply
