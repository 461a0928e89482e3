"""Who computes and who waits: bounded, fair, and given up when the caller leaves."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from sovereign_rag.errors import Busy, CallerLeft
from sovereign_rag.system.admission import Admission

ENOUGH_S = 30


class Crowd:
    """Callers that hold their turn until they are let go."""

    def __init__(self, admission: Admission) -> None:
        self.admission, self.order = admission, list[str]()
        self._go, self._pool = threading.Semaphore(0), ThreadPoolExecutor(64)
        self._begun = threading.Semaphore(0)

    def ask(self, person: str, tenant: str = "default") -> None:
        before = self.admission.wait_s()
        self._pool.submit(self._hold, tenant, person)
        give_up = time.monotonic() + ENOUGH_S
        while self.admission.wait_s() <= before and time.monotonic() < give_up:
            time.sleep(0.001)  # until it waits or computes

    def let_go(self, count: int) -> None:
        for _ in range(count):
            assert self._begun.acquire(timeout=ENOUGH_S)
            self._go.release()
        self._pool.shutdown()

    def _hold(self, tenant: str, person: str) -> None:
        with self.admission.turn(tenant, person):
            self.order.append(person)
            self._begun.release()
            assert self._go.acquire(timeout=ENOUGH_S)


def test_who_asks_once_does_not_wait_behind_all_that_another_asks() -> None:
    crowd = Crowd(Admission(places=1, queue=20))
    for _ in range(8):
        crowd.ask("many")
    crowd.ask("once")
    crowd.let_go(9)

    assert Counter(crowd.order) == {"many": 8, "once": 1}
    assert crowd.order.index("once") <= 2


def test_a_full_queue_refuses_at_once_and_tells_when_to_come_again() -> None:
    admission = Admission(places=1, queue=1)
    crowd = Crowd(admission)
    crowd.ask("first")
    crowd.ask("second")

    with pytest.raises(Busy) as refused, admission.turn("default", "third"):
        pass
    crowd.let_go(2)
    with admission.turn("default", "third"):
        admitted = True

    assert refused.value.retry_after_s > 0
    assert admitted


def test_without_a_queue_who_finds_a_place_is_let_in_and_everybody_else_is_refused() -> None:
    admission = Admission(places=1, queue=0)

    with admission.turn("default", "first"), pytest.raises(Busy), admission.turn("default", "next"):
        pass
    with admission.turn("default", "next"):
        admitted = True

    assert admitted


def test_a_caller_who_leaves_gives_the_place_in_the_queue_back() -> None:
    admission = Admission(places=1, queue=1)
    crowd = Crowd(admission)
    crowd.ask("first")
    left = threading.Event()
    left.set()

    with pytest.raises(CallerLeft), admission.turn("default", "gone", left):
        pass
    crowd.ask("second")
    crowd.let_go(2)

    assert crowd.order == ["first", "second"]
