"""Jobs submitted, and their tasks worked off, step by step."""

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import (
    JobRecord,
    TaskRecord,
    TaskState,
)
from tests.catalog.conftest import new_task


def submit(catalog: Catalog, *uris: str, tenant: str = "default") -> JobRecord:
    return catalog.jobs.create(tenant, "user:ana", [new_task(uri) for uri in uris])


def lease(catalog: Catalog, worker: str = "w1", **options: str) -> TaskRecord:
    task = catalog.leases.acquire(worker, lease_s=60, **options)
    assert task is not None, "there was nothing to lease"
    return task


def finish(catalog: Catalog, worker: str = "w1", state: TaskState = TaskState.INDEXED) -> str:
    """Do the next task; returns its URI."""
    task = lease(catalog, worker)
    assert catalog.leases.finish(task.id, worker, state)
    return task.uri


def state_of(catalog: Catalog, task: TaskRecord) -> TaskState:
    (found,) = catalog.jobs.tasks(task.job_id, task.tenant, after=task.id - 1, limit=1)
    return found.state
