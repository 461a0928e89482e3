"""A sync makes the index equal to its source, and who may read follows the source at once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.sync import SyncReport, SyncRequest
from ingest.sync_plan import Change
from ingest.worker import holder_name
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, Busy, EnvironmentFault, NotFound, SyncRefused
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service

OWNER = local_owner()
ANA = Principal("ana", frozenset({"staff"}))
HUGO = Principal("hugo", frozenset({"hr"}))
LONG_AGO = 1_700_000_000  # a file's time that no clock is near


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    with open_service(product_settings(), embedder=embedder) as application:
        yield application


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    write(folder / "rules.md", "# Rules\n\nThe door is closed at nine in the evening.\n")
    write(folder / "menu.txt", "Menu\n\nOn Mondays there is lentil soup for everybody.\n")
    write(folder / "board" / "minutes.txt", "Minutes\n\nThe board met the harbour master twice.\n")
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (LONG_AGO + len(text), LONG_AGO + len(text)))


def synced(
    application: Application, folder: Path, *, readers: str | None = None, **request: object
) -> SyncReport:
    asked = SyncRequest(readers=readers, **request)  # type: ignore[arg-type]  # a table of defaults
    return application.sync.sync(application.sync.find(str(folder)), OWNER, asked)


def changes(report: SyncReport) -> dict[str, Change]:
    return {step.name: step.change for step in report.plan.steps}


def texts(application: Application, query: str, principal: Principal = OWNER) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]


def finds(application: Application, word: str, principal: Principal = OWNER) -> bool:
    return any(word in text for text in texts(application, word, principal))


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


def test_where_nobody_says_who_may_read_nobody_does_and_the_report_counts_it(
    application: Application, folder: Path
) -> None:
    write(folder / "board" / ".access.yaml", "readers: group:hr\n")

    report = synced(application, folder)

    assert report.counts["nobody"] == 2
    assert not finds(application, "lentil", ANA)
    assert finds(application, "harbour", HUGO)
    assert finds(application, "lentil", OWNER)


def test_a_nearer_sidecar_overrides_a_farther_one_and_patterns_speak_of_files(
    application: Application, folder: Path
) -> None:
    write(
        folder / ".access.yaml",
        'readers: [group:staff]\nfiles:\n  "rules*": [user:ana]\n  "board/**": group:hr\n',
    )
    synced(application, folder)
    by_pattern = {d.name: d.readers for d in application.documents.list(OWNER)}
    write(folder / "board" / ".access.yaml", "readers: everyone\nlevel: 3\n")

    report = synced(application, folder)

    assert by_pattern == {
        "rules.md": {"user:ana"},
        "menu.txt": {"group:staff"},
        "minutes.txt": {"group:hr"},
    }
    assert changes(report)["minutes.txt"] is Change.RIGHTS
    minutes = next(d for d in application.documents.list(OWNER) if d.name == "minutes.txt")
    assert (minutes.readers, minutes.level) == (frozenset({"everyone"}), 3)


def test_an_invalid_sidecar_hides_what_it_speaks_of_until_it_is_mended(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff")
    assert finds(application, "harbour", ANA)
    write(folder / "board" / ".access.yaml", "readers: [group:staff]\nraeders: [group:hr]\n")

    report = synced(application, folder)

    (wrong,) = report.plan.invalid
    assert wrong.key == "board/.access.yaml"
    assert "line 2" in wrong.problem
    assert not finds(application, "harbour", ANA)
    assert finds(application, "lentil", ANA)

    write(folder / "board" / ".access.yaml", "readers: [group:staff]\n")
    synced(application, folder)
    assert finds(application, "harbour", ANA)


def test_a_folders_readers_are_remembered_for_its_next_sync(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff")
    write(folder / "late.txt", "A late note about the glacier.\n")

    synced(application, folder)

    assert finds(application, "glacier", ANA)


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


def test_an_interrupted_sync_goes_on_where_it_was(application: Application, folder: Path) -> None:
    stop = threading.Event()
    stop.set()  # before the first document
    source = application.sync.find(str(folder))
    request = SyncRequest(readers="everyone")

    cut_off = application.sync.sync(source, OWNER, request, stop=stop)
    waiting = synced(application, folder, work=False)
    application.ingestion.take_in([], OWNER, origin=["test"])  # whoever works does them all
    after = synced(application, folder)

    assert cut_off.counts["new"] == 3
    assert set(changes(waiting).values()) == {Change.WAITING}
    assert set(changes(after).values()) == {Change.UNCHANGED}
    assert application.documents.count(OWNER) == 3


def test_what_a_cancelled_job_did_not_take_in_is_new_again(
    application: Application, folder: Path
) -> None:
    report = synced(application, folder, readers="everyone", work=False)
    assert report.job is not None
    application.catalog.cancel_job(report.job.id, "default")

    again = synced(application, folder)

    assert set(changes(again).values()) == {Change.NEW}
    assert finds(application, "lentil", ANA)


def test_rights_that_change_while_a_document_waits_are_those_it_comes_in_with(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff", work=False)
    write(folder / ".access.yaml", "readers: [group:hr]\n")

    synced(application, folder, work=False)
    application.ingestion.take_in([], OWNER, origin=["test"])
    synced(application, folder)

    assert not finds(application, "lentil", ANA)
    assert finds(application, "lentil", HUGO)


def test_two_syncs_of_one_source_do_not_run_at_the_same_time(
    application: Application, folder: Path
) -> None:
    catalog = application.catalog
    held = catalog.begin_sync("default", str(folder), "folder", holder="elsewhere:1:x", lease_s=60)

    with pytest.raises(Busy, match="being synced"):
        synced(application, folder)

    catalog.end_sync(held.id, "elsewhere:1:x")
    assert synced(application, folder).counts["new"] == 3


def test_the_hold_of_a_sync_that_was_killed_ends_with_its_process(
    application: Application, folder: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    machine, _, tail = holder_name().rsplit(":", 2)
    dead = f"{machine}:{process.pid}:{tail}"
    application.catalog.begin_sync("default", str(folder), "folder", holder=dead, lease_s=600)

    assert synced(application, folder, work=False).counts["new"] == 3


def test_a_source_with_a_schedule_is_synced_by_itself(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, folder: Path
) -> None:
    section = {"kind": "folder", "path": str(folder), "schedule": "1h", "readers": "everyone"}
    settings = product_settings(sources={"shared": section, "asked": {**section, "path": "/x"}})
    stop = threading.Event()
    with open_service(settings, embedder=embedder) as application:
        following = threading.Thread(target=application.watcher.run_schedules, args=(stop,))
        following.start()
        try:
            deadline = time.monotonic() + 60
            while not (jobs := application.catalog.jobs("default", limit=5)):
                assert time.monotonic() < deadline, "nothing was looked through"
                time.sleep(0.05)  # what another thread wrote can only be looked up
        finally:
            stop.set()
            following.join()

        assert [job.total for job in jobs] == [3]
        record = application.catalog.known_source("default", "asked")
        assert record is None or "/x" in (record.error or "")


def test_a_failed_file_is_not_tried_again_until_it_changes(
    application: Application, folder: Path
) -> None:
    write(folder / "broken.pdf", "%PDF-1.7\nnot really")
    first = synced(application, folder, readers="everyone")
    second = synced(application, folder)
    write(folder / "broken.pdf", "Not a PDF any more, but a word on the brewery.\n")
    third = synced(application, folder)

    assert first.ingested is not None
    assert {t.state for t in first.ingested.tasks if t.name == "broken.pdf"} == {TaskState.FAILED}
    assert changes(second)["broken.pdf"] is Change.UNCHANGED
    assert changes(third)["broken.pdf"] is Change.CHANGED
    assert finds(application, "brewery", ANA)


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
