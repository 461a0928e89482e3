"""Who computes now and who waits: a bounded, fair queue before work that keeps a core busy.

Without it a burst of questions shares the cores until none is answered in time, and whoever asks
most gets most. With it a few are computed at a time, people and tenants take turns, and who would
wait too long is told so at once.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sovereign_rag.errors import Busy, CallerLeft
from sovereign_rag.system.fair_queue import FairQueue

_LOOK_EVERY_S: Final = 0.1  # whether the caller is still there
_FIRST_GUESS_S: Final = 1.0
_MEMORY: Final = 0.9  # of the running mean of how long a turn takes


@dataclass(slots=True)
class _Ticket:
    id: int
    tenant: str
    person: str
    called: threading.Event = field(default_factory=threading.Event)


class Admission:
    """Lets `places` callers compute at a time and `queue` wait. For any number of threads."""

    def __init__(self, *, places: int, queue: int) -> None:
        self._free, self._places, self._most = places, places, queue
        self._waiting: FairQueue[_Ticket] = FairQueue()
        self._numbers = itertools.count()
        self._mean_s = _FIRST_GUESS_S
        self._guard = threading.Lock()

    @contextmanager
    def turn(
        self, tenant: str, person: str, cancel: threading.Event | None = None
    ) -> Iterator[None]:
        """Wait for a place and hold it meanwhile; tenants, and a tenant's people, take turns.

        Raises:
            Busy: The queue is full; it tells when to come again.
            CallerLeft: `cancel` was set before the turn came.
        """
        ticket = self._enter(tenant, person)
        try:
            while not ticket.called.wait(_LOOK_EVERY_S):
                if cancel is not None and cancel.is_set():
                    raise CallerLeft
            began = time.monotonic()
            yield
            self._mean_s = _MEMORY * self._mean_s + (1 - _MEMORY) * (time.monotonic() - began)
        finally:
            self._leave(ticket)

    def wait_s(self) -> float:
        """How long somebody who came now would wait, by how long the last turns took."""
        with self._guard:
            ahead = len(self._waiting) + (self._places - self._free)
        return ahead / self._places * self._mean_s

    def _enter(self, tenant: str, person: str) -> _Ticket:
        wait_s = self.wait_s()
        with self._guard:
            if not self._free and len(self._waiting) >= self._most:
                raise Busy(
                    f"{len(self._waiting)} questions wait already, and every place is taken. Ask "
                    f"again in about {wait_s:.0f} s.",
                    retry_after_s=wait_s,
                )
            ticket = _Ticket(next(self._numbers), tenant, person)
            self._waiting.put(ticket)
            self._call_next()
        return ticket

    def _leave(self, ticket: _Ticket) -> None:
        with self._guard:
            if self._waiting.remove(ticket.id) is None:  # it had its turn
                self._free += 1
            self._call_next()

    def _call_next(self) -> None:
        while self._free and (following := self._waiting.next()) is not None:
            self._waiting.take(following)
            self._free -= 1
            following.called.set()
