"""Whose request comes next: tenants take turns, and within a tenant its people do.

A tenant that sends a thousand requests has one turn in a round, like one that sends a single
request, and so has each person among the tenant's own. Within a person's, the first comes first.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

_REMEMBERED: Final = 4_096  # last turns; who is forgotten counts as one who never had any


class Waiting(Protocol):
    """What the queue reads of a request."""

    @property
    def id(self) -> int: ...

    @property
    def tenant(self) -> str: ...

    @property
    def person(self) -> str: ...


R = TypeVar("R", bound=Waiting)


@dataclass(slots=True)
class FairQueue(Generic[R]):
    """Requests that wait, in order of arrival, and the turns that were taken."""

    _waiting: list[R] = field(default_factory=list)
    _last: OrderedDict[tuple[str, ...], int] = field(default_factory=OrderedDict)
    _turn: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[R]:
        """In order of arrival."""
        return iter(tuple(self._waiting))

    def put(self, request: R) -> None:
        self._waiting.append(request)

    def next(self) -> R | None:
        """Whose turn it is; it stays until `take`. None: nobody waits."""
        return min(
            self._waiting,
            key=lambda r: (self._last.get((r.tenant,), 0), self._last.get((r.tenant, r.person), 0)),
            default=None,
        )

    def take(self, request: R) -> None:
        """Let `request` have its turn."""
        self._waiting.remove(request)
        self._turn += 1
        for who in ((request.tenant,), (request.tenant, request.person)):
            self._last[who] = self._turn
            self._last.move_to_end(who)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def remove(self, request: int) -> R | None:
        """Take a request out by its id without a turn; None: it doesn't wait here."""
        for waiting in self._waiting:
            if waiting.id == request:
                self._waiting.remove(waiting)
                return waiting
        return None
