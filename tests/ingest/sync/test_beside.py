"""A file beside a document says what the document doesn't say itself, and never who may read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.sync.plan import Change
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.metadata import NOTHING_STATED, Stated
from sovereign_rag.services.editing import Edit
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.hashed import HashEmbedder
from tests.ingest.sync.syncing import ANA, HUGO, OWNER, changes, synced, write

SAID = {
    "title": "Kitchen plan",
    "author": "Ana Ruiz",
    "date": "2026-01-31",
    "address": "https://intranet.example/kitchen",
    "tags": ["food", "budget"],
    "fields": {"department": "canteen"},
}


@pytest.fixture(scope="module")
def application(product_settings: Callable[..., Settings]) -> Iterator[Application]:
    settings = product_settings(metadata={"fields": {"department": "keyword"}})
    with open_service(settings, embedder=HashEmbedder()) as application:
        yield application


def say(folder: Path, told: object, name: str = "menu.txt") -> None:
    text = told if isinstance(told, str) else json.dumps(told)
    write(folder / f"{name}.meta.json", text)


def record(application: Application, folder: Path, name: str = "menu.txt") -> DocumentRecord:
    found = application.catalog.documents.find("default", f"file://{folder / name}")
    assert found is not None
    return found


def test_a_document_has_what_the_file_beside_it_says_and_the_file_is_none(
    application: Application, folder: Path
) -> None:
    say(folder, SAID)

    report = synced(application, folder, readers="everyone")

    menu = record(application, folder)
    assert changes(report) == dict.fromkeys(["rules.md", "menu.txt", "minutes.txt"], Change.NEW)
    assert (menu.title, menu.stated.author) == ("Kitchen plan", "Ana Ruiz")
    assert menu.stated.tags == ("budget", "food")
    assert menu.stated.fields == {"department": "canteen"}
    assert record(application, folder, "rules.md").stated == NOTHING_STATED


def test_what_changes_in_it_is_followed_without_reading_the_document_again(
    application: Application, folder: Path
) -> None:
    say(folder, SAID)
    synced(application, folder, readers="everyone")
    before = record(application, folder)

    say(folder, {**SAID, "title": "Kitchen plan, second edition", "language": "nl"})
    report = synced(application, folder)
    after = record(application, folder)
    again = synced(application, folder)
    (folder / "menu.txt.meta.json").unlink()
    gone = synced(application, folder)

    assert changes(report)["menu.txt"] is Change.METADATA
    assert (report.job, after.version) == (None, before.version)
    assert after.title == "Kitchen plan, second edition"
    assert (before.language, after.language) == ("en", "nl")
    assert changes(again)["menu.txt"] is Change.UNCHANGED
    assert changes(gone)["menu.txt"] is Change.METADATA
    taken_back = record(application, folder)
    assert (taken_back.stated, taken_back.language) == (NOTHING_STATED, "en")
    told = [r.entry for r in application.audit.read() if r.entry.action == "sync.metadata"]
    assert [one["document"] for one in told[-1].detail["documents"]] == [before.id]


def test_an_edit_stands_until_the_file_changes(application: Application, folder: Path) -> None:
    say(folder, SAID)
    synced(application, folder, readers="everyone")
    edit = Edit(stated=lambda before: replace(before, title="By hand"))
    application.editor.edit(record(application, folder).id, edit, OWNER)

    synced(application, folder)
    kept = record(application, folder).title
    say(folder, {**SAID, "author": "Bo"})
    synced(application, folder)

    assert (kept, record(application, folder).title) == ("By hand", "Kitchen plan")


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ({"titel": "x"}, "titel"),
        ({"tags": "food"}, "tags"),
        ({"address": "javascript:alert(1)"}, "address"),
        ({"language": "french"}, "language"),
        ({"fields": {"team": "x"}}, "'team'"),
        ({"readers": ["group:hr"]}, ".access.yaml"),
        ({"title": "x" * 70_000}, "64 KiB"),
    ],
)
def test_a_wrong_one_is_told_with_its_field_and_its_document_is_there(
    application: Application, folder: Path, told: object, word: str
) -> None:
    say(folder, told)

    report = synced(application, folder, readers="group:staff")

    (wrong,) = report.plan.wrong
    assert (wrong.key, word in wrong.problem) == ("menu.txt.meta.json", True)
    menu = record(application, folder)
    assert menu.stated == NOTHING_STATED
    assert menu.readers == {"group:staff"}  # whoever it named
    assert menu.id in {document.id for document in application.documents.list(ANA)}
    assert menu.id not in {document.id for document in application.documents.list(HUGO)}


def test_one_that_becomes_wrong_takes_nothing_back_and_one_that_is_mended_counts(
    application: Application, folder: Path
) -> None:
    say(folder, SAID)
    synced(application, folder, readers="everyone")

    say(folder, "{")
    wrong = synced(application, folder)
    kept = record(application, folder).title
    say(folder, {"title": "Mended"})
    synced(application, folder)

    assert (len(wrong.plan.wrong), kept) == (1, "Kitchen plan")
    assert record(application, folder).stated == Stated(title="Mended")


def test_one_beside_nothing_and_a_link_say_nothing(application: Application, folder: Path) -> None:
    say(folder, SAID, name="nothing.pdf")
    (folder / "elsewhere.json").write_text(json.dumps(SAID), encoding="utf-8")
    (folder / "menu.txt.meta.json").symlink_to(folder / "elsewhere.json")

    report = synced(application, folder, readers="everyone")

    left_out = {(item.key, item.reason) for item in report.plan.left_out}
    assert ("nothing.pdf.meta.json", "beside nothing") in left_out
    assert ("menu.txt.meta.json", "link") in left_out
    assert record(application, folder).stated == NOTHING_STATED


def test_files_that_are_taken_in_once_have_it_too(application: Application, folder: Path) -> None:
    say(folder, SAID)
    say(folder, {"titel": "x"}, name="rules.md")

    report = application.ingestion.ingest([folder], OWNER, readers=frozenset({"everyone"}))
    named = application.ingestion.ingest([folder / "menu.txt"], OWNER)

    assert {task.name for task in report.tasks} == {"rules.md", "menu.txt", "minutes.txt"}
    assert [(Path(one.key).name, "titel" in one.problem) for one in report.wrong] == [
        ("rules.md.meta.json", True)
    ]
    assert len(named.tasks) == 1
    assert record(application, folder).title == "Kitchen plan"
