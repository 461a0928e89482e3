"""Several answers written at once by one model: which tokens go into the next step.

Every step gives each answer that is being written one token, and reads a block of one prompt
that is waiting; so a long prompt delays the others' next word by a block and not by its length.

Blocks end at fixed places of a prompt, and what is reused of an earlier prompt is whole blocks:
a request alone is computed by the same operations whether some of it was reused or not, so at
temperature 0 it gets the same answer. Beside others the width of a step varies, and with it the
last bits of its sums.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sovereign_rag.generation.native import Feed, NativeModel, Outcome
from sovereign_rag.generation.text_stream import TextStream

BLOCK = 64  # tokens; long enough for the kernels, short enough to stop at and to share by
SHORTEST_READ = 8  # tokens of a prompt read in a step however slow the model is
STEP_S = 0.4  # longest that reading one prompt should hold up the others' next word

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    tenant: str
    tokens: tuple[int, ...]
    public: int  # the first so many tokens depend on nothing of the tenant's
    max_tokens: int
    stop: tuple[str, ...] = ()

    @property
    def need(self) -> int:
        """Tokens of context it may come to hold."""
        return len(self.tokens) + self.max_tokens


@dataclass(frozen=True, slots=True)
class Event:
    """Text of one request, or its end."""

    request: int
    text: str
    finish: Finish | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(slots=True)
class _Kept:
    """A sequence that nobody writes to, kept for what may begin alike."""

    sequence: int
    tokens: tuple[int, ...]
    tenant: str | None  # None: holds nothing of any tenant
    used: float


@dataclass(slots=True, eq=False)
class _Slot:
    request: Request
    sequence: int
    sampler: int
    text: TextStream
    tokens: list[int]  # the prompt, and what was written
    done: int = 0  # of `tokens`, computed
    cached: int = 0
    started: bool = False
    passed_over: int = 0  # tokens read for others while it waited for its turn

    @property
    def left(self) -> int:
        return len(self.tokens) - self.done

    @property
    def written(self) -> int:
        return len(self.tokens) - len(self.request.tokens)

    @property
    def reading(self) -> bool:
        return self.done < len(self.request.tokens)


@dataclass(slots=True)
class Scheduler:
    """The engine's one thread calls `submit`, `cancel` and `step`; events go to `emit`."""

    model: NativeModel
    slots: int
    context_tokens: int
    emit: Callable[[Event], None]
    keep: int = 8  # sequences kept after their answers, at most
    computing: frozenset[int] = frozenset()  # requests in the step at work; others may read it
    _waiting: deque[Request] = field(default_factory=deque)
    _active: list[_Slot] = field(default_factory=list)
    _kept: list[_Kept] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _read_per_s: float = 100.0  # tokens of prompts, by the last steps

    def __post_init__(self) -> None:
        self._free = list(range(self.sequences(self.slots, self.keep)))

    @staticmethod
    def sequences(slots: int, keep: int = 8) -> int:
        """How many sequences the model's context must hold."""
        return slots + keep

    @property
    def idle(self) -> bool:
        return not self._active and not self._waiting

    def submit(self, request: Request) -> None:
        """Let `request` wait for its turn; it must fit into the context by itself."""
        self._waiting.append(request)

    def cancel(self, request: int) -> None:
        """End a request, if it is still there: its place is free when this returns."""
        for waiting in self._waiting:
            if waiting.id == request:
                self._waiting.remove(waiting)
                self.emit(Event(request, "", "cancelled", len(waiting.tokens)))
                return
        for slot in self._active:
            if slot.request.id == request:
                self._finish(slot, "cancelled")
                return

    def step(self) -> None:
        """Admit what fits, compute one step, emit what was written."""
        self._admit()
        if not self._active:
            return
        plan = self._plan()
        reads = sum(count for slot, count in plan if slot.reading)
        self.computing = frozenset(slot.request.id for slot, _ in plan)
        begin = time.monotonic()
        outcome, places = self._decode(plan)
        self.computing = frozenset()
        if outcome is Outcome.ABORTED:
            for slot, _ in plan:
                self._roll_back(slot)
            return
        if reads >= SHORTEST_READ:
            speed = reads / max(1e-6, time.monotonic() - begin)
            self._read_per_s += 0.3 * (speed - self._read_per_s)
        for slot, count in plan:
            slot.done += count
            self._keep_public(slot)
            if slot.sequence in places:
                self._write(slot, self.model.sample(slot.sampler, places[slot.sequence]))

    def _admit(self) -> None:
        while self._waiting and len(self._active) < self.slots:
            # The tenant with the fewest places first, then the order of arrival.
            places = {r.tenant: 0 for r in self._waiting}
            for slot in self._active:
                places[slot.request.tenant] = places.get(slot.request.tenant, 0) + 1
            request = min(self._waiting, key=lambda r: places[r.tenant])
            # Shared tokens are counted for each: what was admitted can always be finished.
            if sum(s.request.need for s in self._active) + request.need > self.context_tokens:
                return
            self._waiting.remove(request)
            self._active.append(
                _Slot(
                    request=request,
                    sequence=self._take_sequence(),
                    sampler=self.model.new_sampler(),
                    text=TextStream(request.stop),
                    tokens=list(request.tokens),
                )
            )

    def _plan(self) -> list[tuple[_Slot, int]]:
        """Which answer gets how many tokens: one each while writing, a block while reading."""
        plan = [(slot, 1) for slot in self._active if not slot.reading]
        budget = BLOCK
        if plan:
            budget = min(BLOCK, max(SHORTEST_READ, int(self._read_per_s * STEP_S)))
        waiting = [slot for slot in self._active if slot.reading]
        # The shortest first; one that was passed over moves up by what the others got.
        waiting.sort(key=lambda slot: slot.left - slot.passed_over)
        for slot in waiting[:1]:
            if not slot.started:
                self._reuse(slot)
            block_end = (slot.done // BLOCK + 1) * BLOCK
            count = min(budget, block_end - slot.done, slot.left)
            plan.append((slot, count))
            for other in waiting[1:]:
                other.passed_over += count
        return plan

    def _decode(self, plan: Sequence[tuple[_Slot, int]]) -> tuple[Outcome, dict[int, int]]:
        feeds = [
            Feed(
                slot.sequence,
                slot.done,
                slot.tokens[slot.done : slot.done + count],
                sample=slot.left == count,
            )
            for slot, count in plan
        ]
        while True:
            outcome, places = self.model.decode(feeds)
            if outcome is not Outcome.NO_ROOM:
                return outcome, places
            if not self._kept:
                raise RuntimeError("no room in the context for requests that were admitted")
            self._drop(self._least_needed())

    def _write(self, slot: _Slot, token: int) -> None:
        vocabulary = self.model.vocabulary
        if vocabulary.ends_turn(token):
            self._finish(slot, "stop")
            return
        slot.tokens.append(token)
        text = slot.text.feed(vocabulary.bytes_of(token))
        if text:
            self.emit(Event(slot.request.id, text))
        if slot.text.stopped:
            self._finish(slot, "stop")
        elif slot.written >= slot.request.max_tokens:
            self._finish(slot, "length")

    def _finish(self, slot: _Slot, finish: Finish) -> None:
        self._active.remove(slot)
        self.model.free_sampler(slot.sampler)
        kept = _Kept(slot.sequence, tuple(slot.tokens[: slot.done]), slot.request.tenant, _now())
        self._kept.append(kept)
        if not self.model.shares_prefixes or len(kept.tokens) < BLOCK:
            self._drop(kept)
        while len(self._kept) > self.keep:
            self._drop(self._least_needed())
        self.emit(
            Event(
                slot.request.id,
                "" if finish == "cancelled" else slot.text.finish(),
                finish,
                prompt_tokens=len(slot.request.tokens),
                cached_tokens=slot.cached,
                completion_tokens=slot.written,
            )
        )

    def _reuse(self, slot: _Slot) -> None:
        """Begin with the longest run of blocks that this tenant, or nobody's text, left behind."""
        slot.started = True
        if not self.model.shares_prefixes:
            return
        best, source = 0, None
        wanted, tenant = slot.request.tokens, slot.request.tenant
        for kept in self._kept:
            if kept.tenant == tenant or (
                kept.tenant is None and len(kept.tokens) <= slot.request.public
            ):
                length = _common(kept.tokens, wanted)
                if length > best:
                    best, source = length, kept.sequence
                    kept.used = _now()
        for other in self._active:
            if other is not slot and other.request.tenant == tenant:
                length = _common(other.tokens[: other.done], wanted)
                if length > best:
                    best, source = length, other.sequence
        # The last token is computed in any case: the answer follows from its distribution.
        length = min(best, len(wanted) - 1) // BLOCK * BLOCK
        if source is not None and length:
            self.model.copy(source, slot.sequence, length)
            slot.done = slot.cached = length

    def _keep_public(self, slot: _Slot) -> None:
        """Keep what is nobody's in a sequence of its own, once it was computed."""
        length = slot.request.public // BLOCK * BLOCK
        if not length or slot.done < length or not self.model.shares_prefixes:
            return
        tokens = slot.request.tokens[:length]
        if any(kept.tenant is None and kept.tokens == tokens for kept in self._kept):
            return
        sequence = self._take_sequence()
        self.model.copy(slot.sequence, sequence, length)
        self._kept.append(_Kept(sequence, tokens, None, _now()))

    def _roll_back(self, slot: _Slot) -> None:
        """Drop what an aborted step may have computed of `slot`."""
        if not self.model.forget(slot.sequence, after=slot.done):
            self.model.forget(slot.sequence)
            slot.done = 0

    def _take_sequence(self) -> int:
        if not self._free:
            self._drop(self._least_needed())
        return self._free.pop()

    def _least_needed(self) -> _Kept:
        return min(self._kept, key=lambda kept: (kept.tenant is None, kept.used))

    def _drop(self, kept: _Kept) -> None:
        self._kept.remove(kept)
        self.model.forget(kept.sequence)
        self._free.append(kept.sequence)


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return position
    return min(len(left), len(right))


def _now() -> float:
    return time.monotonic()
