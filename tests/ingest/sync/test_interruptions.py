"""Syncs that are interrupted, cancelled, killed, met by another or scheduled."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.index.lifecycle import DocumentLifecycle
from ingest.pipeline import Pipeline
from ingest.sync.plan import Change
from ingest.sync.sync import Sync, SyncRequest
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import Busy, EnvironmentFault
from sovereign_rag.settings import Settings
from sovereign_rag.system.holder import holder_name
from sovereign_rag.wiring import Application, open_service
from tests.ingest.sync.syncing import ANA, OWNER, changes, finds, synced, write


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
    application.catalog.jobs.cancel(report.job.id, "default")

    again = synced(application, folder)

    assert set(changes(again).values()) == {Change.NEW}
    assert finds(application, "lentil", ANA)


def test_two_syncs_of_one_source_do_not_run_at_the_same_time(
    application: Application, folder: Path
) -> None:
    catalog = application.catalog
    held = catalog.sources.begin_sync(
        "default", str(folder), "folder", holder="elsewhere:1:x", lease_s=60
    )

    with pytest.raises(Busy, match="being synced"):
        synced(application, folder)

    catalog.sources.end_sync(held.id, "elsewhere:1:x")
    assert synced(application, folder).counts["new"] == 3


def test_the_lease_of_a_sync_that_was_killed_ends_with_its_process(
    application: Application, folder: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    machine, _, tail = holder_name().rsplit(":", 2)
    dead = f"{machine}:{process.pid}:{tail}"
    application.catalog.sources.begin_sync(
        "default", str(folder), "folder", holder=dead, lease_s=600
    )

    assert synced(application, folder, work=False).counts["new"] == 3


@pytest.mark.parametrize(("later_s", "is_deleted"), [(59.0, True), (61.0, False)])
def test_a_sync_that_stood_still_changes_nothing(
    application: Application, folder: Path, later_s: float, is_deleted: bool
) -> None:
    synced(application, folder, readers="everyone")
    (folder / "menu.txt").unlink()
    seconds = [0.0]

    def pipeline() -> Pipeline:  # asked for while the plan is made
        seconds.append(later_s)
        return application.pipeline

    sync = Sync(
        catalog=application.catalog,
        content=application.content,
        audit=application.audit,
        operations=application.operations,
        lifecycle=DocumentLifecycle(
            live=lambda: (application.catalog.documents, application.store),
            erasure=application.erasure,
        ),
        erasure=application.erasure,
        pipeline=pipeline,
        ingestion=application.ingestion,
        settings=application.settings,
        remote=application.remote_sources,
        clock=lambda: seconds[-1],
    )
    request = SyncRequest(max_delete="100%")

    if is_deleted:
        sync.sync(sync.find(str(folder)), OWNER, request)
    else:
        with pytest.raises(EnvironmentFault, match=r"lease on the source .* has ended"):
            sync.sync(sync.find(str(folder)), OWNER, request)

    assert finds(application, "lentil") is not is_deleted


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
            while not (jobs := application.catalog.jobs.recent("default", limit=5)):
                assert time.monotonic() < deadline, "nothing was looked through"
                time.sleep(0.05)  # what another thread wrote can only be looked up
        finally:
            stop.set()
            following.join()

        assert [job.total for job in jobs] == [3]
        record = application.catalog.sources.find("default", "asked")
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
