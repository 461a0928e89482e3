"""Documents come in while the store is away: read and embedded, and searchable once it is back."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import local_owner, read_scope
from sovereign_rag.catalog.records import JobState, NewTask
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import StoreError
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.wiring import Application, open_service
from tests.faults import FaultProxy, engine_on_tcp

FAR_TOO_LONG_S = 120.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FaultProxy]:
    with engine_on_tcp(tmp_path / "engine") as port:
        node = FaultProxy(port)
        yield node
        node.close()


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, node: FaultProxy
) -> Iterator[Application]:
    patient = StoreSettings(url=node.url, timeout_s=FAR_TOO_LONG_S, read_timeout_s=FAR_TOO_LONG_S)
    with open_service(product_settings(store=patient), embedder=embedder) as application:
        application.indexes.prepare()
        yield application


def test_what_came_in_while_the_store_was_away_is_found_when_it_is_back(
    application: Application, node: FaultProxy, folder: Path
) -> None:
    catalog, owner, stop = application.catalog, local_owner(), threading.Event()
    node.fault = "refuses"
    job = application.ingestion.submit(map(task, folder.iterdir()), owner, origin=["test"])
    worker = threading.Thread(target=application.ingestion.run_worker, args=(stop,))
    worker.start()
    try:
        wait_until(lambda: catalog.outages.awaiting() == 2)
        during = catalog.jobs.get(job.id, owner.tenant)
        with pytest.raises(StoreError) as refused:
            application.store.count(read_scope(owner))
        kept = list(application.content.root.glob("??/*/*.vectors"))
        node.fault = "none"
        wait_until(lambda: catalog.jobs.get(job.id, owner.tenant).finished is not None)
    finally:
        stop.set()
        worker.join()

    assert (during.state, during.done) == (JobState.PAUSED, 0)
    assert node.url in (during.pause_reason or "")
    assert during.paused_since is not None
    assert refused.value.retry_after_s is not None
    assert len(kept) == 2  # both were read and embedded meanwhile
    documents = application.documents.list(owner)
    stored = [application.store.versions("default", d.id) for d in documents]
    assert stored == [{d.version: d.chunks} for d in documents]
    assert catalog.outages.current() is None


def test_a_document_waits_while_the_store_answers_but_takes_no_write(
    application: Application, node: FaultProxy, folder: Path
) -> None:
    catalog, owner, stop = application.catalog, local_owner(), threading.Event()
    node.only, node.fault = "wait=true", "fails"
    one = next(iter(folder.iterdir()))
    job = application.ingestion.submit([task(one)], owner, origin=["test"])
    worker = threading.Thread(target=application.ingestion.run_worker, args=(stop,))
    worker.start()

    def asked(method: str, of: str) -> int:
        return sum(m == method and of in path for m, path in node.asked)

    try:
        wait_until(lambda: asked("POST", "/points/delete") >= 3)
        offered = asked("PUT", "/points")
        node.fault = "none"
        wait_until(lambda: catalog.jobs.get(job.id, owner.tenant).finished is not None)
    finally:
        stop.set()
        worker.join()

    assert offered == 1  # not again and again: each refusal would make it wait twice as long
    assert application.store.count(read_scope(owner)) > 0


def task(path: Path) -> NewTask:
    return NewTask(path.as_uri(), path.name, frozenset({"everyone"}), 0, path=str(path))


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + FAR_TOO_LONG_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)
