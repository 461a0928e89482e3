"""A thread that keeps a lease while its holder works, and knows when it is no more."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

from sovereign_rag.errors import EnvironmentFault

log = logging.getLogger(__name__)


def since_boot() -> float:
    """Seconds on a clock that goes on while the machine sleeps, which `time.monotonic` does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseHeartbeat:
    """Renews a lease within its `with`; `ended` says when it is no more.

    It ends when the catalog refuses to renew it, and before it can run out unrenewed: a process
    that stood still (stopped, asleep, swapped out) does not go on as if the lease were its own,
    and neither does one whose catalog has stopped answering.
    """

    def __init__(
        self,
        name: str,
        renew: Callable[[], bool],
        *,
        lease_s: float,
        is_held: Callable[[], bool] | None = None,
        look_every_s: float | None = None,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        """
        Args:
            name: What is leased, for people: "the source shared".
            renew: Asks the catalog for `lease_s` more; False: the lease is lost.
            lease_s: How long the lease lasts unrenewed, which it was last given just now.
            is_held: A look between renewals that costs no write, where an early end is to be seen
                early; None: there is none.
            look_every_s: Seconds between those looks; None: looked only when it is renewed.
            clock: Seconds, from any point on.
        """
        self._name, self._renew, self._is_held = name, renew, is_held
        self._lease_s, self._clock = lease_s, clock
        self._every_s = min(look_every_s or lease_s / 3, lease_s / 3)
        self._renewed = clock()
        self._done, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease: {name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def ended(self) -> threading.Event:
        """Set as soon as it is known that the lease has ended; ask anew before each step."""
        if self._clock() - self._renewed > self._lease_s:
            self._ended.set()
        return self._ended

    def end(self) -> None:
        """Told by whoever learns elsewhere that the lease is lost."""
        self._ended.set()

    def require(self) -> None:
        """Go on under the lease alone.

        Raises:
            EnvironmentFault: It has ended, and another process may have it by now.
        """
        if self.ended.is_set():
            raise EnvironmentFault(
                f"The lease on {self._name} has ended: this process stood still, the catalog did "
                "not answer, or another process has taken over. Run the same again; it goes on "
                "from there."
            )

    def _beat(self) -> None:
        while not self._done.wait(self._every_s):
            try:
                if not self._is_kept():
                    self._ended.set()
            except EnvironmentFault as fault:
                log.warning("The lease on %s was not renewed: %s", self._name, fault)
            if self.ended.is_set():
                return

    def _is_kept(self) -> bool:
        asked = self._clock()
        if self._is_held is not None and asked - self._renewed < self._lease_s / 3:
            return self._is_held()
        if not self._renew():
            return False
        self._renewed = asked
        return True
