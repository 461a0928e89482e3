"""Nodes go and come back: documents go in, questions are answered in time, rights narrow."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import DocumentRecord, JobRecord, NewTask
from sovereign_rag.errors import StoreError
from sovereign_rag.services.search import MOST_PASSAGES, SearchService
from sovereign_rag.wiring import Application
from tests.cluster.conftest import Nodes

OWNER = local_owner()
ANA = Principal("ana")
FAR_TOO_LONG_S = 300.0
IN_TIME_S = 3.0
AT_ONCE_S = 2.0
FEW = 20

pytestmark = pytest.mark.usefixtures("worker")


@dataclass
class Asked:
    """What became of questions."""

    answered: int = 0
    refused: int = 0
    too_late: list[float] = field(default_factory=list)

    def ask(self, searching: SearchService) -> None:
        begun = time.monotonic()
        try:
            found_by(searching)
            self.answered += 1
        except StoreError:
            self.refused += 1
        seconds = time.monotonic() - begun
        if seconds > IN_TIME_S:
            self.too_late.append(seconds)


def found_by(searching: SearchService) -> set[str]:
    found = searching.search("Which code word has the office?", ANA, limit=MOST_PASSAGES)
    return {passage.chunk.document_id for passage in found}


@pytest.fixture
def submit(application: Application, tmp_path: Path) -> Callable[[], JobRecord]:
    """Hands in a few documents; each time others."""
    numbers = iter(range(1_000_000))

    def submit_more() -> JobRecord:
        tasks: list[NewTask] = []
        for number in (next(numbers) for _ in range(FEW)):
            path = tmp_path / f"note-{number}.txt"
            path.write_text(f"Note {number}\n\nThe office's code word is kestrel-{number}.\n")
            tasks.append(
                NewTask(path.as_uri(), path.name, frozenset({"everyone"}), 0, path=str(path))
            )
        return application.ingestion.submit(tasks, OWNER, origin=["test"])

    return submit_more


def ended(application: Application, job: JobRecord) -> bool:
    return application.catalog.jobs.get(job.id, OWNER.tenant).finished is not None


def wait_for(application: Application, job: JobRecord) -> None:
    wait_until(lambda: ended(application, job))


def wait_until(condition: Callable[[], bool]) -> float:
    """Seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < FAR_TOO_LONG_S
        time.sleep(0.1)
    return time.monotonic() - begun


def documents(application: Application) -> Iterator[DocumentRecord]:
    yield from application.documents.list(OWNER, limit=10_000)


def is_whole(application: Application) -> bool:
    """Whether each document is in the store once, as the catalog has it."""
    return all(
        application.store.versions(each.tenant, each.id) == {each.version: each.chunks}
        for each in documents(application)
    )


@pytest.mark.parametrize(
    ("goes", "returns"), [("kill", "start"), ("stop", "continue"), ("cut", "join")]
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_while_a_node_is_away_documents_go_in_and_a_right_that_is_taken_is_gone(
    application: Application,
    nodes: Nodes,
    submit: Callable[[], JobRecord],
    goes: str,
    returns: str,
    number: int,
) -> None:
    wait_for(application, submit())
    taken = next(documents(application))
    assert taken.id in found_by(application.searching)
    asked = Asked()

    nodes.act(goes, number)
    try:
        meanwhile = submit()
        for _ in range(20):
            asked.ask(application.searching)
        application.erasure.change_readers(taken.tenant, taken.id, frozenset({"user:bo"}), 0)
        narrowed_s = wait_until(lambda: taken.id not in found_by(application.searching))
        wait_until(lambda: ended(application, meanwhile))
    finally:
        nodes.act(returns, number)

    assert asked.too_late == []
    assert asked.answered > asked.refused
    assert narrowed_s < AT_ONCE_S
    wait_until(lambda: is_whole(application))


def test_a_restart_of_one_node_after_the_other_loses_nothing(
    application: Application, nodes: Nodes, submit: Callable[[], JobRecord]
) -> None:
    asked, jobs = Asked(), []

    for number in nodes.numbers:
        jobs.append(submit())
        nodes.act("kill", number)
        for _ in range(10):
            asked.ask(application.searching)
        nodes.act("start", number)
        wait_until(lambda: is_whole(application))

    wait_until(lambda: all(ended(application, job) for job in jobs))
    assert asked.too_late == []
    assert len(list(documents(application))) == FEW * len(nodes.numbers)
    assert is_whole(application)


def test_a_node_that_came_back_empty_is_filled_by_the_others(
    application: Application, nodes: Nodes, submit: Callable[[], JobRecord]
) -> None:
    wait_for(application, submit())

    nodes.act("kill", nodes.numbers[-1])
    nodes.act("empty", nodes.numbers[-1])
    wait_until(lambda: is_whole(application))

    wait_for(application, submit())
    assert is_whole(application)


def test_when_most_nodes_are_away_questions_are_refused_in_time_and_documents_wait(
    application: Application, nodes: Nodes, submit: Callable[[], JobRecord]
) -> None:
    wait_for(application, submit())
    asked, away = Asked(), nodes.numbers[1:]

    for number in away:
        nodes.act("stop", number)
    try:
        waiting = submit()
        for _ in range(10):
            asked.ask(application.searching)
        wait_until(lambda: application.catalog.outages.awaiting() == FEW)
    finally:
        for number in away:
            nodes.act("continue", number)

    assert asked.too_late == []
    wait_until(lambda: ended(application, waiting))
    assert is_whole(application)
