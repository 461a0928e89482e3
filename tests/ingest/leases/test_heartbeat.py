"""A lease is kept while its holder works, and nobody goes on under one that has ended."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ingest.leases.heartbeat import LeaseHeartbeat
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import Busy, CatalogError, EnvironmentFault
from sovereign_rag.settings import Settings
from sovereign_rag.system.holder import holder_name, is_dead

LONG_S = 3_600.0  # no beat comes within a test
SHORT_S = 0.06


@dataclass
class Seconds:
    """A clock that stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Renewals:
    """What a catalog answers, one after the other; the last for ever."""

    answers: list[bool | EnvironmentFault]
    asked: int = field(default=0)

    def __call__(self) -> bool:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, EnvironmentFault):
            raise answer
        return answer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(("later_s", "has_ended"), [(LONG_S, False), (LONG_S + 1, True)])
def test_a_lease_that_ran_out_unrenewed_has_ended(later_s: float, has_ended: bool) -> None:
    clock = Seconds()
    with LeaseHeartbeat("it", lambda: True, lease_s=LONG_S, clock=clock) as lease:
        clock.now = later_s

        assert lease.ended.is_set() is has_ended


def test_a_lease_that_has_ended_stays_ended_when_the_clock_goes_back() -> None:
    clock = Seconds()
    with LeaseHeartbeat("it", lambda: True, lease_s=LONG_S, clock=clock) as lease:
        clock.now = LONG_S + 1
        assert lease.ended.is_set()
        clock.now = 0.0

        with pytest.raises(EnvironmentFault, match=r"lease on it has ended.*Run the same again"):
            lease.require()


def test_a_lease_is_renewed_for_as_long_as_it_is_needed() -> None:
    renewals = Renewals([True])
    with LeaseHeartbeat("it", renewals, lease_s=SHORT_S) as lease:
        until(lambda: renewals.asked > 5)
        lease.require()
    asked = renewals.asked
    time.sleep(SHORT_S)

    assert renewals.asked == asked


def test_a_renewal_that_is_refused_ends_it() -> None:
    with LeaseHeartbeat("it", Renewals([True, False]), lease_s=SHORT_S) as lease:
        assert lease.ended.wait(30)


def test_a_catalog_that_fails_once_does_not_end_it() -> None:
    renewals = Renewals([CatalogError("locked"), True])
    with LeaseHeartbeat("it", renewals, lease_s=SHORT_S, clock=Seconds()) as lease:
        until(lambda: renewals.asked > 3)

        lease.require()


def test_a_catalog_that_goes_on_failing_ends_it() -> None:
    renewals = Renewals([CatalogError("gone")])
    with LeaseHeartbeat("it", renewals, lease_s=SHORT_S) as lease:
        until(lambda: lease.ended.is_set())


@pytest.mark.parametrize("is_held", [True, False])
def test_an_early_end_is_seen_at_the_next_look(is_held: bool) -> None:
    looks = Renewals([is_held])
    with LeaseHeartbeat(
        "it", lambda: True, lease_s=LONG_S, is_held=looks, look_every_s=0.01
    ) as lease:
        until(lambda: looks.asked > 0 and (is_held or lease.ended.is_set()))

        assert lease.ended.is_set() is not is_held


def write_under_lease(settings: Settings, to_parent: Connection) -> None:
    """Send a line for each thing that is done under the lease, and the reason for the end."""
    holder = holder_name()
    with Catalog.open(settings) as catalog:
        catalog.locks.acquire("writing", holder, lease_s=1.0, doing="writing")
        renew = partial(catalog.locks.renew, "writing", holder, lease_s=1.0)
        with LeaseHeartbeat("the file", renew, lease_s=1.0) as lease:
            while True:
                try:
                    lease.require()
                except EnvironmentFault as fault:
                    to_parent.send(str(fault))
                    return
                to_parent.send("written")
                time.sleep(0.01)


def test_a_process_that_stood_still_does_not_go_on(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    spawn = multiprocessing.get_context("spawn")
    receive, send = spawn.Pipe(duplex=False)
    process = spawn.Process(target=write_under_lease, args=(settings, send))

    with Catalog.open(settings) as catalog:
        process.start()
        send.close()
        assert process.pid is not None
        assert receive.recv() == "written"
        os.kill(process.pid, signal.SIGSTOP)

        def taken_over() -> bool:
            try:
                catalog.locks.acquire("writing", "another", lease_s=60, doing="writing")
            except Busy:
                return False
            return True

        until(taken_over)
        while receive.poll(0.2):  # what it did before
            assert receive.recv() == "written"
        os.kill(process.pid, signal.SIGCONT)
        lines = [receive.recv()]
        if lines[0] == "written":  # it was stopped between the look and the line
            lines.append(receive.recv())
        process.join(30)

    assert "The lease on the file has ended" in lines[-1]


def test_a_holder_is_known_to_be_dead_on_its_own_machine_alone() -> None:
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    machine, _, tail = holder_name().rsplit(":", 2)

    assert is_dead(f"{machine}:{process.pid}:{tail}")
    assert not is_dead(holder_name())
    assert not is_dead(f"elsewhere/1:{process.pid}:{tail}")
    assert not is_dead("what an older version wrote")
