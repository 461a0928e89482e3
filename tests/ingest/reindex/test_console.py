"""Indexes on the console: built, compared, switched to, gone back from, as work of the machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.cli.index_comparison import comparing
from sovereign_rag.errors import BadInput, Forbidden
from sovereign_rag.services.index_desk import IndexDesk
from sovereign_rag.settings import ConsoleSettings
from sovereign_rag.wiring import Application
from tests.ingest.reindex.conftest import QUESTION, SHORT, Reopened, finds

OWNER = local_owner()


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    folder = tmp_path / "offered"
    folder.mkdir()
    (folder / "questions.csv").write_text(
        f"question,answer\n{QUESTION},nine in the evening\n", encoding="utf-8"
    )
    return folder


@pytest.fixture
def application(reopened: Reopened, offered: Path) -> Iterator[Application]:
    """Over documents that were taken in; short chunks are wanted by now."""
    with reopened(chunk=SHORT, console=ConsoleSettings(import_folders=(offered,))) as opened:
        yield opened


@pytest.fixture
def desk(application: Application) -> IndexDesk:
    return application.console.indexes


def test_an_index_is_built_compared_switched_to_and_gone_back_from(
    application: Application, desk: IndexDesk
) -> None:
    work = application.maintenance(compare=comparing(application))
    (questions,) = desk.look(OWNER).questions
    assert set(desk.look(OWNER).differences) >= {"chunk.max_tokens"}

    desk.build(OWNER)
    assert work.do_next()
    desk.compare(str(questions), OWNER)
    assert work.do_next()
    desk.switch(OWNER)
    assert work.do_next()
    switched, found = desk.look(OWNER), finds(application, "porter")
    desk.back(OWNER)
    assert work.do_next()
    back = desk.look(OWNER)
    desk.drop(OWNER)
    assert work.do_next()

    assert [task.error for task in desk.look(OWNER).tasks] == [None] * 5
    compared = next(task for task in switched.tasks if task.kind == "compare").result
    assert compared is not None
    assert compared["questions"] == 1
    assert (switched.differences, found, finds(application, "porter")) == ({}, True, True)
    assert switched.has("previous")
    assert set(back.differences) >= {"chunk.max_tokens"}
    assert [record.state.value for record, _ in desk.look(OWNER).indexes] == ["live"]
    told = {record.entry.action for record in application.audit.read()}
    assert {"maintenance.reindex.done", "reindex.switch", "maintenance.back.done"} <= told


def test_what_there_is_no_index_for_is_refused(desk: IndexDesk, offered: Path) -> None:
    for act in (desk.switch, desk.back):
        with pytest.raises(BadInput, match="no such index"):
            act(OWNER)
    with pytest.raises(BadInput):
        desk.compare(str(offered / "questions.csv"), OWNER)


def test_questions_are_taken_from_allowed_folders_alone(
    application: Application, desk: IndexDesk, tmp_path: Path
) -> None:
    desk.build(OWNER)
    application.maintenance().do_next()
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("question\nWhen?\n", encoding="utf-8")

    with pytest.raises(Forbidden):
        desk.compare(str(elsewhere), OWNER)

    assert [task.kind for task in desk.look(OWNER).tasks] == ["reindex"]
