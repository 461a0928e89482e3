"""How fast a language model reads and writes here, by its own last answers.

So much as there is time for is put before it: the same model reads a section in a second on a
server and in ten on a laptop that is busy. Until it has answered, its size tells: 7.2 billion
parameters in four bits read about 20 tokens a second on two cores, see docs/performance.md.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from sovereign_rag.generation.protocol import Delta, ModelInfo

_PARAMETERS_PER_S: Final = 1.4e11
"""Parameters times tokens that two cores read in a second."""
_SERVER_TOKENS_PER_S: Final = 500.0
"""What a server of the tenant's network reads, at the least."""
_READ_TO_WRITTEN: Final = 4.0
"""Tokens read in the time that writing one takes."""
_ANSWER_TOKENS: Final = 60  # of an answer of one to three sentences
_NEWEST: Final = 0.5  # share of the last answer in the speed that is assumed
_FEWEST: Final = 32  # tokens; reading less tells more about waiting than about speed


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second."""

    reads: float
    writes: float

    def tokens_within(self, seconds: float) -> int:
        """Tokens of a prompt that can be read beside writing an answer; 0 where none can."""
        return max(0, int((seconds - _ANSWER_TOKENS / self.writes) * self.reads))


@dataclass(slots=True)
class Pace:
    """The speed of each model that answers; one for all threads."""

    _known: dict[str, Speed] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, model: ModelInfo) -> Speed:
        """By its answers so far, else by its size."""
        with self._lock:
            known = self._known.get(model.id)
        if known is not None:
            return known
        on_this_machine = bool(model.sha256) and model.parameters > 0
        reads = _PARAMETERS_PER_S / model.parameters if on_this_machine else _SERVER_TOKENS_PER_S
        return Speed(reads, reads / _READ_TO_WRITTEN)

    def note(self, model: ModelInfo, timed: "Timed") -> None:
        """Take in how long one answer took."""
        before = self.of(model)
        now = Speed(timed.reads or before.reads, timed.writes or before.writes)
        with self._lock:
            self._known[model.id] = Speed(
                before.reads + _NEWEST * (now.reads - before.reads),
                before.writes + _NEWEST * (now.writes - before.writes),
            )


@dataclass(slots=True)
class Timed:
    """One answer by the clock, in seconds of `time.monotonic`."""

    begun: float = field(default_factory=time.monotonic)
    first: float | None = None
    ended: float = 0.0
    last: Delta = field(default_factory=lambda: Delta(""))

    def take(self, piece: Delta) -> None:
        """A piece came just now."""
        self.ended = time.monotonic()
        self.first = self.ended if self.first is None else self.first
        self.last = piece

    @property
    def reads(self) -> float | None:
        """Tokens of the prompt a second; None: too few were read to tell."""
        read = self.last.prompt_tokens - self.last.cached_tokens
        if self.first is None or read < _FEWEST:
            return None
        return read / max(1e-3, self.first - self.begun)

    @property
    def writes(self) -> float | None:
        """Tokens of the answer a second after the first; None: there was but one."""
        further = self.last.completion_tokens - 1
        if self.first is None or further < 1 or self.ended <= self.first:
            return None
        return further / (self.ended - self.first)
