"""Work on the machine: asked for, done by one process at a time, told and ended on the record."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.maintenance import MOST_ATTEMPTS, STOPPED
from sovereign_rag.errors import BadInput, EnvironmentFault, NotFound
from sovereign_rag.services.maintenance import MaintenanceDesk, MaintenanceWork, Steps
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog

OWNER = local_owner()
EXAM = {"model": "house"}


class Machine:
    """A catalog whose clock is set by hand, and what is done over it."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.catalog = Catalog.open(Settings(data_dir=folder), clock=lambda: self.now)
        self.audit = AuditLog(folder)
        self.desk = MaintenanceDesk(catalog=self.catalog, audit=self.audit)
        recorder = OperationRecorder(catalog=self.catalog, audit=self.audit, resume={})
        self.work = MaintenanceWork(
            catalog=self.catalog, operations=recorder, handlers={"exam": self.sit}
        )
        self.sat: list[Mapping[str, Any]] = []

    def sit(self, detail: Mapping[str, Any], steps: Steps) -> Mapping[str, Any]:
        self.sat.append(detail)
        if detail["model"] == "broken":
            raise EnvironmentFault("The file is torn. Import it again.")
        if detail["model"] == "left":
            steps.stop.set()
        steps(3, 4)
        return {"right": 3}

    @property
    def newest(self) -> Any:
        return self.desk.recent(frozenset({"exam"}))[0]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(r.entry.action, r.entry.principal) for r in self.audit.read()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_work_that_was_asked_for_is_done_once_with_its_result_on_the_record(
    machine: Machine,
) -> None:
    machine.desk.ask("exam", EXAM, OWNER)
    waiting = machine.newest
    done, nothing_more = machine.work.do_next(), machine.work.do_next()

    assert (waiting.is_over, done, nothing_more) == (False, True, False)
    assert machine.sat == [EXAM]
    assert (machine.newest.result, machine.newest.percent) == ({"right": 3}, 75)
    actions = [action for action, _ in machine.told]
    assert actions == ["maintenance.ask", "maintenance.exam", "maintenance.exam.done"]


def test_the_same_work_is_asked_for_once_at_a_time(machine: Machine) -> None:
    machine.desk.ask("exam", EXAM, OWNER)

    with pytest.raises(BadInput, match="already"):
        machine.desk.ask("exam", EXAM, OWNER)

    machine.desk.ask("exam", {"model": "other"}, OWNER)
    machine.work.do_next()
    machine.desk.ask("exam", EXAM, OWNER)  # that before has ended


def test_one_process_works_and_another_goes_on_when_that_one_has_died(machine: Machine) -> None:
    machine.desk.ask("exam", EXAM, OWNER)
    machine.desk.ask("exam", {"model": "other"}, OWNER)
    tasks = machine.catalog.maintenance
    first = tasks.take("dead", lease_s=60)
    meanwhile = tasks.take("living", lease_s=60)

    machine.now += timedelta(seconds=61)
    again = tasks.take("living", lease_s=60)

    assert (first and first.detail, meanwhile) == (EXAM, None)
    assert again is not None
    assert (again.detail, again.attempts) == (EXAM, 2)
    assert not tasks.tell(again.id, "dead", lease_s=60, done=1, total=2)


def test_work_that_takes_its_process_along_is_not_begun_for_ever(machine: Machine) -> None:
    machine.desk.ask("exam", EXAM, OWNER)
    for _ in range(MOST_ATTEMPTS):
        assert machine.catalog.maintenance.take("dead", lease_s=60)
        machine.now += timedelta(seconds=61)

    machine.work.do_next()

    assert machine.sat == []
    assert "its process ended" in machine.newest.error


def test_why_work_failed_is_told(machine: Machine) -> None:
    machine.desk.ask("exam", {"model": "broken"}, OWNER)

    machine.work.do_next()

    assert machine.newest.error == "The file is torn. Import it again."
    assert machine.told[-1][0] == "maintenance.exam.failed"


def test_work_is_stopped_where_it_waits_and_where_it_goes_on(machine: Machine) -> None:
    machine.desk.ask("exam", EXAM, OWNER)
    machine.desk.stop(machine.newest.id, OWNER)
    waiting = machine.newest
    machine.now += timedelta(seconds=1)
    machine.desk.ask("exam", {"model": "left"}, OWNER)
    machine.work.do_next()

    assert (waiting.error, machine.newest.error, machine.newest.result) == (STOPPED, STOPPED, None)
    assert machine.told[-1][0] == "maintenance.exam.stopped"
    with pytest.raises(NotFound):
        machine.desk.stop(waiting.id, OWNER)
