"""The store is away: what needs nothing else waits, the rest is made ready within a limit."""

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.outages import STORE
from sovereign_rag.catalog.records import JobState
from sovereign_rag.settings import IngestSettings, Settings
from tests.catalog.conftest import SetClock
from tests.catalog.jobs import finish, lease, submit


def make_ready(catalog: Catalog) -> str:
    """Do all of the next task but what needs the store; returns its URI."""
    task = lease(catalog)
    assert catalog.leases.release(task.id, "w1", reason="No store.", pause_s=2, awaits=STORE)
    return task.uri


def test_what_waits_for_the_store_alone_is_left_and_the_rest_is_begun(catalog: Catalog) -> None:
    submit(catalog, "file:///a", "file:///b")

    begun = [make_ready(catalog), make_ready(catalog)]

    assert begun == ["file:///a", "file:///b"]
    assert catalog.leases.acquire("w1", lease_s=60) is None


def test_the_job_says_why_and_since_when(catalog: Catalog, clock: SetClock) -> None:
    job, other = submit(catalog, "file:///a"), submit(catalog, "file:///b")
    since = clock.now
    make_ready(catalog)
    clock.move(minutes=5)

    told, running = (catalog.jobs.get(each.id, "default") for each in (job, other))

    assert (told.state, told.pause_reason) == (JobState.PAUSED, "No store.")
    assert told.paused_since == since
    assert (running.state, running.pause_reason) == (JobState.WAITING, None)


def test_one_at_a_time_looks_whether_it_is_back_and_then_all_goes_on(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, "file:///a")
    assert not catalog.outages.claim()  # nothing is away
    make_ready(catalog)
    assert not catalog.outages.claim()  # it was missed a moment ago
    clock.move(seconds=2)

    looks = [catalog.outages.claim(), catalog.outages.claim()]
    catalog.outages.end()

    assert looks == [True, False]
    assert catalog.outages.current() is None
    assert finish(catalog) == "file:///a"
    assert catalog.jobs.get(job.id, "default").finished is not None


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_is_made_ready_than_the_settings_say(settings: Settings, most: int) -> None:
    bounded = settings.model_copy(update={"ingest": IngestSettings(outbox=most)})
    with Catalog.open(bounded) as catalog:
        submit(catalog, "file:///a", "file:///b", "file:///c")

        for _ in range(most):
            make_ready(catalog)

        assert catalog.leases.acquire("w1", lease_s=60) is None
        catalog.outages.end()
        assert catalog.leases.acquire("w1", lease_s=60) is not None


def test_who_tries_a_job_again_does_not_wait_for_the_store(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    make_ready(catalog)

    catalog.jobs.retry(job.id, "default")

    assert lease(catalog).uri == "file:///a"


def test_what_the_store_refuses_each_time_stands_in_nobody_s_way(
    catalog: Catalog, clock: SetClock
) -> None:
    submit(catalog, "file:///a")
    for _ in range(6):
        make_ready(catalog)
        catalog.outages.end()  # it is there, and refuses

    assert catalog.leases.acquire("w1", lease_s=60) is None
    clock.move(hours=1)
    assert lease(catalog).uri == "file:///a"
