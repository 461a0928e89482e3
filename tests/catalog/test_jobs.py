from collections.abc import Iterator
from datetime import timedelta

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import (
    JobRecord,
    JobState,
    NewTask,
    TaskRecord,
    TaskState,
    document_id,
)
from sovereign_rag.errors import NotFound
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock, new_task

W, P, F, C = TaskState.WAITING, TaskState.PARSING, TaskState.FAILED, TaskState.CANCELLED


def submit(catalog: Catalog, *uris: str, tenant: str = "default") -> JobRecord:
    return catalog.create_job(tenant, "user:ana", [new_task(uri) for uri in uris])


def lease(catalog: Catalog, worker: str = "w1", **options: str) -> TaskRecord:
    task = catalog.lease_task(worker, lease_s=60, **options)
    assert task is not None, "there was nothing to lease"
    return task


def finish(catalog: Catalog, worker: str = "w1", state: TaskState = TaskState.INDEXED) -> str:
    """Do the next task; returns its URI."""
    task = lease(catalog, worker)
    assert catalog.finish_task(task.id, worker, state)
    return task.uri


def state_of(catalog: Catalog, task: TaskRecord) -> TaskState:
    (found,) = catalog.tasks(task.job_id, task.tenant, after=task.id - 1, limit=1)
    return found.state


def test_a_job_is_a_record_of_its_tasks(catalog: Catalog, clock: SetClock) -> None:
    given = new_task(
        "file:///b.pdf",
        readers=frozenset({"user:bo"}),
        level=3,
        path="/data/\udcff.pdf",
        content_hash="e" * 64,
        modified=clock.now,
    )

    job = catalog.create_job("default", "user:ana", [new_task("file:///a.pdf"), given])

    assert catalog.job(job.id, "default") == job
    assert (job.total, job.done, job.finished, job.cancelled) == (2, 0, None, False)
    first, second = catalog.tasks(job.id, "default")
    assert (first.uri, first.state, first.attempts) == ("file:///a.pdf", W, 0)
    kept = NewTask(
        second.uri, second.name, second.readers, second.level,
        second.content_hash, second.path, second.modified,
    )  # fmt: skip
    assert kept == given


def test_tasks_come_in_pages(catalog: Catalog) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(5)))

    first = catalog.tasks(job.id, "default", limit=3)
    rest = catalog.tasks(job.id, "default", after=first[-1].id, limit=3)

    assert [task.uri for task in first + rest] == [f"file:///{number}" for number in range(5)]


def test_a_long_list_of_tasks_is_taken_as_it_comes(catalog: Catalog) -> None:
    def many() -> Iterator[NewTask]:
        for number in range(1_201):
            yield new_task(f"file:///{number}")

    job = catalog.create_job("default", "owner", many())

    assert job.counts == {W: 1_201}


def test_a_job_whose_list_breaks_off_never_was(catalog: Catalog) -> None:
    def broken() -> Iterator[NewTask]:
        for number in range(600):
            yield new_task(f"file:///{number}")
        assert catalog.lease_task("eager", lease_s=60) is None  # nobody works on half a job
        raise OSError("the folder is gone")

    with pytest.raises(OSError, match="the folder is gone"):
        catalog.create_job("default", "owner", broken())

    assert catalog.jobs("default", 10) == []
    assert catalog.lease_task("w1", lease_s=60) is None


def test_a_job_without_tasks_is_finished(catalog: Catalog, clock: SetClock) -> None:
    assert submit(catalog).finished == clock.now


def test_jobs_are_listed_newest_first_and_within_their_tenant(
    catalog: Catalog, clock: SetClock
) -> None:
    first = submit(catalog, "file:///a")
    clock.move(seconds=1)
    second = submit(catalog, "file:///b")
    other = submit(catalog, "file:///c", tenant="other")

    assert [job.id for job in catalog.jobs("default", 10)] == [second.id, first.id]
    assert [job.id for job in catalog.jobs("default", 1)] == [second.id]
    assert [job.id for job in catalog.jobs("other", 10)] == [other.id]


def test_another_tenants_job_is_not_found(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")

    for ask in (catalog.job, catalog.tasks, catalog.cancel_job, catalog.retry_job):
        with pytest.raises(NotFound):
            ask(job.id, "other")

    assert catalog.job(job.id, "default").counts == {W: 1}


def test_the_same_idempotency_key_gives_the_same_job(catalog: Catalog) -> None:
    tasks = [new_task("file:///a")]
    first = catalog.create_job("default", "user:ana", tasks, "upload-1")

    again = catalog.create_job("default", "user:ana", tasks, "upload-1")
    other_key = catalog.create_job("default", "user:ana", tasks, "upload-2")
    other_person = catalog.create_job("default", "user:bo", tasks, "upload-1")

    assert again == first
    assert len({first.id, other_key.id, other_person.id}) == 3


def test_of_two_submissions_with_one_key_at_the_same_time_one_counts(catalog: Catalog) -> None:
    faster: list[JobRecord] = []

    def slow() -> Iterator[NewTask]:
        yield new_task("file:///a")
        faster.append(catalog.create_job("default", "user:ana", [new_task("file:///a")], "key"))

    slower = catalog.create_job("default", "user:ana", slow(), "key")

    assert [slower] == faster == catalog.jobs("default", 10)


def test_a_task_goes_from_waiting_to_its_end(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a")
    begun = clock.now

    task = lease(catalog)
    assert (task.state, task.attempts, task.started) == (P, 1, begun)
    assert catalog.advance(task.id, "w1", TaskState.EMBEDDING)
    assert state_of(catalog, task) is TaskState.EMBEDDING
    clock.move(seconds=5)
    assert catalog.finish_task(
        task.id, "w1", TaskState.PARTIAL, reason="Page 2 is damaged.", document_id="d",
        pages=3, chunks=9,
    )  # fmt: skip

    (ended,) = catalog.tasks(job.id, "default")
    assert (ended.state, ended.reason) == (TaskState.PARTIAL, "Page 2 is damaged.")
    assert (ended.document_id, ended.pages, ended.chunks) == ("d", 3, 9)
    assert ended.finished == clock.now
    assert catalog.job(job.id, "default").finished == clock.now


def test_a_job_is_finished_with_its_last_task(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a", "file:///b")

    finish(catalog, state=F)
    after_one = catalog.job(job.id, "default")
    finish(catalog)
    after_both = catalog.job(job.id, "default")

    assert (after_one.finished, after_one.done) == (None, 1)
    assert after_both.finished is not None
    assert after_both.counts == {F: 1, TaskState.INDEXED: 1}


def test_nothing_waits_nothing_is_leased(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    finish(catalog)

    assert catalog.lease_task("w1", lease_s=60) is None


def test_a_stage_and_an_end_are_not_mixed_up(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog)

    with pytest.raises(ValueError, match="no stage"):
        catalog.advance(task.id, "w1", TaskState.INDEXED)
    with pytest.raises(ValueError, match="does not end"):
        catalog.finish_task(task.id, "w1", TaskState.EMBEDDING)

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
    assert catalog.lease_task("w2", lease_s=60, job_id=job.id) is None


def test_a_document_is_never_worked_on_twice_at_a_time(catalog: Catalog) -> None:
    submit(catalog, "file:///a")
    submit(catalog, "file:///a")
    first = lease(catalog, "w1")

    meanwhile = catalog.lease_task("w2", lease_s=60)
    catalog.finish_task(first.id, "w1", TaskState.INDEXED)
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
    assert catalog.lease_task("w3", lease_s=60, job_id=newer.id) is None


def test_a_worker_of_one_job_first_does_what_that_job_waits_for(catalog: Catalog) -> None:
    left_behind = submit(catalog, "file:///a", "file:///b")
    job = submit(catalog, "file:///a")

    task = lease(catalog, job_id=job.id)
    catalog.finish_task(task.id, "w1", TaskState.INDEXED)

    assert task.job_id == left_behind.id
    assert lease(catalog, job_id=job.id).job_id == job.id


def test_a_silent_worker_loses_its_task(catalog: Catalog, clock: SetClock) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog, "w1")
    clock.move(seconds=59)
    in_time = catalog.lease_task("w2", lease_s=60)

    clock.move(seconds=2)
    taken_over = lease(catalog, "w2")

    assert in_time is None
    assert (taken_over.id, taken_over.attempts) == (task.id, 2)
    assert not catalog.renew_lease(task.id, "w1", 60)
    assert not catalog.advance(task.id, "w1", TaskState.EMBEDDING)
    assert not catalog.finish_task(task.id, "w1", TaskState.INDEXED)
    assert not catalog.release_task(task.id, "w1", reason="late", pause_s=0)
    assert catalog.finish_task(task.id, "w2", TaskState.INDEXED)


def test_a_renewed_lease_holds(catalog: Catalog, clock: SetClock) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog, "w1")

    clock.move(seconds=50)
    renewed = catalog.renew_lease(task.id, "w1", 60)
    clock.move(seconds=50)

    assert renewed
    assert catalog.lease_task("w2", lease_s=60) is None
    assert catalog.finish_task(task.id, "w1", TaskState.INDEXED)


def test_a_document_that_kills_its_workers_fails_in_the_end(
    catalog: Catalog, clock: SetClock, settings: Settings
) -> None:
    job = submit(catalog, "file:///deadly")
    for _ in range(settings.ingest.max_attempts):
        lease(catalog)
        clock.move(minutes=2)

    left = catalog.lease_task("w1", lease_s=60)

    (task,) = catalog.tasks(job.id, "default")
    assert left is None
    assert (task.state, task.attempts) == (F, settings.ingest.max_attempts)
    assert task.reason is not None
    assert "stopped 3 times" in task.reason
    assert catalog.job(job.id, "default").finished == clock.now


def test_the_machines_fault_costs_no_attempt(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a")
    for _ in range(10):
        task = lease(catalog)
        assert catalog.release_task(task.id, "w1", reason="No store.", pause_s=15)
        clock.move(minutes=10)

    (waiting,) = catalog.tasks(job.id, "default")
    assert (waiting.state, waiting.reason, waiting.attempts) == (W, "No store.", 0)
    assert lease(catalog).reason is None


def test_a_task_that_was_given_back_is_not_tried_before_its_time(
    catalog: Catalog, clock: SetClock
) -> None:
    submit(catalog, "file:///a")
    task = lease(catalog)
    catalog.release_task(task.id, "w1", reason="No store.", pause_s=15)

    clock.move(seconds=14)
    too_early = catalog.lease_task("w1", lease_s=60)
    clock.move(seconds=1)

    assert too_early is None
    assert lease(catalog).id == task.id


def test_a_fault_of_the_machine_pauses_the_job_and_no_other(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    other = submit(catalog, "file:///c")
    task = lease(catalog)

    catalog.release_task(task.id, "w1", reason="No store.", pause_s=15)

    paused = catalog.job(job.id, "default")
    assert (paused.state, paused.pause_reason) == (JobState.PAUSED, "No store.")
    assert paused.retry_at == clock.now + timedelta(seconds=15)
    assert lease(catalog).job_id == other.id
    assert catalog.lease_task("w2", lease_s=60) is None


def test_pauses_grow_to_a_minute_and_end_with_the_first_success(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(9)))
    pauses = []
    for _ in range(6):
        catalog.release_task(lease(catalog).id, "w1", reason="No store.", pause_s=5)
        retry_at = catalog.job(job.id, "default").retry_at
        assert retry_at is not None
        pauses.append((retry_at - clock.now).total_seconds())
        clock.now = retry_at

    finish(catalog)

    assert pauses == [5, 10, 20, 40, 60, 60]
    running = catalog.job(job.id, "default")
    assert (running.state, running.pause_reason) == (JobState.RUNNING, None)


def test_one_document_that_the_machine_keeps_failing_at_does_not_hold_up_the_others(
    catalog: Catalog, clock: SetClock
) -> None:
    job = submit(catalog, "file:///bad", "file:///good")
    bad = lease(catalog)
    catalog.release_task(bad.id, "w1", reason="Unreadable share.", pause_s=5)
    clock.move(seconds=5)

    order = [finish(catalog), lease(catalog).uri]

    assert order == ["file:///good", "file:///bad"]
    assert catalog.job(job.id, "default").pause_reason is None


def test_a_retry_tries_a_paused_job_at_once(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog)
    catalog.release_task(task.id, "w1", reason="No store.", pause_s=60)
    before = catalog.lease_task("w1", lease_s=60)

    catalog.retry_job(job.id, "default")

    assert before is None
    assert lease(catalog).id == task.id


def test_the_leases_of_a_dead_worker_can_be_taken_back_at_once(catalog: Catalog) -> None:
    submit(catalog, "file:///a", "file:///b")
    task, other = lease(catalog, "dead"), lease(catalog, "alive")

    holders = catalog.lease_holders()
    freed = catalog.free_leases("dead")

    assert (holders, freed) == (["alive", "dead"], 1)
    assert lease(catalog, "w1").id == task.id
    assert catalog.finish_task(other.id, "alive", TaskState.INDEXED)


def test_cancelling_ends_what_waits_and_tells_who_works(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    other = submit(catalog, "file:///c")
    task = lease(catalog, "w1")

    cancelled = catalog.cancel_job(job.id, "default")

    assert (cancelled.cancelled, cancelled.finished) == (True, None)
    assert cancelled.counts == {P: 1, C: 1}
    assert not catalog.renew_lease(task.id, "w1", 60)
    assert catalog.finish_task(task.id, "w1", C)
    assert catalog.job(job.id, "default").finished == clock.now
    assert catalog.job(other.id, "default").counts == {W: 1}


@pytest.mark.parametrize("leave", ["silently", "by giving it back"])
def test_a_task_of_a_cancelled_job_does_not_wait_again(
    catalog: Catalog, clock: SetClock, leave: str
) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog, "w1")
    catalog.cancel_job(job.id, "default")

    if leave == "silently":
        clock.move(minutes=2)
    else:
        catalog.release_task(task.id, "w1", reason="cancelled", pause_s=0)

    assert catalog.lease_task("w2", lease_s=60) is None
    assert catalog.job(job.id, "default").counts == {C: 1}
    assert catalog.job(job.id, "default").finished == clock.now


def test_a_finished_job_cannot_be_cancelled_any_more(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    finish(catalog)

    assert not catalog.cancel_job(job.id, "default").cancelled


def test_retry_takes_only_what_failed(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///good", "file:///bad")
    finish(catalog)
    finish(catalog, state=F)

    retried = catalog.retry_job(job.id, "default")

    assert retried.finished is None
    assert retried.counts == {W: 1, TaskState.INDEXED: 1}
    again = lease(catalog)
    assert (again.uri, again.attempts, again.reason) == ("file:///bad", 1, None)


def test_retry_takes_what_was_cancelled(catalog: Catalog) -> None:
    job = submit(catalog, "file:///good", "file:///left")
    finish(catalog)
    catalog.cancel_job(job.id, "default")

    retried = catalog.retry_job(job.id, "default")

    assert retried.counts == {W: 1, TaskState.INDEXED: 1}
    assert (retried.cancelled, retried.finished) == (False, None)
    assert lease(catalog).uri == "file:///left"


@pytest.mark.parametrize("end", ["finish", "cancel", "fail for good", "delete"])
def test_a_password_is_erased_when_its_task_ends(
    catalog: Catalog, clock: SetClock, settings: Settings, end: str
) -> None:
    task = new_task("file:///locked.pdf", password=b"sealed")
    job = catalog.create_job("default", "owner", [task])
    held = lease(catalog)
    assert (held.password, "sealed" in repr(held)) == (b"sealed", False)

    if end == "finish":
        catalog.finish_task(held.id, "w1", TaskState.INDEXED)
    elif end == "fail for good":
        for _ in range(settings.ingest.max_attempts):
            clock.move(minutes=2)
            catalog.lease_task("w1", lease_s=60)
    else:
        catalog.free_leases("w1")
        assert lease(catalog).password == b"sealed"  # another worker needs it
        catalog.free_leases("w1")
        if end == "cancel":
            catalog.cancel_job(job.id, "default")
        else:
            catalog.withdraw("default", document_id("default", task.uri))

    (ended,) = catalog.tasks(job.id, "default")
    assert ended.state.is_final
    assert ended.password is None


def test_progress_is_measured_on_what_ended_lately(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(8)))
    for number in range(4):
        task = lease(catalog)
        clock.move(seconds=15)
        state = F if number == 3 else TaskState.INDEXED
        catalog.finish_task(task.id, "w1", state, pages=5, chunks=2, reason="why")
    current = lease(catalog)
    catalog.advance(current.id, "w1", TaskState.EMBEDDING, pages=7)

    progress = catalog.progress(job.id, "default")

    assert (progress.job.done, progress.job.total) == (4, 8)
    assert (progress.pages_done, progress.pages_known, progress.chunks) == (20, 27, 8)
    assert (progress.documents_per_minute, progress.pages_per_minute) == (4.0, 20.0)
    assert progress.seconds_left == 60
    assert [task.id for task in progress.current] == [current.id]
    assert [(task.state, task.reason) for task in progress.failures] == [(F, "why")]


def test_without_a_measurement_no_time_is_told(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    at_the_start = catalog.progress(job.id, "default")
    finish(catalog)
    clock.move(minutes=10)
    long_ago = catalog.progress(job.id, "default")
    finish(catalog)
    at_the_end = catalog.progress(job.id, "default")

    assert {p.seconds_left for p in (at_the_start, long_ago, at_the_end)} == {None}
    assert (long_ago.documents_per_minute, long_ago.job.done) == (0.0, 1)


def test_retry_does_not_bring_an_older_version_back(catalog: Catalog) -> None:
    older = submit(catalog, "file:///a")
    finish(catalog, state=F)
    submit(catalog, "file:///a")
    finish(catalog)

    retried = catalog.retry_job(older.id, "default")

    assert retried.counts == {F: 1}
    assert retried.finished is not None
    assert catalog.lease_task("w1", lease_s=60) is None


def test_a_task_knows_its_document_when_it_has_made_one(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog)
    before = task.document_id

    id_ = document_id("default", "file:///a")
    catalog.finish_task(task.id, "w1", TaskState.INDEXED, document_id=id_)

    assert before is None
    assert catalog.tasks(job.id, "default")[0].document_id == id_
