"""Requests handed out to lanes: schedulers side by side over one model, each with its own thread.

The threads of one step meet after each of its operations, hundreds of times a token. For a small
model meeting takes longer than the operation: asleep, two threads on two cores are no faster than
one; spinning, they are slow as soon as another process wants a core. So a small model has several
lanes of one thread each that never meet, and a large one, whose operations take long, one lane
with all threads.
"""

import os
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from sovereign_rag.generation.native import NativeContext
from sovereign_rag.generation.scheduler import Owner, Scheduler, SlotEvent, SlotRequest, common
from sovereign_rag.system.fair_queue import FairQueue

_KEPT: Final = 8  # sequences kept after their answers, in all lanes together
_REMEMBERED: Final = 256  # people whose last lane is known
_WORTH_WAITING: Final = 64  # tokens of a person's own that draw a request to the lane they are in


class Lane:
    """One context, its scheduler, and the thread that owns both."""

    def __init__(
        self,
        context: NativeContext,
        *,
        slots: int,
        kept: int,
        block: int,
        emit: Callable[[Sequence[SlotEvent]], None],
    ) -> None:
        self.context, self.slots = context, slots
        self._emit = emit
        self._events: list[SlotEvent] = []  # of this step; told all at once
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.scheduler = Scheduler(context, slots, self._events.append, block=block, keep=kept)
        self.requests = self.tokens = 0  # handed to this lane; `Lanes` counts

    def order(self, order: Callable[[], None]) -> None:
        """Have `order` called between two steps, after all that were given before."""
        self._orders.put(order)

    def run(self, between_steps: Callable[[], None]) -> None:
        """Step for ever; waits where there is nothing to do."""
        try:
            while True:
                try:
                    while True:
                        self._orders.get(block=self.scheduler.idle)()
                        self._tell()
                except Empty:
                    between_steps()
                    self.scheduler.step()
                    self._tell()
        except Exception:  # its parent sees the end of this process and starts another
            traceback.print_exc()
            os._exit(1)

    def _tell(self) -> None:
        if self._events:
            told, self._events[:] = tuple(self._events), []
            self._emit(told)


@dataclass(slots=True)
class _LastSeen:
    lane: Lane
    tokens: tuple[int, ...]


class Lanes:
    """Which request is whose turn, and which lane takes it. Safe for many threads."""

    def __init__(
        self,
        contexts: Sequence[NativeContext],
        *,
        slots: int,
        context_tokens: int,
        block: int,
        emit: Callable[[Sequence[SlotEvent]], None],
    ) -> None:
        """Start a lane's thread for each of `contexts`.

        Args:
            slots: Answers written at the same time, over all lanes; one for each at least.
            context_tokens: That one context holds.
        """
        self._context_tokens, self._emit = context_tokens, emit
        self._lock = threading.Lock()  # of what follows, and of the lanes' counts
        self._queue: FairQueue[SlotRequest] = FairQueue()
        self._where: dict[int, tuple[Lane, SlotRequest]] = {}
        self._last: OrderedDict[Owner, _LastSeen] = OrderedDict()
        count = len(contexts)
        self._lanes = [
            Lane(
                context,
                slots=_slots_of_lane(slots, count, number),
                kept=_kept(count),
                block=block,
                emit=self._take_events,
            )
            for number, context in enumerate(contexts)
        ]
        for lane in self._lanes:
            threading.Thread(target=lane.run, args=(self._between_steps,), daemon=True).start()

    def submit(self, request: SlotRequest) -> None:
        """Let `request` wait for its turn; it must fit into a context by itself."""
        with self._lock:
            self._queue.put(request)
            # Slots in lanes that are at work are given away between their steps: of those who
            # came meanwhile, the one whose turn it is takes them and not the one who was first.
            self._hand_out([lane for lane in self._lanes if not lane.requests])

    def cancel(self, request: int) -> None:
        """End a request, wherever it is; its last event says "cancelled" unless it ended before."""
        with self._lock:
            waiting = self._queue.remove(request)
            lane = self._where[request][0] if request in self._where else None
        if waiting is not None:
            self._emit([SlotEvent(request, "", "cancelled", len(waiting.tokens))])
        elif lane is not None:
            lane.order(lambda: lane.scheduler.cancel(request))
            if lane.scheduler.computing == {request}:
                lane.context.abort()  # nobody else waits for this step

    def slot_use(self, tell: Callable[[tuple[int, int, int, int]], None]) -> None:
        """Tell how many sequences are written, kept and free, and how many requests wait.

        Each lane counts after the orders that it was given before.
        """
        counts: list[tuple[int, int, int]] = []
        lock = threading.Lock()

        def count(lane: Lane) -> None:
            with lock:
                counts.append(lane.scheduler.slot_use)
                last = len(counts) == len(self._lanes)
            if last:
                writing, kept, free = map(sum, zip(*counts, strict=True))
                tell((writing, kept, free, len(self._queue)))

        for lane in self._lanes:
            lane.order(lambda lane=lane: count(lane))  # type: ignore[misc]  # mypy can't infer a default's type

    def _hand_out(self, lanes: Sequence[Lane]) -> None:
        # Shared tokens are counted for each: what a lane was given can always be finished. Who
        # needs more than there is waits at the head: smaller ones would pass for ever.
        while (request := self._queue.next()) is not None:
            lane = self._lane_for(request, lanes)
            if lane is None:
                return
            self._queue.take(request)
            self._where[request.id] = lane, request
            self._last[request.owner] = _LastSeen(lane, request.tokens)
            self._last.move_to_end(request.owner)
            if len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
            lane.requests += 1
            lane.tokens += request.need
            lane.order(lambda lane=lane, request=request: lane.scheduler.start(request))  # type: ignore[misc]  # mypy can't infer a default's type
            lanes = [lane for lane in lanes if lane.requests < lane.slots]

    def _lane_for(self, request: SlotRequest, lanes: Sequence[Lane]) -> Lane | None:
        """The one with the least to do, or that has read the beginning; None: none has room."""
        free = [
            lane
            for lane in lanes
            if lane.requests < lane.slots and lane.tokens + request.need <= self._context_tokens
        ]
        last = self._last.get(request.owner)
        if last is not None and last.lane in free:
            known = common(last.tokens, request.tokens)
            if known >= request.public + _WORTH_WAITING:
                return last.lane
        return min(free, key=lambda lane: lane.requests, default=None)

    def _take_events(self, events: Sequence[SlotEvent]) -> None:
        ended = [event.request for event in events if event.finish is not None]
        if ended:
            with self._lock:
                for number in ended:
                    lane, request = self._where.pop(number)
                    lane.requests -= 1
                    lane.tokens -= request.need
                self._hand_out(self._lanes)
        self._emit(events)

    def _between_steps(self) -> None:
        """Give slots to those who wait, and end who waits and is too late."""
        if not len(self._queue):
            return
        with self._lock:
            late = [request for request in self._queue if request.is_late]
            for request in late:
                self._queue.remove(request.id)
            self._hand_out(self._lanes)
        if late:
            self._emit([SlotEvent(r.id, "", "deadline", len(r.tokens)) for r in late])


def sequences_of_lane(slots: int, lanes: int, number: int) -> int:
    """How many sequences the context of lane `number`, counted from 0, must hold."""
    return Scheduler.sequences(_slots_of_lane(slots, lanes, number), _kept(lanes))


def _slots_of_lane(slots: int, lanes: int, number: int) -> int:
    """Its share of `slots`; the first lanes have one more where they don't divide."""
    return slots // lanes + (number < slots % lanes)


def _kept(lanes: int) -> int:
    return max(2, _KEPT // lanes)
