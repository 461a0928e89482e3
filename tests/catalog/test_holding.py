"""A worker writes what it holds and nothing else; what it left behind is found and removed."""

from dataclasses import replace

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.records import (
    Lease,
    LeaseState,
    TaskRecord,
    TaskState,
    document_id,
)
from tests.catalog.conftest import SetClock, new_task, stored

URI = "file:///a.pdf"
DOCUMENT = document_id("default", URI)


@pytest.fixture
def task(catalog: Catalog) -> TaskRecord:
    """Held by "w1"."""
    catalog.jobs.create("default", "owner", [new_task(URI)])
    leased = catalog.leases.acquire("w1", lease_s=60)
    assert leased is not None
    return leased


def lose(catalog: Catalog, clock: SetClock, task: TaskRecord, how: str) -> None:
    if how == "taken over":
        clock.move(minutes=2)
        assert catalog.leases.acquire("w2", lease_s=60) is not None
    elif how == "taken back":
        catalog.leases.free("w1")
    elif how == "job cancelled":
        catalog.jobs.cancel(task.job_id, task.tenant)
    else:
        catalog.documents.withdraw("default", DOCUMENT)


LOSSES = ["taken over", "taken back", "job cancelled", "document deleted"]


@pytest.mark.parametrize("how", LOSSES)
def test_who_lost_a_task_publishes_nothing(
    catalog: Catalog, clock: SetClock, task: TaskRecord, how: str
) -> None:
    lease = Lease(task.id, "w1")
    catalog.documents.publish(stored(URI, version="v1"), lease)
    lose(catalog, clock, task, how)

    with pytest.raises(LeaseLost):
        catalog.documents.publish(stored(URI, version="v2"), lease)
    with pytest.raises(LeaseLost):
        catalog.follow_ups.change("default", DOCUMENT, frozenset({"everyone"}), 0, lease)
    with pytest.raises(LeaseLost):
        catalog.documents.record_failure(task, "It is broken.", lease)

    assert catalog.documents.live_version("default", DOCUMENT) == "v1"
    found = catalog.documents.find("default", URI)
    assert found is not None
    assert found.reason is None


@pytest.mark.parametrize(
    ("how", "state"),
    [
        (None, LeaseState.HELD),
        ("taken over", LeaseState.LOST),
        ("taken back", LeaseState.LOST),
        ("job cancelled", LeaseState.CANCELLED),
        ("document deleted", LeaseState.CANCELLED),
    ],
)
def test_a_worker_learns_whether_it_still_holds_its_task(
    catalog: Catalog, clock: SetClock, task: TaskRecord, how: str | None, state: LeaseState
) -> None:
    if how is not None:
        lose(catalog, clock, task, how)

    assert catalog.leases.state(Lease(task.id, "w1")) is state


def test_deleting_a_document_ends_what_waits_for_it_and_spares_what_comes_later(
    catalog: Catalog, task: TaskRecord
) -> None:
    waiting = catalog.jobs.create("default", "owner", [new_task(URI)])
    other = catalog.jobs.create("default", "owner", [new_task("file:///b.pdf")])

    catalog.documents.withdraw("default", DOCUMENT)
    later = catalog.jobs.create("default", "owner", [new_task(URI)])

    assert catalog.jobs.get(waiting.id, "default").counts == {TaskState.CANCELLED: 1}
    assert catalog.jobs.get(waiting.id, "default").finished is not None
    assert catalog.jobs.get(other.id, "default").counts == {TaskState.WAITING: 1}
    assert catalog.jobs.get(later.id, "default").counts == {TaskState.WAITING: 1}
    assert catalog.leases.finish(task.id, "w1", TaskState.CANCELLED)
    assert catalog.leases.acquire("w2", lease_s=60, job_id=later.id) is not None


@pytest.mark.parametrize("end", ["failed", "cancelled", "killed for good"])
def test_what_an_ended_task_may_have_left_in_the_store_is_handed_out_once(
    catalog: Catalog, clock: SetClock, task: TaskRecord, end: str
) -> None:
    catalog.leases.advance(task.id, "w1", TaskState.EMBEDDING)
    while_in_work = catalog.leases.acquire_leftover("w9", lease_s=60)
    if end == "failed":
        catalog.leases.finish(task.id, "w1", TaskState.FAILED, reason="broken")
    elif end == "cancelled":
        catalog.jobs.cancel(task.job_id, "default")
        catalog.leases.free("w1")
    else:
        for _ in range(4):
            clock.move(minutes=2)
            catalog.leases.acquire("w1", lease_s=60)

    leftover = catalog.leases.acquire_leftover("w2", lease_s=60)
    twice = catalog.leases.acquire_leftover("w3", lease_s=60)
    catalog.jobs.create("default", "owner", [new_task(URI)])
    meanwhile = catalog.leases.acquire("w3", lease_s=60)
    assert leftover is not None
    catalog.leases.end_leftover(leftover.id, "w2", removed=True)

    assert leftover.id == task.id
    assert (while_in_work, twice, meanwhile) == (None, None, None)
    assert catalog.leases.acquire_leftover("w2", lease_s=60) is None
    assert catalog.leases.acquire("w3", lease_s=60) is not None


def test_a_cleaning_that_broke_off_is_done_again(
    catalog: Catalog, clock: SetClock, task: TaskRecord
) -> None:
    catalog.leases.advance(task.id, "w1", TaskState.EMBEDDING)
    catalog.leases.finish(task.id, "w1", TaskState.FAILED, reason="broken")
    first = catalog.leases.acquire_leftover("w2", lease_s=60)
    clock.move(minutes=2)
    nothing_else = catalog.leases.acquire("w3", lease_s=60)

    again = catalog.leases.acquire_leftover("w3", lease_s=60)

    assert nothing_else is None
    assert first == again
    assert catalog.jobs.get(task.job_id, "default").counts == {TaskState.FAILED: 1}


def test_a_success_leaves_nothing_behind(catalog: Catalog, task: TaskRecord) -> None:
    catalog.leases.advance(task.id, "w1", TaskState.EMBEDDING)
    catalog.leases.finish(task.id, "w1", TaskState.INDEXED)

    assert catalog.leases.acquire_leftover("w2", lease_s=60) is None


def test_a_worker_that_wrote_after_its_loss_says_so(
    catalog: Catalog, clock: SetClock, task: TaskRecord
) -> None:
    lose(catalog, clock, task, "taken over")
    catalog.leases.finish(task.id, "w2", TaskState.INDEXED)

    catalog.leases.note_leftover(task.id)

    leftover = catalog.leases.acquire_leftover("w3", lease_s=60)
    assert leftover is not None
    assert leftover.id == task.id


def test_bytes_are_not_removed_between_the_record_of_a_task_and_their_arrival(
    catalog: Catalog,
) -> None:
    removed: list[str] = []
    content = "d" * 64

    def bring() -> None:
        catalog.documents.unless_in_use(content, lambda: removed.append("while they arrived"))

    catalog.documents.unless_in_use(content, lambda: removed.append("before"))
    catalog.jobs.create(
        "default", "owner", [new_task(URI, content_hash=content)], before_commit=bring
    )
    catalog.documents.unless_in_use(content, lambda: removed.append("while the task waits"))

    assert removed == ["before"]


def test_a_job_whose_bytes_could_not_be_brought_never_was(catalog: Catalog) -> None:
    def bring() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        catalog.jobs.create("default", "owner", [new_task(URI)], before_commit=bring)

    assert catalog.jobs.recent("default", 10) == []


def test_the_content_of_a_file_is_in_use_from_when_its_worker_names_it(
    catalog: Catalog, task: TaskRecord
) -> None:
    before = catalog.documents.content_in_use("b" * 64)
    catalog.leases.record_content(Lease(task.id, "w1"), "b" * 64)
    in_work = catalog.documents.content_in_use("b" * 64)
    catalog.leases.finish(task.id, "w1", TaskState.INDEXED)

    assert (before, in_work) == (False, True)
    assert not catalog.documents.content_in_use("b" * 64)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_document_in_work_gets_the_readers_that_were_last_said_of_it(
    catalog: Catalog, keeps: bool
) -> None:
    catalog.documents.publish(stored(URI, readers=frozenset({"group:hr"})))
    catalog.jobs.create("default", "owner", [replace(new_task(URI), keeps_access=keeps)])
    task = catalog.leases.acquire("w1", lease_s=60)
    assert task is not None
    read_meanwhile = stored(URI, version="v2", readers=frozenset({"group:hr"}))
    catalog.follow_ups.change("default", DOCUMENT, frozenset({"user:ana"}), 0)

    published = catalog.documents.publish(read_meanwhile, Lease(task.id, "w1"))

    found = catalog.documents.find("default", URI)
    assert found is not None
    assert found.version == "v2"
    assert found.readers == published.readers
    assert found.readers == ({"user:ana"} if not keeps else frozenset())  # given by the store
