"""Documents are on the record with their names before there is a job, and a job has its end."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.operations import Operation
from sovereign_rag.catalog.records import AuditEntry, NewTask
from sovereign_rag.errors import BadInput
from sovereign_rag.roles import Role
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.submission import AT_ONCE, Submission
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.system.holder import holder_name

ADAM = Principal("adam", roles=frozenset({Role.ADMIN}))


class Desk:
    """Where documents are handed in, over a catalog and a record of its own."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog.open(Settings(data_dir=folder))
        self.audit = AuditLog(folder)
        self.operations = OperationRecorder(catalog=self.catalog, audit=self.audit, resume={})
        self.submission = Submission(
            catalog=self.catalog, audit=self.audit, operations=self.operations
        )

    def entries(self) -> list[AuditEntry]:
        return [record.entry for record in self.audit.read()]

    def actions(self) -> list[str]:
        return [entry.action for entry in self.entries()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.catalog.close()


def tasks(number: int, name: str = "plan") -> list[NewTask]:
    return [
        NewTask(f"upload:{name}-{n}.pdf", f"{name}-{n}.pdf", frozenset({"everyone"}), 0)
        for n in range(number)
    ]


def test_every_document_is_named_however_many_there_are(desk: Desk) -> None:
    job = desk.submission.submit(iter(tasks(2 * AT_ONCE + 1)), ADAM, origin=["/srv"])

    told = [len(entry.detail["documents"]) for entry in desk.entries()]
    named = {d["uri"] for entry in desk.entries() for d in entry.detail["documents"]}
    assert desk.actions() == ["ingest", "ingest.more", "ingest.more"]
    assert told == [AT_ONCE, AT_ONCE, 1]
    assert named == {task.uri for task in tasks(2 * AT_ONCE + 1)}
    assert {entry.detail["job"] for entry in desk.entries()} == {job.id}


def test_a_job_has_its_end_on_the_record_once_it_is_over(desk: Desk) -> None:
    job = desk.submission.submit(tasks(2), ADAM)
    desk.operations.settle()
    open_still = desk.actions()
    desk.catalog.jobs.cancel(job.id, "default")

    desk.operations.settle()
    desk.operations.settle()

    assert open_still == ["ingest"]
    assert desk.actions() == ["ingest", "ingest.done"]
    end = desk.entries()[-1]
    assert (end.principal, end.detail["of"]) == ("system", "user:adam")
    assert (end.detail["cancelled"], end.detail["counts"]) == (True, {"cancelled": 2})


def test_a_job_that_can_not_be_made_has_that_as_its_end(desk: Desk) -> None:
    def broken() -> Iterator[NewTask]:
        yield from tasks(AT_ONCE)
        raise BadInput("The source broke off.")

    with pytest.raises(BadInput):
        desk.submission.submit(broken(), ADAM)

    assert desk.actions() == ["ingest", "ingest.failed"]
    assert desk.catalog.operations.all() == []
    assert desk.catalog.jobs.recent("default", 5) == []


def test_the_same_key_at_the_same_time_is_one_job_and_the_other_has_no_effect(desk: Desk) -> None:
    first: list[str] = []

    def somebody_is_faster() -> None:
        first.append(desk.submission.submit(tasks(1), ADAM, idempotency_key="k").id)

    job = desk.submission.submit(
        tasks(1), ADAM, idempotency_key="k", before_commit=somebody_is_faster
    )
    again = desk.submission.submit(tasks(1), ADAM, idempotency_key="k")

    assert {job.id, again.id} == set(first)
    assert desk.actions() == [
        *("ingest", "ingest", "ingest.abandoned", "ingest.known"),
        "ingest.known",  # a replay names nothing
    ]
    assert desk.entries()[-1].detail == {"job": job.id}


def test_who_read_a_document_before_is_told(desk: Desk) -> None:
    (task,) = tasks(1)
    job = desk.submission.submit([task], ADAM)
    (taken,) = desk.catalog.jobs.tasks(job.id, "default")
    desk.catalog.documents.record_failure(taken, "It can't be read.")

    desk.submission.submit([replace(task, readers=frozenset({"group:hr"}), level=2)], ADAM)

    (told,) = desk.entries()[-1].detail["documents"]
    assert (told["readers"], told["level"]) == (["group:hr"], 2)
    assert told["before"] == {"readers": ["everyone"], "level": 0}


def test_what_a_dead_process_began_is_told_to_be_interrupted(desk: Desk) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    machine, _, tail = holder_name().rsplit(":", 2)
    dead = f"{machine}:{process.pid}:{tail}"
    for id_, is_recorded in (("1", True), ("2", False)):
        desk.catalog.operations.announce(
            Operation(id_, "key.create", "default", "owner", {}, {"user": "bo"}, dead, is_recorded)
        )

    desk.operations.settle()

    assert desk.actions() == ["key.create.interrupted", "key.create.abandoned"]
    assert desk.catalog.operations.all() == []


def test_what_a_living_process_does_is_left_to_it(desk: Desk) -> None:
    with desk.operations.begun("key.create", local_owner(), {}):
        desk.operations.settle()

    assert desk.actions() == ["key.create", "key.create.done"]
