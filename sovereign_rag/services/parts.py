"""Parts of a container: typed properties that are made at their first use, once.

`functools.cached_property` holds no lock, and two requests that come first would load two models.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, cast, overload

from sovereign_rag.indexes.open_indexes import OpenIndex, OpenIndexes

T = TypeVar("T")


class Container(Protocol):
    """What has parts."""

    making: threading.RLock
    """Held while a part is made; a part may ask for others meanwhile."""
    indexes: OpenIndexes


C = TypeVar("C", bound=Container)


class part(Generic[C, T]):
    """Made at its first use, whichever threads ask; the same one from then on."""

    def __init__(self, make: Callable[[C], T]) -> None:
        self._make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, container: None, owner: type) -> Self: ...

    @overload
    def __get__(self, container: C, owner: type) -> T: ...

    def __get__(self, container: C | None, owner: type) -> Self | T:
        if container is None:
            return self
        with container.making:
            made = vars(container)  # what stands there hides this descriptor the next time
            if self._name not in made:
                made[self._name] = self._make(container)
            return cast(T, made[self._name])


class part_of_index(Generic[C, T]):
    """Made for the index in use: a request that took it keeps to that index."""

    def __init__(self, make: Callable[[C, OpenIndex], T]) -> None:
        self._make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}_of_index"

    @overload
    def __get__(self, container: None, owner: type) -> Self: ...

    @overload
    def __get__(self, container: C, owner: type) -> T: ...

    def __get__(self, container: C | None, owner: type) -> Self | T:
        if container is None:
            return self
        index = container.indexes.current()
        with container.making:
            known: tuple[int, Any] | None = vars(container).get(self._name)
            if known is None or known[0] != index.record.id:
                known = (index.record.id, self._make(container, index))
                vars(container)[self._name] = known
            return cast(T, known[1])
