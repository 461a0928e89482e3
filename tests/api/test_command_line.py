"""The command line over a service: `--url` and a key in place of the data folder."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.conftest import Product
from tests.api.test_answers import HEATING_QUESTION, SALARY_QUESTION
from tests.cli.running import CommandLine, Ran

Caller = Callable[..., Ran]


@pytest.fixture
def nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line over a data folder that doesn't exist."""
    return CommandLine(tmp_path / "nothing", capsys)


@pytest.fixture
def over(product: Product, nowhere: CommandLine, tmp_path: Path) -> Caller:
    """Runs a command by way of the service, with the key of `who`."""

    def run(who: str, *arguments: str) -> Ran:
        key = tmp_path / "key"
        key.write_text(product.keys[who] + "\n", "utf-8")
        return nowhere(*arguments, "--url", product.url, "--key-file", str(key))

    return run


def test_a_question_is_answered_by_the_service(
    product: Product, over: Caller, nowhere: CommandLine
) -> None:
    shown = over("ana", "ask", HEATING_QUESTION)
    answer = over("ana", "ask", HEATING_QUESTION, "--json").json

    with product.client("ana") as client:
        body = client.post("/v1/answers", json={"question": HEATING_QUESTION}).json()
    assert answer["answer"] == body["answer"]
    assert answer["citations"] == body["citations"]
    assert body["citations"][0]["title"] in shown.out
    assert not nowhere.data_dir.exists()


def test_the_key_says_who_asks(over: Caller) -> None:
    found = over("hugo", "search", SALARY_QUESTION, "--json").json["passages"]
    hidden = over("ana", "search", SALARY_QUESTION, "--json").json["passages"]

    assert "grade seven" in found[0]["text"]
    assert all("grade seven" not in passage["text"] for passage in hidden)


def test_filters_reach_the_service(over: Caller) -> None:
    french = over("ana", "search", "chauffage", "--language", "fr", "--json").json["passages"]
    facets = over("ana", "facets", "--language", "fr", "--json").json

    assert {passage["language"] for passage in french} == {"fr"}
    assert set(facets["language"]) == {"fr"}


def test_documents_are_listed_and_shown(product: Product, over: Caller) -> None:
    salaries = product.documents["salaries.md"]

    listed = over("hugo", "documents", "list", "--json").json["documents"]
    text = over("hugo", "documents", "show", salaries, "--text").out
    refused = over("ana", "documents", "show", salaries)

    assert salaries in {document["document_id"] for document in listed}
    assert "grade seven" in text
    assert refused.code == 5


def test_files_are_handed_in_waited_for_and_deleted(
    product: Product, over: Caller, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "lift.md").write_text("# Lift\n\nThe lift is serviced in March.\n", "utf-8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that could be read")

    with _worker(product):
        report = over("admin", "ingest", str(folder), "--readers", "everyone", "--json")
    by_status = {task["status"]: task for task in report.json["documents"]}
    jobs = over("admin", "jobs", "list", "--json").json["jobs"]
    job = over("admin", "jobs", "show", report.json["job_id"], "--json").json
    found = over("ana", "search", "lift serviced March", "--json").out
    deleted = over("admin", "documents", "delete", by_status["indexed"]["document_id"], "--yes")

    assert report.code == 6  # one failed
    assert report.json["counts"] == {"indexed": 1, "unchanged": 0, "partial": 0, "failed": 1}
    assert by_status["failed"]["reason"]
    assert report.json["job_id"] in {known["job_id"] for known in jobs}
    assert {task["name"] for task in job["tasks"]} == {"lift.md", "broken.pdf"}
    assert "serviced in March" in found
    assert deleted.code == 0
    assert "serviced in March" not in over("ana", "search", "lift serviced March", "--json").out


def test_what_stands_beside_files_that_are_handed_in_is_said_of_them(
    product: Product, over: Caller, tmp_path: Path
) -> None:
    told = {
        "stairs.md": {"title": "The stairs", "tags": ["house"], "language": "de"},
        "roof.md": {"fields": {"colour": "red"}},  # no field of the service's settings
        "cellar.md": {"readers": ["group:hr"]},  # never says who may read
    }
    for name, said in told.items():
        (tmp_path / name).write_text(f"# Repairs\n\nThe {name} is repaired in May.\n", "utf-8")
        (tmp_path / f"{name}.meta.json").write_text(json.dumps(said), "utf-8")
    files = [str(tmp_path / name) for name in told]

    with _worker(product):
        report = over("admin", "ingest", *files, "--readers", "user:adam", "--json")
    ids = {Path(task["uri"]).name: task["document_id"] for task in report.json["documents"]}
    shown = {
        name: over("admin", "documents", "show", id_, "--json").json["document"]
        for name, id_ in ids.items()
    }
    for id_ in ids.values():
        over("admin", "documents", "delete", id_, "--yes")

    wrong = {Path(one["file"]).name: one["problem"] for one in report.json["wrong_metadata"]}
    assert (report.code, report.json["counts"]["indexed"]) == (0, 3)
    assert (shown["stairs.md"]["title"], shown["stairs.md"]["language"]) == ("The stairs", "de")
    assert shown["stairs.md"]["metadata"]["tags"] == ["house"]
    assert all(one["readers"] == ["user:adam"] for one in shown.values())
    assert wrong.keys() == {"roof.md.meta.json", "cellar.md.meta.json"}
    assert "colour" in wrong["roof.md.meta.json"]
    assert ".access.yaml" in wrong["cellar.md.meta.json"]


def test_documents_are_read_again_by_the_service(product: Product, over: Caller) -> None:
    heating = product.documents["Temperature-de-chauffage.pdf"]
    again = ("documents", "reread")

    with _worker(product):
        report = over("admin", *again, heating, "--json")
    nothing = over("admin", *again, "--outdated", "--json")
    every = over("admin", *again, "--all", "--dry-run", "--json")
    refused = over("ana", *again, heating)
    missing = over("admin", *again, product.documents["salaries.md"])

    assert report.code == 0
    assert report.json["counts"]["unchanged"] == 1
    assert [task["document_id"] for task in report.json["documents"]] == [heating]
    assert nothing.json["documents"] == 0
    assert every.json["documents"] > 1
    assert (refused.code, missing.code) == (4, 5)  # no admin; an admin who may not know of it


def test_two_files_of_one_name_are_not_taken_for_each_other(over: Caller, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "plan.md").write_text(f"# Plan {folder}\n", "utf-8")

    ran = over("admin", "ingest", str(tmp_path / "in"))

    assert ran.code == 2
    assert "plan.md" in ran.err


def test_what_needs_the_data_folder_says_so(over: Caller) -> None:
    assert "data folder" in over("admin", "keys", "list").err
    assert "key says who asks" in over("ana", "ask", SALARY_QUESTION, "--as", "user:hugo").err
    assert over("ana", "ask", SALARY_QUESTION).code == 0


def test_a_wrong_key_and_a_missing_service_are_told(
    product: Product, nowhere: CommandLine, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("srag_wrong\n", "utf-8")
    with_key = ("--key-file", str(key))

    wrong = nowhere("ask", "x", "--url", product.url, *with_key)
    missing = nowhere("ask", "x", "--url", "http://127.0.0.1:9", *with_key)

    assert wrong.code == 4
    assert missing.code == 3
    assert "can't be reached" in missing.err


def test_the_settings_can_name_the_service(
    product: Product, nowhere: CommandLine, tmp_path: Path
) -> None:
    key, config = tmp_path / "key", tmp_path / "settings.toml"
    key.write_text(product.keys["hugo"], "utf-8")
    config.write_text(
        f"[client]\nurl = {json.dumps(product.url)}\nkey_file = {json.dumps(str(key))}\n", "utf-8"
    )

    ran = nowhere("search", SALARY_QUESTION, "--json", "--config", str(config))

    assert "grade seven" in ran.json["passages"][0]["text"]


@contextmanager
def _worker(product: Product) -> Iterator[None]:
    stop = threading.Event()
    worker = threading.Thread(target=product.application.ingestion.run_worker, args=(stop,))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
