"""A sync makes the index equal to its source, and deletes nothing by mistake."""

import os
from pathlib import Path

import pytest

from ingest.sync.plan import Change
from sovereign_rag.errors import BadInput, EnvironmentFault, NotFound, SyncRefused
from sovereign_rag.wiring import Application
from tests.ingest.sync.syncing import ANA, HUGO, LONG_AGO, OWNER, changes, finds, synced, write


def test_a_first_sync_takes_everything_in_and_a_second_one_nothing(
    application: Application, folder: Path
) -> None:
    first = synced(application, folder, readers="group:staff")
    second = synced(application, folder)

    assert set(changes(first).values()) == {Change.NEW}
    assert first.counts["new"] == 3
    assert set(changes(second).values()) == {Change.UNCHANGED}
    assert second.job is None
    assert finds(application, "lentil", ANA)


def test_what_changed_is_read_again_and_what_is_gone_is_found_no_more(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="everyone")
    write(folder / "rules.md", "# Rules\n\nThe door is closed at eight, after the bell.\n")
    (folder / "menu.txt").unlink()

    report = synced(application, folder)

    assert changes(report) == {
        "rules.md": Change.CHANGED,
        "menu.txt": Change.DELETED,
        "minutes.txt": Change.UNCHANGED,
    }
    assert finds(application, "bell", ANA)
    assert not finds(application, "lentil")
    assert {d.name for d in application.documents.list(OWNER)} == {"rules.md", "minutes.txt"}


def test_a_file_that_moved_keeps_its_vectors_and_takes_the_readers_of_its_new_place(
    application: Application, folder: Path
) -> None:
    write(folder / "board" / ".access.yaml", "readers: [group:hr]\n")
    synced(application, folder, readers="group:staff")
    before = {d.name: d for d in application.documents.list(OWNER)}
    (folder / "menu.txt").rename(folder / "board" / "dinner.txt")

    report = synced(application, folder)

    assert changes(report)["dinner.txt"] is Change.MOVED
    assert "menu.txt" not in changes(report)
    assert report.job is None  # nothing was handed to a worker: neither parsed nor embedded
    after = {d.name: d for d in application.documents.list(OWNER)}
    assert after["dinner.txt"].version == before["menu.txt"].version
    assert "menu.txt" not in after
    assert application.store.versions("default", before["menu.txt"].id) == {}
    assert finds(application, "lentil", HUGO)
    assert not finds(application, "lentil", ANA)


def test_a_file_touched_without_a_change_is_not_read_again(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="everyone")
    os.utime(folder / "menu.txt", (LONG_AGO, LONG_AGO))

    report = synced(application, folder)

    assert changes(report)["menu.txt"] is Change.UNCHANGED
    assert report.job is None


def test_a_change_behind_an_unchanged_time_and_size_is_seen_when_asked_to_verify(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="everyone")
    text = (folder / "menu.txt").read_text()
    write(folder / "menu.txt", text.replace("lentil", "tomato"))

    unseen = synced(application, folder)
    seen = synced(application, folder, verify=True)

    assert changes(unseen)["menu.txt"] is Change.UNCHANGED
    assert changes(seen)["menu.txt"] is Change.CHANGED
    assert finds(application, "tomato", ANA)


def test_a_dry_run_tells_and_changes_nothing(application: Application, folder: Path) -> None:
    synced(application, folder, readers="everyone")
    before = application.documents.list(OWNER)
    (folder / "menu.txt").rename(folder / "dinner.txt")
    (folder / "rules.md").unlink()
    write(folder / "new.txt", "Something new about the chimney sweep.\n")
    write(folder / "board" / ".access.yaml", "readers: [group:hr]\n")

    report = synced(application, folder, dry_run=True)

    assert changes(report) == {
        "dinner.txt": Change.MOVED,
        "rules.md": Change.DELETED,
        "new.txt": Change.NEW,
        "minutes.txt": Change.RIGHTS,
    }
    assert application.documents.list(OWNER) == before


def test_an_emptied_source_deletes_nothing(application: Application, folder: Path) -> None:
    synced(application, folder, readers="everyone")
    for path in (folder / "rules.md", folder / "menu.txt", folder / "board" / "minutes.txt"):
        path.unlink()

    with pytest.raises(SyncRefused, match="--max-delete"):
        synced(application, folder)
    assert application.documents.count(OWNER) == 3

    synced(application, folder, max_delete="100%")
    assert application.documents.count(OWNER) == 0


def test_a_source_that_is_not_there_deletes_nothing(application: Application, folder: Path) -> None:
    synced(application, folder, readers="everyone")
    folder.rename(folder.parent / "elsewhere")

    with pytest.raises(EnvironmentFault, match="mount"):
        application.sync.sync(application.sync.find(str(folder)), OWNER)

    assert application.documents.count(OWNER) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_can_not_be_looked_into_keeps_its_documents(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="everyone")
    (folder / "board").chmod(0)
    try:
        report = synced(application, folder)
    finally:
        (folder / "board").chmod(0o700)

    assert report.plan.unseen == ("board",)
    assert report.plan.kept == 1
    assert finds(application, "harbour")


def test_hidden_files_links_and_pipes_are_left_out_and_told(
    application: Application, folder: Path
) -> None:
    write(folder / ".hidden" / "secret.txt", "The hidden heron.\n")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "link.txt").symlink_to(folder / "menu.txt")
    os.mkfifo(folder / "pipe")

    report = synced(application, folder, readers="everyone")

    assert {(item.key, item.reason) for item in report.plan.left_out} == {
        (".hidden", "hidden"),
        ("loop", "link"),
        ("link.txt", "link"),
        ("pipe", "special"),
    }
    assert report.counts["new"] == 3


def test_a_document_deleted_by_hand_comes_back_with_the_next_sync(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="everyone")
    menu = next(d for d in application.documents.list(OWNER) if d.name == "menu.txt")
    application.documents.delete(menu.id, OWNER)

    report = synced(application, folder)

    assert changes(report)["menu.txt"] is Change.NEW
    assert finds(application, "lentil", ANA)


def test_what_was_ingested_before_is_the_sources_own(
    application: Application, folder: Path
) -> None:
    application.ingestion.ingest([folder], OWNER, readers=frozenset({"everyone"}))
    (folder / "rules.md").unlink()

    report = synced(application, folder, readers="group:staff")

    assert changes(report) == {
        "rules.md": Change.DELETED,
        "menu.txt": Change.RIGHTS,
        "minutes.txt": Change.RIGHTS,
    }
    assert report.job is None


def test_a_folder_inside_a_synced_one_is_refused(application: Application, folder: Path) -> None:
    synced(application, folder, readers="everyone")

    with pytest.raises(BadInput, match="same files"):
        synced(application, folder / "board")


@pytest.mark.parametrize("wanted", ["nowhere", "no-such-source"])
def test_what_is_neither_a_source_nor_a_folder_is_not_found(
    application: Application, wanted: str
) -> None:
    with pytest.raises(NotFound):
        application.sync.find(wanted)
