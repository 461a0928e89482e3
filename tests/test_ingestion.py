"""Documents are taken in once, replaced whole, removed without trace, and survive kill -9."""

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

from ingest.jobs import IngestReport
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import NewTask, TaskState, document_id
from sovereign_rag.domain import Chunk, PageSpan
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, DocumentError, EnvironmentFault, NotFound
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.store.protocol import IndexedChunk
from sovereign_rag.wiring import Application, open_service

OWNER = local_owner()
EVERYONE = frozenset({"everyone"})
ANA = Principal("ana")


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    with open_service(product_settings(), embedder=embedder) as application:
        yield application


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "rules.md").write_text("# Rules\n\nThe door is closed at nine in the evening.\n")
    (folder / "menu.txt").write_text("Menu\n\nOn Mondays there is lentil soup for everybody.\n")
    return folder


def states(report: IngestReport) -> dict[str, TaskState]:
    return {task.name: task.state for task in report.tasks}


def texts(application: Application, query: str, principal: Principal = OWNER) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]


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
        wait_until(lambda: TaskState.EMBEDDING in catalog.job(job_id, "default").counts)
        begin = time.monotonic()
        application.jobs.cancel(job_id, OWNER)
        wait_until(lambda: catalog.job(job_id, "default").finished is not None)
        seconds = time.monotonic() - begin

    (task,) = catalog.tasks(job_id, "default")
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
        wait_until(lambda: TaskState.EMBEDDING in catalog.job(job_id, "default").counts)
        application.documents.delete(document.id, OWNER)

    assert catalog.job(job_id, "default").counts == {TaskState.CANCELLED: 1}
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
    job = catalog.create_job("default", "owner", [task])
    held = catalog.lease_task("another:1:x", lease_s=60)
    assert held is not None
    catalog.advance(held.id, "another:1:x", TaskState.EMBEDDING)
    write_half_a_version(application, known.id)
    catalog.cancel_job(job.id, "default")
    catalog.free_leases("another:1:x")
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
        return {job.id for job in application.catalog.jobs("default", 100)}

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
