"""Kills, faults of the machine, cancelling and deleting in the middle lose and leave nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sovereign_rag.catalog.records import NewTask, TaskState, document_id
from sovereign_rag.domain import Chunk, PageSpan
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import DocumentError, EnvironmentFault
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.store.protocol import IndexedChunk
from sovereign_rag.wiring import Application, open_service
from tests.ingest.jobs.reports import OWNER, texts


def test_kill_9_in_the_middle_loses_nothing_and_doubles_nothing(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        (folder / f"note-{number:02}.txt").write_text(
            f"Note {number}\n\nThe code word of office number {number} is kestrel-{number}.\n" * 8
        )
    data = product_settings().data_dir
    command = [
        sys.executable,
        "-m",
        "sovereign_rag",
        "ingest",
        str(folder),
        "--data-dir",
        str(data),
    ]

    killed = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    settings = load_settings(overrides={"data_dir": data})
    wait_for(lambda: published(settings) >= 3, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    with open_service(settings, embedder=embedder) as application:
        report = application.ingestion.ingest([folder], OWNER)

        documents = application.documents.list(OWNER)
        stored = [application.store.versions("default", d.id) for d in documents]
        assert not any(task.state is TaskState.FAILED for task in report.tasks)
        assert len(documents) == 24
        assert stored == [{d.version: d.chunks} for d in documents]
        assert "kestrel-17" in texts(application, "What is the code word of office number 17?")[0]


def published(settings: Settings) -> int:
    import sqlite3

    path = settings.data_dir / "catalog.sqlite3"
    if not path.exists():
        return 0
    connection = sqlite3.connect(path, timeout=10)
    try:
        return int(connection.execute("select count(*) from documents").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "nothing was ingested in time"
        time.sleep(0.02)


def test_while_the_machine_is_at_fault_the_job_waits_and_the_same_call_ends_it_later(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, folder: Path
) -> None:
    strict = product_settings()
    blocked = strict.data_dir / "vectors"
    blocked.write_text("a file where the store wants its folder")
    with (
        open_service(strict, embedder=embedder) as application,
        pytest.raises(EnvironmentFault),
    ):
        application.ingestion.ingest([folder], OWNER)
    blocked.unlink()

    with open_service(strict, embedder=embedder) as application:
        report = application.ingestion.ingest([folder], OWNER)

        assert {task.state for task in report.tasks} <= {TaskState.INDEXED, TaskState.UNCHANGED}
        assert application.documents.count(OWNER) == 2


def test_cancelling_stops_a_document_in_work_within_seconds_and_leaves_nothing_of_it(
    application: Application, tmp_path: Path
) -> None:
    long = tmp_path / "long.txt"
    long.write_text(paragraphs(4_000))
    catalog = application.catalog

    with in_the_background(application, [long]) as job_id:
        wait_until(lambda: TaskState.EMBEDDING in catalog.jobs.get(job_id, "default").counts)
        begin = time.monotonic()
        application.jobs.cancel(job_id, OWNER)
        wait_until(lambda: catalog.jobs.get(job_id, "default").finished is not None)
        seconds = time.monotonic() - begin

    (task,) = catalog.jobs.tasks(job_id, "default")
    assert task.state is TaskState.CANCELLED
    assert seconds < 60  # one batch of embedding on a machine that does much else
    assert application.documents.count(OWNER) == 0
    assert application.store.versions("default", document_id("default", task.uri)) == {}


def test_a_document_deleted_while_its_new_version_is_taken_in_does_not_come_back(
    application: Application, tmp_path: Path
) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("The door is closed at nine in the evening.")
    application.ingestion.ingest([path], OWNER)
    (document,) = application.documents.list(OWNER)
    path.write_text(paragraphs(4_000))
    catalog = application.catalog

    with in_the_background(application, [path]) as job_id:
        wait_until(lambda: TaskState.EMBEDDING in catalog.jobs.get(job_id, "default").counts)
        application.documents.delete(document.id, OWNER)

    assert catalog.jobs.get(job_id, "default").counts == {TaskState.CANCELLED: 1}
    assert application.documents.count(OWNER) == 0
    assert application.store.versions("default", document.id) == {}
    assert application.content.hashes() == []


def test_a_parser_that_is_told_to_stop_is_killed(application: Application, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("A short note about the lighthouse.")
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(DocumentError) as refusal:
        application.parser.parse(path, name="note.txt", cancel=cancel)
    cancel.clear()
    parsed = application.parser.parse(path, name="note.txt", cancel=cancel)

    assert refusal.value.reason == "cancelled"
    assert "lighthouse" in parsed.pages[0].text


def test_what_a_killed_attempt_left_in_the_store_is_removed(
    application: Application, folder: Path
) -> None:
    """A document that never was published, as one that kills each worker that indexes it."""
    application.ingestion.ingest([folder], OWNER)
    known = application.documents.list(OWNER)[0]
    catalog, store = application.catalog, application.store
    task = NewTask(known.uri, known.name, frozenset(), 0, path=known.uri.removeprefix("file://"))
    job = catalog.jobs.create("default", "owner", [task])
    held = catalog.leases.acquire("another:1:x", lease_s=60)
    assert held is not None
    catalog.leases.advance(held.id, "another:1:x", TaskState.EMBEDDING)
    write_half_a_version(application, known.id)
    catalog.jobs.cancel(job.id, "default")
    catalog.leases.free("another:1:x")
    before = store.versions("default", known.id)

    application.ingestion.ingest([folder], OWNER)

    assert set(before) == {known.version, "half"}
    assert store.versions("default", known.id) == {known.version: known.chunks}


def write_half_a_version(application: Application, id_: str) -> None:
    chunk = Chunk(
        document_id=id_,
        version="half",
        index=0,
        text="Half a document.",
        spans=(PageSpan(1, 0, 16),),
        language="en",
    )
    application.store.put(
        [
            IndexedChunk(
                chunk=chunk,
                tenant="default",
                readers=frozenset({"owner"}),
                level=0,
                dense=application.embedder.embed_passages([chunk.text])[0],
                lexical=application.lexical.encode_passages([chunk.text], ["en"])[0],
            )
        ]
    )


def paragraphs(number: int) -> str:
    return "\n\n".join(
        f"Paragraph {n} of the long report says that the measured value of station {n} was {n * 7}."
        for n in range(number)
    )


@contextmanager
def in_the_background(application: Application, paths: list[Path]) -> Iterator[str]:
    """Take files in from a thread; gives the job's id, and waits for the end."""

    def jobs() -> set[str]:
        return {job.id for job in application.catalog.jobs.recent("default", 100)}

    known = jobs()
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(application.ingestion.ingest, paths, OWNER)
        wait_until(lambda: jobs() - known != set())
        (job_id,) = jobs() - known
        yield job_id
        working.result(180)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
