"""PostgreSQL tells of changes as they are committed; where nobody tells, one is told to look."""

import time
from collections.abc import Callable, Iterator

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.signals import CALLERS, of_job
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock
from tests.catalog.jobs import submit

FAR_TOO_LONG_S = 60.0


@pytest.fixture
def there(settings: Settings, clock: SetClock) -> Iterator[Catalog]:
    """Another process over the same catalog."""
    with Catalog.open(settings, clock=clock) as catalog:
        yield catalog


@pytest.fixture
def listening(catalog: Catalog, settings: Settings) -> Catalog:
    if settings.catalog.url is None:
        pytest.skip("SQLite tells nothing")
    wait_until(lambda: catalog.signals.is_told)
    return catalog


def test_who_follows_a_job_is_told_of_its_changes_and_not_of_others(
    listening: Catalog, there: Catalog
) -> None:
    signals = listening.signals
    other, mine = submit(there, "file:///b"), submit(there, "file:///a")
    wait_until(lambda: signals.changed(0, of_job(mine.id)))  # then all of the other's has come
    before = signals.mark()

    there.jobs.cancel(mine.id, "default")
    wait_until(lambda: signals.changed(before, of_job(mine.id)))

    assert not signals.changed(before, of_job(other.id), CALLERS)
    assert not signals.changed(signals.mark(), of_job(mine.id))


def test_a_task_that_moves_on_and_a_key_that_is_revoked_are_told(
    listening: Catalog, there: Catalog
) -> None:
    signals, job = listening.signals, submit(there, "file:///a")
    key, _ = there.keys.create("k", "ana")
    wait_until(lambda: signals.changed(0, of_job(job.id)) and signals.changed(0, CALLERS))

    before = signals.mark()
    assert there.leases.acquire("w", lease_s=60) is not None
    wait_until(lambda: signals.changed(before, of_job(job.id)))
    before = signals.mark()
    there.keys.revoke(key.id)
    wait_until(lambda: signals.changed(before, CALLERS))

    assert not signals.changed(before, of_job(job.id))


def test_where_nobody_tells_anything_may_have_changed(catalog: Catalog, settings: Settings) -> None:
    if settings.catalog.url is not None:
        pytest.skip("PostgreSQL tells")

    assert not catalog.signals.is_told
    assert catalog.signals.changed(catalog.signals.mark(), of_job("any"))


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + FAR_TOO_LONG_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
