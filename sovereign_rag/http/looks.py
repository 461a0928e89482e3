"""One look at something slow, shared by everybody who wants to see it at about the same time."""

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

import anyio

LOOK_EVERY_S: Final = 1.0
_MOST: Final = 1_000  # things that are remembered

T = TypeVar("T")


class SharedLooks(Generic[T]):
    """Keeps what was seen for a moment; used from the event loop alone."""

    def __init__(self, *, fresh_s: float = LOOK_EVERY_S / 2) -> None:
        self._fresh_s = fresh_s
        self._seen: dict[Hashable, tuple[float, T]] = {}
        self._looking: dict[Hashable, anyio.Lock] = {}

    async def at(self, what: Hashable, look: Callable[[], T]) -> T:
        """What `look` gives, run in a thread; or what it gave somebody else a moment ago.

        Whoever may see something else needs another `what`. Raises what `look` raises.
        """
        lock = self._looking.setdefault(what, anyio.Lock())
        async with lock:
            known = self._seen.get(what)
            if known is not None and anyio.current_time() - known[0] < self._fresh_s:
                return known[1]
            seen = await anyio.to_thread.run_sync(look)
            self._remember(what, seen)
            return seen

    def _remember(self, what: Hashable, seen: T) -> None:
        self._seen.pop(what, None)
        self._seen[what] = (anyio.current_time(), seen)
        while len(self._seen) > _MOST:
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._looking.pop(oldest, None)
