"""Tasks go to workers by lease: taken over from the silent, given back on a fault."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.records import (
    JobState,
    TaskState,
)
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock
from tests.catalog.jobs import finish, lease, state_of, submit

W, P, F, C = TaskState.WAITING, TaskState.PARSING, TaskState.FAILED, TaskState.CANCELLED


def test_a_task_goes_from_waiting_to_its_end(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a")
    begun = clock.now

    task = lease(catalog)
    assert (task.state, task.attempts, task.started) == (P, 1, begun)
    assert catalog.leases.advance(task.id, "w1", TaskState.EMBEDDING)
    assert state_of(catalog, task) is TaskState.EMBEDDING
    clock.move(seconds=5)
    assert catalog.leases.finish(
        task.id, "w1", TaskState.PARTIAL, reason="Page 2 is damaged.", document_id="d",
        pages=3, chunks=9,
    )  # fmt: skip

    (ended,) = catalog.jobs.tasks(job.id, "default")
    assert (ended.state, ended.reason) == (TaskState.PARTIAL, "Page 2 is damaged.")
    assert (ended.document_id, ended.pages, ended.chunks) == ("d", 3, 9)
    assert ended.finished == clock.now
    assert catalog.jobs.get(job.id, "default").finished == clock.now


def test_a_job_is_finished_with_its_last_task(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a", "file:///b")

    finish(catalog, state=F)
    after_one = catalog.jobs.get(job.id, "default")
    finish(catalog)
    after_both = catalog.jobs.get(job.id, "default")

    assert (after_one.finished, after_one.done) == (None, 1)
    assert after_both.finished is not None
    assert after_both.counts == {F: 1, TaskState.INDEXED: 1}


def test_nothing_waits_nothing_is_leased(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    finish(catalog)

    assert catalog.leases.acquire("w1", lease_s=60) is None


def test_an_idle_worker_neither_waits_for_writers_nor_keeps_them_waiting(
    settings: Settings, clock: SetClock
) -> None:
    database = Database.of(settings)
    with Catalog.open(settings, clock=clock) as catalog, closing(database):
        with ThreadPoolExecutor(1) as threads, database.writing():  # another process writes
            looks = [
                threads.submit(catalog.leases.acquire, "w1", lease_s=60),
                threads.submit(catalog.leases.acquire_leftover, "w1", lease_s=60),
            ]
            found = [look.result(10) for look in looks]
        submit(catalog, "file:///a")
        task = catalog.leases.acquire("w1", lease_s=60)

    assert found == [None, None]
    assert task is not None


def test_two_workers_that_look_at_the_same_moment_share_out_what_there_is(
    settings: Settings, clock: SetClock
) -> None:
    with Catalog.open(settings, clock=clock) as catalog, ThreadPoolExecutor(8) as threads:
        submit(catalog, "file:///a", "file:///b", "file:///c")
        names = [f"w{number}" for number in range(8)]
        taken = list(threads.map(lambda name: catalog.leases.acquire(name, lease_s=60), names))

    assert sorted(task.uri for task in taken if task) == ["file:///a", "file:///b", "file:///c"]


def test_a_stage_and_an_end_are_not_mixed_up(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog)

    with pytest.raises(ValueError, match="no stage"):
        catalog.leases.advance(task.id, "w1", TaskState.INDEXED)
    with pytest.raises(ValueError, match="does not end"):
        catalog.leases.finish(task.id, "w1", TaskState.EMBEDDING)

    assert state_of(catalog, task) is P


def test_a_small_job_does_not_wait_for_the_end_of_a_large_one(catalog: Catalog) -> None:
    submit(catalog, "file:///1", "file:///2", "file:///3")
    submit(catalog, "file:///small")

    assert [finish(catalog) for _ in range(4)] == [
        "file:///1",
        "file:///small",
        "file:///2",
        "file:///3",
    ]


def test_a_worker_may_ask_for_one_jobs_tasks(catalog: Catalog) -> None:
    submit(catalog, "file:///1")
    job = submit(catalog, "file:///2")

    task = lease(catalog, job_id=job.id)

    assert task.uri == "file:///2"
    assert catalog.leases.acquire("w2", lease_s=60, job_id=job.id) is None


def test_a_document_is_never_worked_on_twice_at_a_time(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    submit(catalog, "file:///a")
    first = lease(catalog, "w1")

    meanwhile = catalog.leases.acquire("w2", lease_s=60)
    catalog.leases.finish(first.id, "w1", TaskState.INDEXED)
    afterwards = lease(catalog, "w2")

    assert meanwhile is None
    assert afterwards.id > first.id


def test_the_same_uri_in_two_tenants_is_two_documents(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    submit(catalog, "file:///a", tenant="other")

    assert {lease(catalog, "w1").tenant, lease(catalog, "w2").tenant} == {"default", "other"}


def test_an_older_version_is_taken_in_before_the_newer_one(catalog: Catalog) -> None:
    older = submit(catalog, "file:///other", "file:///a")
    newer = submit(catalog, "file:///a")

    order = [lease(catalog, "w1"), lease(catalog, "w2")]

    assert [(task.job_id, task.uri) for task in order] == [
        (older.id, "file:///other"),
        (older.id, "file:///a"),
    ]
    assert catalog.leases.acquire("w3", lease_s=60, job_id=newer.id) is None


def test_a_worker_of_one_job_first_does_what_that_job_waits_for(catalog: Catalog) -> None:
    left_behind = submit(catalog, "file:///a", "file:///b")
    job = submit(catalog, "file:///a")

    task = lease(catalog, job_id=job.id)
    catalog.leases.finish(task.id, "w1", TaskState.INDEXED)

    assert task.job_id == left_behind.id
    assert lease(catalog, job_id=job.id).job_id == job.id


def test_a_worker_that_stops_renewing_loses_its_task(catalog: Catalog, clock: SetClock) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog, "w1")
    clock.move(seconds=59)
    in_time = catalog.leases.acquire("w2", lease_s=60)

    clock.move(seconds=2)
    taken_over = lease(catalog, "w2")

    assert in_time is None
    assert (taken_over.id, taken_over.attempts) == (task.id, 2)
    assert not catalog.leases.renew(task.id, "w1", 60)
    assert not catalog.leases.advance(task.id, "w1", TaskState.EMBEDDING)
    assert not catalog.leases.finish(task.id, "w1", TaskState.INDEXED)
    assert not catalog.leases.release(task.id, "w1", reason="late", pause_s=0)
    assert catalog.leases.finish(task.id, "w2", TaskState.INDEXED)


def test_a_lease_that_was_renewed_in_time_is_not_given_to_another(
    catalog: Catalog, clock: SetClock
) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog, "w1")

    clock.move(seconds=50)
    renewed = catalog.leases.renew(task.id, "w1", 60)
    clock.move(seconds=50)

    assert renewed
    assert catalog.leases.acquire("w2", lease_s=60) is None
    assert catalog.leases.finish(task.id, "w1", TaskState.INDEXED)


def test_a_document_that_kills_its_workers_fails_in_the_end(
    catalog: Catalog, clock: SetClock, settings: Settings
) -> None:
    job = submit(catalog, "file:///deadly")
    for _ in range(settings.ingest.max_attempts):
        lease(catalog)
        clock.move(minutes=2)

    left = catalog.leases.acquire("w1", lease_s=60)

    (task,) = catalog.jobs.tasks(job.id, "default")
    assert left is None
    assert (task.state, task.attempts) == (F, settings.ingest.max_attempts)
    assert task.reason is not None
    assert "stopped 3 times" in task.reason
    assert catalog.jobs.get(job.id, "default").finished == clock.now


def test_the_machines_fault_costs_no_attempt(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a")
    for _ in range(10):
        task = lease(catalog)
        assert catalog.leases.release(task.id, "w1", reason="No store.", pause_s=15)
        clock.move(minutes=10)

    (waiting,) = catalog.jobs.tasks(job.id, "default")
    assert (waiting.state, waiting.reason, waiting.attempts) == (W, "No store.", 0)
    assert lease(catalog).reason is None


def test_a_task_that_was_given_back_is_not_tried_before_its_time(
    catalog: Catalog, clock: SetClock
) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog)
    catalog.leases.release(task.id, "w1", reason="No store.", pause_s=15)

    clock.move(seconds=14)
    too_early = catalog.leases.acquire("w1", lease_s=60)
    clock.move(seconds=1)

    assert too_early is None
    assert lease(catalog).id == task.id


def test_a_fault_of_the_machine_pauses_the_job_and_no_other(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    other = submit(catalog, "file:///c")
    task = lease(catalog)

    catalog.leases.release(task.id, "w1", reason="No store.", pause_s=15)

    paused = catalog.jobs.get(job.id, "default")
    assert (paused.state, paused.pause_reason) == (JobState.PAUSED, "No store.")
    assert paused.retry_at == clock.now + timedelta(seconds=15)
    assert lease(catalog).job_id == other.id
    assert catalog.leases.acquire("w2", lease_s=60) is None


def test_pauses_grow_to_a_minute_and_end_with_the_first_success(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(9)))
    pauses = []
    for _ in range(6):
        catalog.leases.release(lease(catalog).id, "w1", reason="No store.", pause_s=5)
        retry_at = catalog.jobs.get(job.id, "default").retry_at
        assert retry_at is not None
        pauses.append((retry_at - clock.now).total_seconds())
        clock.now = retry_at

    finish(catalog)

    assert pauses == [5, 10, 20, 40, 60, 60]
    running = catalog.jobs.get(job.id, "default")
    assert (running.state, running.pause_reason) == (JobState.RUNNING, None)


def test_one_document_that_the_machine_keeps_failing_at_does_not_hold_up_the_others(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, "file:///bad", "file:///good")
    bad = lease(catalog)
    catalog.leases.release(bad.id, "w1", reason="Unreadable share.", pause_s=5)
    clock.move(seconds=5)

    order = [finish(catalog), lease(catalog).uri]

    assert order == ["file:///good", "file:///bad"]
    assert catalog.jobs.get(job.id, "default").pause_reason is None


def test_a_retry_tries_a_paused_job_at_once(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog)
    catalog.leases.release(task.id, "w1", reason="No store.", pause_s=60)
    before = catalog.leases.acquire("w1", lease_s=60)

    catalog.jobs.retry(job.id, "default")

    assert before is None
    assert lease(catalog).id == task.id


def test_the_leases_of_a_dead_worker_can_be_taken_back_at_once(catalog: Catalog) -> None:
    submit(catalog, "file:///a", "file:///b")
    task, other = lease(catalog, "dead"), lease(catalog, "alive")

    holders = catalog.leases.holders()
    freed = catalog.leases.free("dead")

    assert (holders, freed) == (["alive", "dead"], 1)
    assert lease(catalog, "w1").id == task.id
    assert catalog.leases.finish(other.id, "alive", TaskState.INDEXED)
