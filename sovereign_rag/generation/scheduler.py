"""Several answers written at once by one model: which tokens go into the next step.

Every step gives each answer that is being written one token, and reads a block of the prompts
that are waiting; so a long prompt delays the others' next word by a block and not by its length.
Prompts that begin alike and may share it are read once: the others wait for the first.

Blocks end at fixed places of a prompt, one of them where what is nobody's ends, and what is reused
of an earlier prompt is whole blocks:
a request alone is computed by the same operations whether some of it was reused or not, so at
temperature 0 it gets the same answer. Beside others the width of a step varies, and with it the
last bits of its sums.

What was computed is reused within a tenant and person alone, except a prompt's beginning that is
nobody's: people of one tenant may read different documents, and how fast an answer starts would
tell one of them what another was shown.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from sovereign_rag.generation.native import DecodeOutcome, Feed, NativeContext
from sovereign_rag.generation.text_stream import TextStream

SHORTEST_READ = 8  # tokens of a prompt read in a step however slow the model is
STEP_S = 0.4  # longest that reading one prompt should hold up the others' next word

Finish = Literal["stop", "length", "cancelled", "deadline"]
Owner = tuple[str, str]  # tenant and person


@dataclass(frozen=True, slots=True)
class SlotRequest:
    id: int
    tenant: str
    tokens: tuple[int, ...]
    public: int  # the first so many tokens depend on nothing of the tenant's
    max_tokens: int
    person: str = ""
    stop: tuple[str, ...] = ()
    deadline: float = inf  # by the clock of `monotonic`

    @property
    def owner(self) -> Owner:
        return self.tenant, self.person

    @property
    def need(self) -> int:
        """Tokens of context it may come to hold."""
        return len(self.tokens) + self.max_tokens

    @property
    def is_late(self) -> bool:
        return self.deadline < _now()


@dataclass(frozen=True, slots=True)
class SlotEvent:
    """Text of one request, or its end."""

    request: int
    text: str
    finish: Finish | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # that it had a place


@dataclass(slots=True)
class _Kept:
    """A sequence that nobody writes to, kept for what may begin alike."""

    sequence: int
    tokens: tuple[int, ...]
    owner: Owner | None  # None: holds nothing of any tenant
    used: float


@dataclass(slots=True, eq=False)
class _Slot:
    request: SlotRequest
    sequence: int
    sampler: int | None
    text: TextStream
    tokens: list[int]  # the prompt, and what was written
    done: int = 0  # of `tokens`, computed
    cached: int = 0
    started: bool = False
    passed_over: int = 0  # tokens read for others while it waited for its turn
    since: float = field(default_factory=lambda: _now())

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
    """One thread calls `start`, `cancel` and `step`; events go to `emit`.

    `start` is called with so many requests as there are `slots`, and as fit into the context
    together, at most.
    """

    model: NativeContext
    slots: int
    emit: Callable[[SlotEvent], None]
    block: int = 64  # tokens; long enough for the kernels, short enough to stop at and share by
    keep: int = 8  # sequences kept after their answers, at most
    computing: frozenset[int] = frozenset()  # requests in the step at work; others may read it
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
        return not self._active

    @property
    def slot_use(self) -> tuple[int, int, int]:
        """How many sequences are written, kept and free."""
        return len(self._active), len(self._kept), len(self._free)

    def start(self, request: SlotRequest) -> None:
        """Read and write for `request` from the next step on."""
        self._active.append(
            _Slot(
                request=request,
                sequence=self._take_sequence(),
                sampler=self.model.new_sampler(),
                text=TextStream(request.stop),
                tokens=list(request.tokens),
            )
        )

    def cancel(self, request: int, finish: Finish = "cancelled") -> None:
        """End a request, if it is still there: its place is free when this returns."""
        for slot in self._active:
            if slot.request.id == request:
                self._finish(slot, finish)
                return

    def step(self) -> None:
        """Compute one step, emit what was written."""
        self._expire()
        if not self._active:
            return
        plan = self._plan()
        reads = sum(count for slot, count in plan if slot.reading)
        self.computing = frozenset(slot.request.id for slot, _ in plan)
        begin = time.monotonic()
        outcome, places = self._decode(plan)
        self.computing = frozenset()
        if outcome is DecodeOutcome.ABORTED:
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

    def _expire(self) -> None:
        """End what nobody waits for any longer."""
        for slot in [slot for slot in self._active if slot.request.is_late]:
            self._finish(slot, "deadline")

    def _plan(self) -> list[tuple[_Slot, int]]:
        """Which answer gets how many tokens: one each while writing, up to a block for reading.

        The block may hold the ends of several prompts, or all of short ones.
        """
        plan = [(slot, 1) for slot in self._active if not slot.reading]
        budget = self.block
        if plan:
            budget = min(budget, max(SHORTEST_READ, int(self._read_per_s * STEP_S)))
        waiting = [slot for slot in self._active if slot.reading]
        # The shortest first; one that was passed over moves up by what the others got.
        waiting.sort(key=lambda slot: slot.left - slot.passed_over)
        read = 0
        for slot in waiting:
            if read >= budget:
                slot.passed_over += read
                continue
            if not slot.started and not self._begin(slot):
                continue
            count = min(budget - read, self._block_end(slot) - slot.done, slot.left)
            plan.append((slot, count))
            read += count
        return plan

    def _decode(self, plan: Sequence[tuple[_Slot, int]]) -> tuple[DecodeOutcome, dict[int, int]]:
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
            if outcome is not DecodeOutcome.NO_ROOM:
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
            self.emit(SlotEvent(slot.request.id, text))
        if slot.text.stopped:
            self._finish(slot, "stop")
        elif slot.written >= slot.request.max_tokens:
            self._finish(slot, "length")

    def _finish(self, slot: _Slot, finish: Finish) -> None:
        self._active.remove(slot)
        self.model.free_sampler(slot.sampler)
        kept = _Kept(slot.sequence, tuple(slot.tokens[: slot.done]), slot.request.owner, _now())
        self._kept.append(kept)
        if not self.model.shares_prefixes or len(kept.tokens) < self.block:
            self._drop(kept)
        while len(self._kept) > self.keep:
            self._drop(self._least_needed())
        self.emit(
            SlotEvent(
                slot.request.id,
                "" if finish in ("cancelled", "deadline") else slot.text.finish(),
                finish,
                prompt_tokens=len(slot.request.tokens),
                cached_tokens=slot.cached,
                completion_tokens=slot.written,
                seconds=_now() - slot.since,
            )
        )

    def _begin(self, slot: _Slot) -> bool:
        """Start with what can be reused; False: another prompt is just being read that begins
        alike, and more can be reused when it was.
        """
        if self.model.shares_prefixes:
            length, source = self._longest(slot)
            for other in self._active:
                if other.started and other.reading:
                    coming = self._shareable(slot, other, len(other.request.tokens))
                    if self._whole_blocks(slot, coming) > length:
                        return False
            if source is not None:
                self.model.copy(source, slot.sequence, length)
                slot.done = slot.cached = length
        slot.started = True
        return True

    def _longest(self, slot: _Slot) -> tuple[int, int | None]:
        """The longest run of blocks that this person, or nobody's text, left; and where it is."""
        best, source = 0, None
        wanted, owner = slot.request.tokens, slot.request.owner
        for kept in self._kept:
            if kept.owner == owner or (
                kept.owner is None and len(kept.tokens) <= slot.request.public
            ):
                length = common(kept.tokens, wanted)
                if length > best:
                    best, source = length, kept.sequence
                    kept.used = _now()
        for other in self._active:
            if other is not slot:
                length = self._shareable(slot, other, other.done)
                if length > best:
                    best, source = length, other.sequence
        length = self._whole_blocks(slot, best)
        return length, source if length else None

    def _shareable(self, slot: _Slot, other: _Slot, length: int) -> int:
        """How many of the first `length` tokens of `other` are for `slot` to begin with."""
        if other.request.owner != slot.request.owner:
            length = min(length, other.request.public, slot.request.public)
        return common(other.tokens[:length], slot.request.tokens)

    def _block_end(self, slot: _Slot) -> int:
        public = slot.request.public
        if slot.done < public:
            return min(public, (slot.done // self.block + 1) * self.block)
        return public + ((slot.done - public) // self.block + 1) * self.block

    def _whole_blocks(self, slot: _Slot, length: int) -> int:
        # The last token is computed in any case: the answer follows from its distribution.
        length, public = min(length, len(slot.request.tokens) - 1), slot.request.public
        if length < public:
            return length // self.block * self.block
        return public + (length - public) // self.block * self.block

    def _keep_public(self, slot: _Slot) -> None:
        """Keep what is nobody's in a sequence of its own, once it was computed."""
        length = slot.request.public
        if not length or slot.done < length or not self.model.shares_prefixes:
            return
        tokens = slot.request.tokens[:length]
        if any(kept.owner is None and kept.tokens == tokens for kept in self._kept):
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
        return min(self._kept, key=lambda kept: (kept.owner is None, kept.used))

    def _drop(self, kept: _Kept) -> None:
        self._kept.remove(kept)
        self.model.forget(kept.sequence)
        self._free.append(kept.sequence)


def common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return position
    return min(len(left), len(right))


def _now() -> float:
    return time.monotonic()
