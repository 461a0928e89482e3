"""A circuit breaker: a server that fails is left alone for a while, then tried with one request.

Source: Nygard, "Release It!", 2007, the pattern of that name.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal


class Breaker:
    """Closed: requests pass. Open: none does. Half open: one tries."""

    def __init__(
        self, *, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Opens after so many failures in a row, for `pause_s`."""
        self._limit, self._pause_s, self._clock = failures, pause_s, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None  # None: closed
        self._trying = False
        self.last_failure = ""

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock() < self._open_until else "half-open"

    @property
    def wait_s(self) -> float:
        """Seconds until a request is let through again; 0 where one would be now."""
        with self._lock:
            return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def admit(self) -> bool:
        """Whether a request may go; if so, say later how it went, by one of the three below."""
        with self._lock:
            if self._open_until is None:
                return True
            if self._clock() < self._open_until or self._trying:
                return False
            self._trying = True
            return True

    def answers(self) -> None:
        """The first word came: others may go too, but a failure soon opens it again."""
        with self._lock:
            self._open_until, self._trying = None, False

    def succeeded(self) -> None:
        """The answer is whole."""
        with self._lock:
            self._failures, self._open_until, self._trying = 0, None, False

    def failed(self, reason: str) -> None:
        """It is the server's fault that there is no answer."""
        with self._lock:
            self._failures += 1
            self.last_failure = reason
            if self._trying or self._failures >= self._limit:
                self._failures = max(self._failures, self._limit)
                self._open_until = self._clock() + self._pause_s
            self._trying = False

    def abandoned(self) -> None:
        """Nobody knows: the asker went away, or the request itself was refused."""
        with self._lock:
            self._trying = False
