"""`sovereign-rag reindex` as an admin meets it: the plan, the gate, a kill, a second admin."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.domain import Element, ElementKind, PageText, ParsedDocument
from sovereign_rag.settings import Settings
from tests.cli.running import CommandLine, command
from tests.ingest.reindex.conftest import OWNER, RULES, Reopened, finds, wait_until

SHORT = {"SOVEREIGN_RAG_CHUNK__MAX_TOKENS": "64", "SOVEREIGN_RAG_CHUNK__MIN_TOKENS": "0"}
BELOW_FLOOR, MISSING = 8, 3


@pytest.fixture
def cli(settings: Settings, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(settings.data_dir, capsys)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that want shorter chunks than the live index has."""
    for name, value in SHORT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("short")
def test_a_dry_run_says_what_would_be_done_and_does_nothing(cli: CommandLine) -> None:
    plan = cli("reindex", "--dry-run", "--json").json

    assert plan["differences"]["chunk.max_tokens"] == {"is": 320, "wanted": 64}
    assert plan["documents"] == 3
    assert plan["chunks"] > 3
    assert plan["seconds"] > 0
    assert 0 < plan["disk"] < plan["free"]
    assert [index["state"] for index in cli("reindex", "status", "--json").json["indexes"]] == [
        "live"
    ]


def test_where_nothing_differs_there_is_nothing_to_do(cli: CommandLine) -> None:
    done = cli("reindex", "--yes", "--json")

    assert (done.code, done.json) == (0, {"switched": False, "differences": {}})


@pytest.mark.usefixtures("short")
def test_doctor_says_that_the_settings_want_another_index(cli: CommandLine) -> None:
    (index,) = [
        check for check in cli("doctor", "--json").json["checks"] if check["check"] == "index"
    ]

    assert index["state"] == "limited"
    assert "chunk.max_tokens 320, wanted 64" in index["detail"]
    assert index["how"].startswith("sovereign-rag reindex")


@pytest.mark.usefixtures("short")
def test_without_somebody_to_ask_it_takes_a_yes(cli: CommandLine) -> None:
    refused = cli("reindex")

    assert refused.code == 2
    assert "--yes" in refused.err
    assert len(cli("reindex", "status", "--json").json["indexes"]) == 1


@pytest.mark.usefixtures("short")
def test_a_second_admin_is_told_that_another_builds(cli: CommandLine, reopened: Reopened) -> None:
    with reopened() as first, first.reindexing.lease():
        refused = cli("reindex", "--yes")

    assert refused.code == MISSING
    assert "Another process has been building" in refused.err
    assert cli("reindex", "--dry-run").code == 0


def test_an_index_that_answers_worse_is_not_switched_to_unless_that_is_said(
    settings: Settings, tmp_path: Path
) -> None:
    questions = tmp_path / "ours.csv"
    questions.write_text(
        "question,answer,document\n"
        "When is the door closed?,at nine,rules.md\n"
        "What is there on Mondays?,lentil soup,menu.txt\n"
    )
    over = ("--data-dir", str(settings.data_dir), "--json")
    page = tmp_path / "page.html"

    gate = ("--questions", str(questions), "--fail-below", "0.5", "--report", str(page), "--yes")
    worse = command("reindex", *gate, *over, **SHORT)
    shown = command("reindex", "status", *over, **SHORT)
    switched = command("reindex", "switch", "--yes", *over, **SHORT)

    assert worse.returncode == BELOW_FLOOR, worse.stderr
    assert '"switched": false' in worse.stdout
    assert '"measure": "right"' in worse.stdout
    assert '"state": "building"' in shown.stdout
    assert page.read_text().startswith("<!")
    assert switched.returncode == 0, switched.stderr
    assert '"written": 0' in switched.stdout


def test_a_build_that_is_killed_goes_on_where_it_was(
    settings: Settings, reopened: Reopened
) -> None:
    documents = [long_text(number) for number in range(48)]
    with reopened() as application:
        application.ingestion.add_parsed(documents, tenant="default")
        building = subprocess.Popen(
            [sys.executable, "-m", "sovereign_rag.cli", "reindex", "--yes", "--json"],
            env={**os.environ, **SHORT, "SOVEREIGN_RAG_DATA_DIR": str(settings.data_dir)},
            stdout=subprocess.DEVNULL,
        )

        def written() -> int:
            index = application.reindexing.unfinished()
            return 0 if index is None else application.catalog.indexes.coverage(index.id).current

        wait_until(lambda: written() > 0)
        building.send_signal(signal.SIGKILL)
        building.wait()
        before = written()
        asked = finds(application, "storey 7 ")

        resumed = command(
            "reindex", "--yes", "--json", "--data-dir", str(settings.data_dir), **SHORT
        )

        states = {record.id: record.state for record in application.catalog.indexes.all()}
        wait_until(lambda: application.indexes.current().record.id == 2)
        assert 0 < before < 51
        assert asked
        assert resumed.returncode == 0, resumed.stderr
        assert f'"written": {51 - before}' in resumed.stdout
        assert states == {1: IndexState.PREVIOUS, 2: IndexState.LIVE}
        assert finds(application, "storey 7 ", OWNER)
        assert application.catalog.indexes.removable(2) == []


def long_text(number: int) -> tuple[str, str, ParsedDocument]:
    text = RULES.split("\n\n", 1)[1].replace("house", f"house of storey {number} in the street")
    elements = []
    begin = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            end = begin + len(line.rstrip())
            elements.append(Element(ElementKind.PARAGRAPH, 1, begin, end))
        begin += len(line)
    parsed = ParsedDocument(
        media_type="text/plain",
        pages=(PageText(1, text),),
        elements=tuple(elements),
        paged=False,
        title=f"House {number}",
        language="en",
    )
    return f"made:{number}", f"house-{number}.txt", parsed
