"""PostgreSQL is stopped and started again: nothing is lost, nothing is there twice.

The server is the test's own; without its programs these tests are skipped.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import NewTask
from sovereign_rag.catalog.signals import of_job
from sovereign_rag.errors import CatalogError, EnvironmentFault
from sovereign_rag.settings import CatalogSettings, Settings
from sovereign_rag.wiring import Application, open_service
from tests.catalog.jobs import submit
from tests.catalog.own_server import OwnServer, is_at_hand, own_server, pooler
from tests.hashed import HashEmbedder
from tests.ingest.sync.syncing import synced

OWNER = local_owner()
FEW = 6
FAR_TOO_LONG_S = 120.0
EVERYONE = frozenset({"everyone"})

pytestmark = pytest.mark.skipif(
    not is_at_hand("initdb", "pg_ctl"), reason="the programs of PostgreSQL are not at hand"
)


@pytest.fixture(scope="module")
def running() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.fixture(scope="module")
def application(
    running: OwnServer, product_settings: Callable[..., Settings]
) -> Iterator[Application]:
    catalog = CatalogSettings(url=SecretStr(running.url))
    with open_service(product_settings(catalog=catalog), embedder=HashEmbedder()) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path, request: pytest.FixtureRequest) -> list[Path]:
    """Each test's own."""
    folder = tmp_path / "files"
    folder.mkdir()
    made = [folder / f"note-{n}.txt" for n in range(FEW)]
    for n, path in enumerate(made):
        path.write_text(f"Note {n} of {request.node.name}\n\nIts code word is kestrel-{n}.\n")
    return made


def test_what_comes_in_while_the_database_is_stopped_and_started_is_there_once(
    application: Application, running: OwnServer, files: list[Path]
) -> None:
    wait_until(lambda: application.catalog.signals.is_told)
    tasks = [NewTask(p.as_uri(), p.name, EVERYONE, 0, path=str(p)) for p in files]
    job = application.ingestion.submit(tasks, OWNER, origin=["test"])
    stop = threading.Event()
    worker = threading.Thread(target=application.ingestion.run_worker, args=(stop,))
    worker.start()
    try:
        wait_until(lambda: application.catalog.jobs.get(job.id, OWNER.tenant).done > 0)
        running.stop()
        with pytest.raises(CatalogError, match=r"try again|Check that"):
            application.searching.search("kestrel", OWNER)
        running.start()
        wait_until(lambda: application.catalog.jobs.get(job.id, OWNER.tenant).finished is not None)
        found = application.searching.search("Which code word is kestrel?", OWNER)
    finally:
        stop.set()
        worker.join()

    assert is_whole(application, files)
    assert found
    wait_until(lambda: application.catalog.signals.is_told)  # once more
    assert application.audit.verify().ok


def test_a_sync_that_the_database_left_in_the_middle_is_whole_after_the_next(
    application: Application, running: OwnServer, files: list[Path]
) -> None:
    left: list[BaseException] = []
    folder = files[0].parent

    def sync() -> None:
        try:
            synced(application, folder, readers="everyone")
        except EnvironmentFault as fault:
            left.append(fault)

    syncing = threading.Thread(target=sync)
    syncing.start()
    wait_until(lambda: any(p.as_uri() in uris(application) for p in files))
    running.stop()
    running.start()
    syncing.join()
    holders = application.catalog.sources.sync_holders()
    application.catalog.sources.free_syncs(holders)  # as is known of processes that died with it
    synced(application, folder, readers="everyone")

    assert is_whole(application, files)


@pytest.mark.skipif(not is_at_hand("pgbouncer"), reason="pgbouncer is not at hand")
def test_behind_a_pooler_that_shares_connections_between_transactions_all_works(
    application: Application,
    running: OwnServer,
    product_settings: Callable[..., Settings],
) -> None:
    with pooler(running) as url:
        settings = product_settings(catalog=CatalogSettings(url=SecretStr(url)))
        with Catalog.open(settings) as one, Catalog.open(settings) as other:
            jobs = [submit(catalog, f"file:///{n}") for n, catalog in enumerate((one, other) * 3)]
            before = one.signals.mark()
            for job in jobs:
                other.jobs.cancel(job.id, "default")

            assert all(one.jobs.get(job.id, "default").finished for job in jobs)
            assert one.signals.changed(before, of_job(jobs[0].id))  # nobody tells: it is looked


def is_whole(application: Application, files: list[Path]) -> bool:
    """Whether each file is a document once, and in the store as the catalog has it."""
    names = [p.as_uri() for p in files]
    mine = [d for d in application.documents.list(OWNER, limit=1_000) if d.uri in names]
    stored = [application.store.versions(d.tenant, d.id) for d in mine]
    return sorted(d.uri for d in mine) == sorted(names) and stored == [
        {d.version: d.chunks} for d in mine
    ]


def uris(application: Application) -> set[str]:
    return {d.uri for d in application.documents.list(OWNER, limit=1_000)}


def wait_until(condition: Callable[[], bool]) -> None:
    """An answer that the database doesn't give is none."""
    give_up = time.monotonic() + FAR_TOO_LONG_S
    while True:
        try:
            if condition():
                return
        except CatalogError:
            pass
        assert time.monotonic() < give_up
        time.sleep(0.02)
