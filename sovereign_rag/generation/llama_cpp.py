"""The `Generator` that runs a GGUF file through llama.cpp, in a process of its own."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from sovereign_rag.errors import BadInput, Busy, GenerationError, ModelError, SovereignError
from sovereign_rag.generation.compute_options import pinned
from sovereign_rag.generation.engine_process import EngineProcess, Reply
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message, ModelInfo
from sovereign_rag.generation.requantize import arranged_copy
from sovereign_rag.generation.tuning import Tuning
from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.models.inventory import verified_language_model
from sovereign_rag.models.manifest import require_hash
from sovereign_rag.settings import GenerationSettings, Settings

_LOOK_FOR_CANCEL_S = 0.05
_TUNE_AFTER_S = 30.0  # without a request: a command that asks one thing never gets there
_LOOK_FOR_IDLE_S = 5.0
_LOAD_S = 600.0  # longest wait for a model to be read from disk
_REPLY_S = 60.0  # orders are taken at once, whatever the model is computing
_FIRST_GUESS_S = 20.0  # before one was measured
_GRACE_S = 5.0  # for the engine to say by itself that the time is over


@dataclass(frozen=True, slots=True)
class SlotUse:
    """Sequences of the engine's context by what they are used for, and who waits for one."""

    writing: int
    kept: int
    free: int
    waiting: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file as it was when somebody looked, and what belongs to those very bytes."""

    header: GgufHeader
    sha256: str
    tuning: Tuning | None = None  # what was measured on this machine; None: the defaults
    arranged: Path | None = None
    """Where the copy is, or shall be, that this machine computes faster; None: the file is used."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises ModelMissing, ModelError, as `verified_language_model`."""
        header, sha256 = verified_language_model(settings)
        tuning = Tuning.of(settings, header, sha256)
        return cls(header, sha256, tuning, arranged_copy(settings, header, sha256))


class LlamaCppModel:
    """Writes for any number of callers; the engine starts with the first request."""

    def __init__(
        self,
        file: ModelFile,
        settings: GenerationSettings,
        *,
        public_prompts: Collection[str] = (),
        look: Callable[[], ModelFile] | None = None,
    ) -> None:
        """Take the model in `file`; nothing is loaded yet.

        Args:
            public_prompts: System messages that hold nothing of any tenant, word for word: what
                is computed for them is reused by all. Everything else is reused for its own
                tenant and person alone.
            look: Looks at the file again before each start of the engine, for another may lie in
                its place by then; None: it stays as it is.

        Raises:
            ModelError: It isn't the file that `settings.sha256` expects.
        """
        self._settings, self._look = settings, look
        self._public = tuple(public_prompts)
        self._take(file)
        self._lock = threading.Lock()
        self._engine: EngineProcess | None = None
        self._not_started: str | None = None  # the code of the error, the last time it was tried
        self._closing = threading.Event()
        self._tuner: threading.Thread | None = None
        self._place_s: float | None = None  # that an answer has its place, by the last ones

    @classmethod
    def open(cls, settings: Settings, *, public_prompts: Collection[str] = ()) -> Self:
        """The generator that the settings name, by the file's header alone.

        Raises:
            ModelMissing: The file isn't there, or no package ships one.
            ModelError: It is broken, no model to chat with, or not the expected one.
        """
        look = partial(ModelFile.of, settings)
        return cls(look(), settings.generation, public_prompts=public_prompts, look=look)

    def _take(self, file: ModelFile) -> None:
        header, settings = file.header, self._settings
        require_hash(header.path, file.sha256, settings.sha256, "generation.sha256")
        self._file = file
        self._info = ModelInfo(
            name=header.path.stem,  # as the admin knows it; the header often says odd things
            sha256=file.sha256,
            architecture=header.architecture,
            parameters=header.parameters,
            context_tokens=min(settings.context_tokens, header.context_length),
            licence=header.licence,
        )

    @property
    def info(self) -> ModelInfo:
        engine = self._engine
        if engine is None or not engine.copied_into:
            return self._info
        return replace(self._info, copied_into=engine.copied_into)

    def trouble(self) -> str | None:
        if self._not_started is not None:
            return f"its process can't be started ({self._not_started}); see `sovereign-rag doctor`"
        engine = self._engine
        if engine is not None and engine.has_failed:
            return "its process ended; the next question starts it anew"
        return None

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

    def stream(self, request: CompletionRequest) -> Iterator[Delta]:
        """As the protocol says; what it raises is raised here, before the first piece."""
        settings = self._settings
        timeout_s = settings.timeout_s if request.timeout_s is None else request.timeout_s
        with self._lock:
            engine = self._running()
            deadline = time.monotonic() + timeout_s
            ahead = engine.writing
            if ahead >= settings.slots + settings.queue:
                wait_s = self._wait_s(ahead)
                raise Busy(
                    f"All {settings.slots} slots and the {settings.queue} of the queue are "
                    f"taken. Ask again in about {wait_s:.0f} s.",
                    retry_after_s=wait_s,
                )
            number, replies = engine.ask(
                {
                    "op": "start",
                    "messages": _plain(request.messages),
                    "tenant": request.tenant,
                    "person": request.person,
                    "seconds": timeout_s,
                    "max_tokens": request.max_tokens,
                    "limit": self._info.context_tokens,
                    "stop": list(request.stop),
                }
            )
        reply = _first(replies)
        if "too_long" in reply:
            raise BadInput(
                f"The prompt has {reply['too_long']:,} tokens and the answer may have "
                f"{request.max_tokens:,}; together the context holds "
                f"{self._info.context_tokens:,}. Shorten the question or the passages, or raise "
                "generation.context_tokens."
            )
        return _Answer(engine, number, replies, request.cancel, deadline, self._note_length)

    def wait_s(self) -> float:
        """How long a request that came now would wait for its place; 0: it has one at once."""
        with self._lock:
            ahead = self._engine.writing if self._engine is not None else 0
        return self._wait_s(ahead) if ahead >= self._settings.slots else 0.0

    def slot_use(self) -> SlotUse:
        """What the engine holds at this moment.

        Raises:
            GenerationError: It died.
        """
        with self._lock:
            engine = self._running()
        _, replies = engine.ask({"op": "slot_use"})
        return SlotUse(*_first(replies)["slot_use"])

    def close(self) -> None:
        """End the engine; what is being written fails."""
        self._closing.set()
        with self._lock:
            if self._engine is not None:
                self._engine.close()

    def _running(self) -> EngineProcess:
        """The engine, started if it isn't there or has died; under the lock."""
        if self._closing.is_set():
            raise GenerationError("The generator was closed. Open a new one.")
        if self._engine is None or not self._engine.alive:
            try:
                if self._look is not None:
                    self._take(self._look())
                self._engine = EngineProcess(self._configuration(), timeout_s=_LOAD_S)
            except SovereignError as error:
                self._not_started = error.code
                raise
            self._not_started = None
            self._tune_when_idle()
        return self._engine

    def _tune_when_idle(self) -> None:
        """Have the speed measured, once, when nobody has asked anything for a while."""
        tuning = self._file.tuning
        if self._tuner is not None or tuning is None or not self._settings.tune:
            return
        if tuning.kept() is None:
            self._tuner = threading.Thread(target=self._tune, args=(tuning,), daemon=True)
            self._tuner.start()

    def _tune(self, tuning: Tuning) -> None:
        idle_since = time.monotonic()
        while not self._closing.wait(_LOOK_FOR_IDLE_S):
            if self._is_asked():
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > _TUNE_AFTER_S:
                with suppress(GenerationError):  # the defaults hold; `models tune` says why
                    if tuning.measure(stop=self._is_asked) is None:
                        idle_since = time.monotonic()
                        continue
                return

    def _is_asked(self) -> bool:
        engine = self._engine
        return self._closing.is_set() or (engine is not None and engine.writing > 0)

    def _configuration(self) -> dict[str, Any]:
        file, settings = self._file, self._settings
        header, arranged = file.header, file.arranged
        chosen = pinned(settings, header, file.tuning.kept() if file.tuning else None)
        return {
            "model": str(header.path),
            "sha256": file.sha256,
            "arranged": None if arranged is None else str(arranged),
            "template": header.chat_template,
            "bos_token": header.bos_token,
            "eos_token": header.eos_token,
            "public_prompts": self._public,
            "context_tokens": settings.context_tokens,
            "slots": settings.slots,
            "temperature": settings.temperature,
            "waiting": chosen.waiting,
            "computing": asdict(chosen.computing),
        }

    def _wait_s(self, ahead: int) -> float:
        """Until those ahead have had their slots, by how long the last ones kept theirs.

        Those at work came together or spread over time, nobody knows which; half of a place's
        time is the least that is told.
        """
        slots = self._settings.slots
        place_s = _FIRST_GUESS_S if self._place_s is None else self._place_s
        return max(1.0, place_s * max(0.5, (ahead - slots + 1) / slots))

    def _note_length(self, seconds: float) -> None:
        before = seconds if self._place_s is None else self._place_s
        self._place_s = before + 0.2 * (seconds - before)


class _Answer(Iterator[Delta]):
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
        self._note_length = note_length
        self._ended = self._cancel_sent = False

    def __next__(self) -> Delta:
        if self._ended:
            raise StopIteration
        reply = self._next_reply()
        if "gone" in reply:
            self._ended = True
            raise GenerationError(reply["gone"])
        if "finish" not in reply:
            return Delta(reply["text"])
        self._ended = True
        if reply["finish"] == "deadline":
            raise _too_late()
        if reply["finish"] != "cancelled":
            self._note_length(reply["seconds"])
        return Delta(
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
            # The engine ends it in time; this is for one that hangs.
            left = self._deadline + _GRACE_S - time.monotonic()
            if left <= 0:
                self.close()
                raise _too_late()
            try:
                wait = left if self._cancel is None else min(left, _LOOK_FOR_CANCEL_S)
                return self._replies.get(timeout=wait)
            except Empty:
                continue


def _too_late() -> GenerationError:
    return GenerationError(
        "The answer took longer than generation.timeout_s. Raise it, ask for a shorter answer, or "
        "choose a smaller model."
    )


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
