"""Jobs and their tasks as records: submitted, listed, cancelled, tried again, measured."""

from collections.abc import Iterator

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import (
    JobRecord,
    NewTask,
    TaskState,
    document_id,
)
from sovereign_rag.errors import NotFound
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock, new_task
from tests.catalog.jobs import finish, lease, submit

W, P, F, C = TaskState.WAITING, TaskState.PARSING, TaskState.FAILED, TaskState.CANCELLED


def test_a_job_is_a_record_of_its_tasks(catalog: Catalog, clock: SetClock) -> None:
    given = new_task(
        "file:///b.pdf",
        readers=frozenset({"user:bo"}),
        level=3,
        path="/data/\udcff.pdf",
        content_hash="e" * 64,
        modified=clock.now,
    )

    job = catalog.jobs.create("default", "user:ana", [new_task("file:///a.pdf"), given])

    assert catalog.jobs.get(job.id, "default") == job
    assert (job.total, job.done, job.finished, job.cancelled) == (2, 0, None, False)
    first, second = catalog.jobs.tasks(job.id, "default")
    assert (first.uri, first.state, first.attempts) == ("file:///a.pdf", W, 0)
    kept = NewTask(
        second.uri, second.name, second.readers, second.level,
        second.content_hash, second.path, second.modified,
    )  # fmt: skip
    assert kept == given


def test_the_tasks_of_a_job_come_in_pages(catalog: Catalog) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(5)))

    first = catalog.jobs.tasks(job.id, "default", limit=3)
    rest = catalog.jobs.tasks(job.id, "default", after=first[-1].id, limit=3)

    assert [task.uri for task in first + rest] == [f"file:///{number}" for number in range(5)]


def test_a_long_list_of_tasks_is_taken_as_it_comes(catalog: Catalog) -> None:
    def many() -> Iterator[NewTask]:
        for number in range(1_201):
            yield new_task(f"file:///{number}")

    job = catalog.jobs.create("default", "owner", many())

    assert job.counts == {W: 1_201}


def test_a_job_whose_list_breaks_off_never_was(catalog: Catalog) -> None:
    def broken() -> Iterator[NewTask]:
        for number in range(600):
            yield new_task(f"file:///{number}")
        assert catalog.leases.acquire("eager", lease_s=60) is None  # nobody works on half a job
        raise OSError("the folder is gone")

    with pytest.raises(OSError, match="the folder is gone"):
        catalog.jobs.create("default", "owner", broken())

    assert catalog.jobs.recent("default", 10) == []
    assert catalog.leases.acquire("w1", lease_s=60) is None


def test_a_job_without_tasks_is_finished(catalog: Catalog, clock: SetClock) -> None:
    assert submit(catalog).finished == clock.now


def test_jobs_are_listed_newest_first_and_within_their_tenant(
    catalog: Catalog, clock: SetClock
) -> None:
    first = submit(catalog, "file:///a")
    clock.move(seconds=1)
    second = submit(catalog, "file:///b")
    other = submit(catalog, "file:///c", tenant="other")

    assert [job.id for job in catalog.jobs.recent("default", 10)] == [second.id, first.id]
    assert [job.id for job in catalog.jobs.recent("default", 1)] == [second.id]
    assert [job.id for job in catalog.jobs.recent("other", 10)] == [other.id]


def test_another_tenants_job_is_not_found(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")

    for ask in (catalog.jobs.get, catalog.jobs.tasks, catalog.jobs.cancel, catalog.jobs.retry):
        with pytest.raises(NotFound):
            ask(job.id, "other")

    assert catalog.jobs.get(job.id, "default").counts == {W: 1}


def test_the_same_idempotency_key_gives_the_same_job(catalog: Catalog) -> None:
    tasks = [new_task("file:///a")]
    first = catalog.jobs.create("default", "user:ana", tasks, "upload-1")

    again = catalog.jobs.create("default", "user:ana", tasks, "upload-1")
    other_key = catalog.jobs.create("default", "user:ana", tasks, "upload-2")
    other_person = catalog.jobs.create("default", "user:bo", tasks, "upload-1")

    assert again == first
    assert len({first.id, other_key.id, other_person.id}) == 3


def test_of_two_submissions_with_one_key_at_the_same_time_one_counts(catalog: Catalog) -> None:
    faster: list[JobRecord] = []

    def slow() -> Iterator[NewTask]:
        yield new_task("file:///a")
        faster.append(catalog.jobs.create("default", "user:ana", [new_task("file:///a")], "key"))

    slower = catalog.jobs.create("default", "user:ana", slow(), "key")

    assert [slower] == faster == catalog.jobs.recent("default", 10)


def test_cancelling_ends_what_waits_and_tells_who_works(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    other = submit(catalog, "file:///c")
    task = lease(catalog, "w1")

    cancelled = catalog.jobs.cancel(job.id, "default")

    assert (cancelled.cancelled, cancelled.finished) == (True, None)
    assert cancelled.counts == {P: 1, C: 1}
    assert not catalog.leases.renew(task.id, "w1", 60)
    assert catalog.leases.finish(task.id, "w1", C)
    assert catalog.jobs.get(job.id, "default").finished == clock.now
    assert catalog.jobs.get(other.id, "default").counts == {W: 1}


@pytest.mark.parametrize("leave", ["silently", "by giving it back"])
def test_a_task_of_a_cancelled_job_does_not_wait_again(
    catalog: Catalog, clock: SetClock, leave: str
) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog, "w1")
    catalog.jobs.cancel(job.id, "default")

    if leave == "silently":
        clock.move(minutes=2)
    else:
        catalog.leases.release(task.id, "w1", reason="cancelled", pause_s=0)

    assert catalog.leases.acquire("w2", lease_s=60) is None
    assert catalog.jobs.get(job.id, "default").counts == {C: 1}
    assert catalog.jobs.get(job.id, "default").finished == clock.now


def test_a_finished_job_cannot_be_cancelled_any_more(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    finish(catalog)

    assert not catalog.jobs.cancel(job.id, "default").cancelled


def test_retry_takes_only_what_failed(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///good", "file:///bad")
    finish(catalog)
    finish(catalog, state=F)

    retried = catalog.jobs.retry(job.id, "default")

    assert retried.finished is None
    assert retried.counts == {W: 1, TaskState.INDEXED: 1}
    again = lease(catalog)
    assert (again.uri, again.attempts, again.reason) == ("file:///bad", 1, None)


def test_retry_takes_what_was_cancelled(catalog: Catalog) -> None:
    job = submit(catalog, "file:///good", "file:///left")
    finish(catalog)
    catalog.jobs.cancel(job.id, "default")

    retried = catalog.jobs.retry(job.id, "default")

    assert retried.counts == {W: 1, TaskState.INDEXED: 1}
    assert (retried.cancelled, retried.finished) == (False, None)
    assert lease(catalog).uri == "file:///left"


@pytest.mark.parametrize("end", ["finish", "cancel", "fail for good", "delete"])
def test_a_password_is_erased_when_its_task_ends(
    catalog: Catalog, clock: SetClock, settings: Settings, end: str
) -> None:
    task = new_task("file:///locked.pdf", password=b"sealed")
    job = catalog.jobs.create("default", "owner", [task])
    held = lease(catalog)
    assert (held.password, "sealed" in repr(held)) == (b"sealed", False)

    if end == "finish":
        catalog.leases.finish(held.id, "w1", TaskState.INDEXED)
    elif end == "fail for good":
        for _ in range(settings.ingest.max_attempts):
            clock.move(minutes=2)
            catalog.leases.acquire("w1", lease_s=60)
    else:
        catalog.leases.free("w1")
        assert lease(catalog).password == b"sealed"  # another worker needs it
        catalog.leases.free("w1")
        if end == "cancel":
            catalog.jobs.cancel(job.id, "default")
        else:
            catalog.documents.withdraw("default", document_id("default", task.uri))

    (ended,) = catalog.jobs.tasks(job.id, "default")
    assert ended.state.is_final
    assert ended.password is None


def test_progress_is_measured_on_what_ended_lately(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, *(f"file:///{number}" for number in range(8)))
    for number in range(4):
        task = lease(catalog)
        clock.move(seconds=15)
        state = F if number == 3 else TaskState.INDEXED
        catalog.leases.finish(task.id, "w1", state, pages=5, chunks=2, reason="why")
    current = lease(catalog)
    catalog.leases.advance(current.id, "w1", TaskState.EMBEDDING, pages=7)

    progress = catalog.jobs.progress(job.id, "default")

    assert (progress.job.done, progress.job.total) == (4, 8)
    assert (progress.pages_done, progress.pages_known, progress.chunks) == (20, 27, 8)
    assert (progress.documents_per_minute, progress.pages_per_minute) == (4.0, 20.0)
    assert progress.seconds_left == 60
    assert [task.id for task in progress.current] == [current.id]
    assert [(task.state, task.reason) for task in progress.failures] == [(F, "why")]


def test_without_a_measurement_no_time_is_told(catalog: Catalog, clock: SetClock) -> None:
    job = submit(catalog, "file:///a", "file:///b")
    at_the_start = catalog.jobs.progress(job.id, "default")
    finish(catalog)
    clock.move(minutes=10)
    long_ago = catalog.jobs.progress(job.id, "default")
    finish(catalog)
    at_the_end = catalog.jobs.progress(job.id, "default")

    assert {p.seconds_left for p in (at_the_start, long_ago, at_the_end)} == {None}
    assert (long_ago.documents_per_minute, long_ago.job.done) == (0.0, 1)


def test_retry_does_not_bring_an_older_version_back(catalog: Catalog) -> None:
    older = submit(catalog, "file:///a")
    finish(catalog, state=F)
    submit(catalog, "file:///a")
    finish(catalog)

    retried = catalog.jobs.retry(older.id, "default")

    assert retried.counts == {F: 1}
    assert retried.finished is not None
    assert catalog.leases.acquire("w1", lease_s=60) is None


def test_a_task_knows_its_document_when_it_has_made_one(catalog: Catalog) -> None:
    job = submit(catalog, "file:///a")
    task = lease(catalog)
    before = task.document_id

    id_ = document_id("default", "file:///a")
    catalog.leases.finish(task.id, "w1", TaskState.INDEXED, document_id=id_)

    assert before is None
    assert catalog.jobs.tasks(job.id, "default")[0].document_id == id_
