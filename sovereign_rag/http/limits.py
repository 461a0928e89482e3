"""How many uploads are received at a time, in all and from one person."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from sovereign_rag.access import Principal
from sovereign_rag.errors import Busy

_RETRY_AFTER_S = 5.0


class UploadPlaces:
    """Places of uploads, which are held by their callers' lines; used from the event loop alone.

    They have threads of their own, so that half an upload never holds up another route.
    """

    def __init__(self, places: int, *, per_person: int) -> None:
        self.threads = anyio.CapacityLimiter(places)
        self._places, self._per_person = places, per_person
        self._under_way: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def place(self, principal: Principal) -> Iterator[None]:
        """Hold a place. Raises Busy: all, or this person's, are taken."""
        who = (principal.tenant, principal.user)
        if self._under_way[who] >= self._per_person:
            raise Busy(
                f"{self._per_person} uploads of yours are under way. Wait for one to end.",
                retry_after_s=_RETRY_AFTER_S,
            )
        if self._under_way.total() >= self._places:
            raise Busy(
                f"{self._places} uploads are under way. Try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]
