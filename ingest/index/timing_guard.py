"""What taking in a content costs, so that work which another tenant's document spares shows not.

A tenant that hands in a file must not learn from it that another tenant has the same. The work
is not done twice, but the document takes as long as it did the first time, in each stage.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SPREAD = (0.9, 1.2)  # of the time of the first: no two runs take the same time
_LOOK_EVERY_S = 0.5
_chance = random.SystemRandom()


class StageTimer:
    """The time of one stage of a document's way."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.monotonic() - self._begin

    def wait_until(self, seconds: float, ended: threading.Event) -> None:
        """Wait until the stage has taken about `seconds`, or `ended` is set."""
        ended.wait(max(0.0, seconds * _chance.uniform(*_SPREAD) - self.seconds))


class ContentLocks:
    """Lets one thread at a time work on a content; the next finds the work done."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._busy: set[str] = set()

    @contextmanager
    def locked(self, content_hash: str, ended: threading.Event) -> Iterator[None]:
        """Wait for one's turn, or until `ended` is set, which the caller looks at anyway."""
        with self._free:
            while content_hash in self._busy and not ended.is_set():
                self._free.wait(_LOOK_EVERY_S)
            own = content_hash not in self._busy
            self._busy.add(content_hash)
        try:
            yield
        finally:
            if own:
                with self._free:
                    self._busy.discard(content_hash)
                    self._free.notify_all()
