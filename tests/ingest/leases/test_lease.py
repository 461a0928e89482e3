"""The right to write a document ends with the task's lease, and with a cancellation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.leases.lease import TaskLease
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.records import Lease, TaskState
from sovereign_rag.settings import Settings
from tests.catalog.conftest import new_task

LEASE_S = 60.0


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(Settings(data_dir=tmp_path)) as catalog:
        yield catalog


@pytest.fixture
def fence(catalog: Catalog) -> Lease:
    catalog.jobs.create("default", "owner", [new_task("file:///a")])
    task = catalog.leases.acquire("ours", lease_s=LEASE_S)
    assert task is not None
    return Lease(task.id, "ours")


def test_a_document_is_written_under_its_lease(catalog: Catalog, fence: Lease) -> None:
    with TaskLease(catalog.leases, fence, LEASE_S) as lease:
        lease.reached(TaskState.EMBEDDING)

        assert not lease.ended.is_set()
        assert lease.has_written


@pytest.mark.parametrize(("later_s", "has_ended"), [(LEASE_S - 1, False), (LEASE_S + 1, True)])
def test_a_worker_that_stood_still_does_not_go_on_writing(
    catalog: Catalog, fence: Lease, later_s: float, has_ended: bool
) -> None:
    seconds = [0.0]
    with TaskLease(catalog.leases, fence, LEASE_S, clock=lambda: seconds[-1]) as lease:
        seconds.append(later_s)

        assert lease.ended.is_set() is has_ended


def test_a_cancellation_ends_it_within_seconds(catalog: Catalog, fence: Lease) -> None:
    (progress,) = catalog.jobs.unfinished()
    with TaskLease(catalog.leases, fence, LEASE_S) as lease:
        catalog.jobs.cancel(progress.job.id, "default")

        assert lease.ended.wait(30)


def test_a_stage_that_is_reached_too_late_is_refused(catalog: Catalog, fence: Lease) -> None:
    with TaskLease(catalog.leases, fence, LEASE_S) as lease:
        catalog.leases.free("ours")

        with pytest.raises(LeaseLost):
            lease.reached(TaskState.EMBEDDING)
        assert lease.ended.is_set()
