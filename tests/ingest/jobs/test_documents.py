"""Documents are taken in once, replaced whole and removed without trace."""

from pathlib import Path

import pytest

from ingest.jobs.ingestion import IngestReport
from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.wiring import Application
from tests.ingest.jobs.reports import OWNER, texts

EVERYONE = frozenset({"everyone"})


ANA = Principal("ana")


def states(report: IngestReport) -> dict[str, TaskState]:
    return {task.name: task.state for task in report.tasks}


def test_the_same_folder_twice_is_unchanged(application: Application, folder: Path) -> None:
    first = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    before = texts(application, "door soup")

    second = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    assert set(states(first).values()) == {TaskState.INDEXED}
    assert set(states(second).values()) == {TaskState.UNCHANGED}
    assert texts(application, "door soup") == before


def test_a_changed_file_replaces_its_old_text(application: Application, folder: Path) -> None:
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    (folder / "rules.md").write_text("# Rules\n\nThe door is closed at eight in the evening.\n")

    report = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    assert states(report) == {"rules.md": TaskState.INDEXED, "menu.txt": TaskState.UNCHANGED}
    found = texts(application, "When is the door closed?")
    assert any("at eight" in text for text in found)
    assert not any("at nine" in text for text in found)
    assert b"at nine" not in everything_below(application.settings.data_dir / "content")


def everything_below(folder: Path) -> bytes:
    """All stored bytes, compressed texts unpacked."""
    import zstandard

    found = b""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        found += zstandard.ZstdDecompressor().decompress(data) if path.suffix == ".zst" else data
    return found


def test_a_deleted_document_is_gone_from_searches_and_from_the_data_folder(
    application: Application, folder: Path
) -> None:
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    rules = next(d for d in application.documents.list(OWNER) if d.name == "rules.md")

    application.documents.delete(rules.id, OWNER)

    assert not any("door" in text for text in texts(application, "When is the door closed?"))
    assert any("soup" in text for text in texts(application, "lentil soup"))
    with pytest.raises(NotFound):
        application.documents.get(rules.id, OWNER)
    assert application.store.versions("default", rules.id) == {}
    assert b"door is closed" not in everything_below(application.settings.data_dir / "content")


def test_what_the_store_has_lost_is_indexed_again(application: Application, folder: Path) -> None:
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    for document in application.documents.list(OWNER):
        application.store.prune("default", document.id, keep=None)
    assert texts(application, "lentil soup") == []

    report = application.ingestion.ingest([folder], OWNER)

    assert set(states(report).values()) == {TaskState.INDEXED}
    assert any("soup" in text for text in texts(application, "lentil soup", ANA))


def test_content_that_two_documents_share_stays_until_both_are_gone(
    application: Application, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("The very same words about the old lighthouse keeper.")
    application.ingestion.ingest([tmp_path], OWNER)
    first, second = application.documents.list(OWNER)

    application.documents.delete(first.id, OWNER)

    assert "lighthouse" in application.documents.page(second.id, 1, OWNER).text
    application.documents.delete(second.id, OWNER)
    assert application.content.hashes() == []


def test_without_readers_a_document_is_read_by_the_owner_alone(
    application: Application, folder: Path
) -> None:
    application.ingestion.ingest([folder], OWNER)

    assert texts(application, "lentil soup", OWNER) != []
    assert texts(application, "lentil soup", ANA) == []


def test_a_change_of_readers_reaches_the_search_without_parsing_again(
    application: Application, folder: Path
) -> None:
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    before = application.documents.list(OWNER)
    assert texts(application, "lentil soup", ANA) != []

    application.ingestion.ingest([folder], OWNER, readers=frozenset({"group:hr"}))

    assert texts(application, "lentil soup", ANA) == []
    assert texts(application, "lentil soup", Principal("bo", frozenset({"hr"}))) != []
    after = application.documents.list(OWNER)
    assert [d.version for d in after] == [d.version for d in before]


def test_readers_that_are_not_named_again_stay_as_they_were(
    application: Application, folder: Path
) -> None:
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    (folder / "menu.txt").write_text("Menu\n\nOn Mondays there is tomato soup for everybody.\n")

    application.ingestion.ingest([folder], OWNER)

    assert any("tomato" in text for text in texts(application, "soup", ANA))


def test_a_broken_file_fails_with_a_reason_and_the_others_are_taken_in(
    application: Application, folder: Path
) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnot really")
    (folder / "empty.txt").write_bytes(b"")

    report = application.ingestion.ingest([folder], OWNER)

    assert states(report) == {
        "broken.pdf": TaskState.FAILED,
        "empty.txt": TaskState.FAILED,
        "menu.txt": TaskState.INDEXED,
        "rules.md": TaskState.INDEXED,
    }
    assert all(task.reason for task in report.tasks if task.state is TaskState.FAILED)


def test_a_path_that_is_not_there_is_refused_before_anything_starts(
    application: Application, folder: Path
) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.txt"):
        application.ingestion.ingest([folder, folder / "nowhere.txt"], OWNER)

    assert application.documents.count(OWNER) == 0
