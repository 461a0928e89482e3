"""How long one search may wait, however many requests it is made of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class _Spent:
    seconds: float = 0.0


_spent: ContextVar[_Spent | None] = ContextVar("spent", default=None)


@contextmanager
def one_wait() -> Iterator[None]:
    """What this thread asks for within shares the time that a single request would have."""
    if _spent.get() is not None:  # a part of a longer one
        yield
        return
    before = _spent.set(_Spent())
    try:
        yield
    finally:
        _spent.reset(before)


@contextmanager
def waiting(whole_s: float, clock: Callable[[], float]) -> Iterator[float]:
    """The seconds that are left of `whole_s`; how long was waited for is counted at the end."""
    spent, begun = _spent.get() or _Spent(), clock()
    try:
        yield whole_s - spent.seconds
    finally:
        spent.seconds += clock() - begun
