"""The seam behind which the language model lives."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a language model from its file, or from who runs it."""

    name: str
    sha256: str  # "": its file is on another machine
    architecture: str
    parameters: int
    context_tokens: int  # that the engine was given, not the model's largest
    licence: str | None
    trusted: bool | None = None  # as an admin said; None: its size tells
    copied_into: str = ""  # the quantization of the copy that computes; "": the file itself does

    @property
    def id(self) -> str:
        """Name and hash of the file, and what its weights were copied into, if they were."""
        copy = f"+{self.copied_into}" if self.copied_into else ""
        return f"{self.name}@{self.sha256[:12] or 'endpoint'}{copy}"

    def is_capable(self, *, from_parameters: int) -> bool:
        """Whether it is trusted to write answers by itself."""
        return self.parameters >= from_parameters if self.trusted is None else self.trusted


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text as it is written; the last one has a `finish`."""

    text: str
    finish: Literal["stop", "length", "cancelled"] | None = None
    prompt_tokens: int = 0  # known with the last piece, like the three below
    cached_tokens: int = 0  # of the prompt, not computed again
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a language model is to write, and for whom."""

    messages: Sequence[Message]
    tenant: str
    """Nothing computed for one tenant is reused for another."""
    max_tokens: int
    """Of the answer; prompt and answer together have to fit into the context."""
    person: str = ""
    """Within a tenant, nothing computed for one person is reused for another."""
    stop: Sequence[str] = ()
    """The answer ends before the first of these."""
    cancel: threading.Event | None = None
    """Set it to end the writing; the last delta then says "cancelled"."""
    endpoints: frozenset[str] | None = None
    """The only addresses that it may be sent to; None: whichever the settings name."""
    timeout_s: float | None = None
    """For this answer, waiting included; None: as the settings say."""


class LanguageModel(Protocol):
    """Writes text, for any number of callers at once."""

    @property
    def info(self) -> ModelInfo: ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the model's own template makes of the messages."""
        ...

    def stream(self, request: CompletionRequest) -> Iterator[Delta]:
        """Write an answer, piece by piece; closing the iterator frees its slot.

        Nothing computed for one tenant is reused for another, nor within a tenant what was
        computed for one `person`; tenants, and a tenant's people, take turns.

        Raises:
            BadInput: The prompt and max_tokens exceed the context.
            Busy: Every slot and the queue are taken.
            GenerationError: The engine failed; the next call works with a new one.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class Watched(Protocol):
    """A language model that knows how it is doing, without asking anybody."""

    def trouble(self) -> str | None:
        """Why it wrote nothing when it was last asked; None: nothing is wrong, or not yet known.

        Names no address, file or document: it is shown to whoever asks whether the service is up.
        """
        ...
