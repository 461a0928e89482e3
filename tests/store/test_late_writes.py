"""A node that stood still does what it was asked when nobody waits for it any more.

What it changes or removes late is named by what was there, so nothing that came since is touched.
What it writes late can't be told from what is written now: the document is looked at again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, read_scope, stored_readers
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.late_writes import LOOKS_S
from sovereign_rag.catalog.records import TaskState, document_id
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.errors import StoreError
from sovereign_rag.indexes.languages import respeak
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.settings import Settings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import IndexedChunk, Spoken
from sovereign_rag.store.qdrant import QdrantStore
from tests.catalog.conftest import SetClock, new_task, stored
from tests.faults import FaultProxy
from tests.store.chunks import IT, chunk
from tests.store.nodes import FAR_TOO_LONG_S, SOON_S, Clock, over

URI = "file:///plan.txt"
PLAN = document_id("default", URI)
EVE = read_scope(Principal("eve"))
ANA = read_scope(Principal("ana"))


class TheIndex:
    """The one index that there is, as the product's `EveryIndexStore` has them all."""

    def __init__(self, store: QdrantStore, catalog: Catalog) -> None:
        self._store, self._catalog = store, catalog
        self.prune, self.flush = store.prune, store.flush
        self.set_access, self.set_facts = store.set_access, store.set_facts

    def set_language(self, tenant: str, document_id: str, spoken: Spoken) -> None:
        version = self._catalog.documents.live_version(tenant, document_id) or ""
        respeak(self._store, Bm25Encoder(), tenant, document_id, version, spoken)

    def tidy(self, tenant: str, document_id: str) -> None:
        live = self._catalog.documents.live_version(tenant, document_id)
        self._store.prune(tenant, document_id, keep=live)


@pytest.fixture
def moment() -> SetClock:
    return SetClock()


@pytest.fixture
def catalog(tmp_path: Path, moment: SetClock) -> Iterator[Catalog]:
    with Catalog.open(Settings(data_dir=tmp_path), clock=moment) as catalog:
        yield catalog


@pytest.fixture
def other(nodes: list[FaultProxy], clock: Clock) -> Iterator[QdrantStore]:
    """Another machine, which asks the second node alone; the store is empty at first."""
    opened = over(nodes[1:], clock, patience_s=FAR_TOO_LONG_S)
    opened.make()
    for document in (IT, PLAN):
        opened.prune("default", document, keep=None)
    yield opened
    opened.close()


@pytest.fixture
def store(
    other: QdrantStore, nodes: list[FaultProxy], clock: Clock, catalog: Catalog
) -> Iterator[QdrantStore]:
    """Of this machine, which asks the first node alone and waits shortly."""
    opened = over(nodes[:1], clock, patience_s=SOON_S, note_late=catalog.late_writes.note)
    opened.check()
    yield opened
    opened.close()


@pytest.fixture
def erasure(other: QdrantStore, catalog: Catalog, tmp_path: Path) -> Erasure:
    return Erasure(
        documents=catalog.documents,
        follow_ups=catalog.follow_ups,
        content=ContentStore(tmp_path),
        all_indexes=TheIndex(other, catalog),
    )


def plan(version: str = "v1", readers: str = "everyone") -> list[IndexedChunk]:
    return [chunk(n, readers, document=PLAN, version=version) for n in range(3)]


def stops_at(node: FaultProxy, path: str, act: Callable[[], object]) -> None:
    """The node stops when it is asked for this, and whoever asked gives up."""
    node.fault, node.only = "hangs", path
    with pytest.raises(StoreError, match="no answer in time"):
        act()


def goes_on(node: FaultProxy) -> None:
    """What it was asked, it does now."""
    path, before = node.only, len(node.done)
    node.fault = "none"
    give_up = time.monotonic() + FAR_TOO_LONG_S
    while not any(path in done for _, done in node.done[before:]):
        assert time.monotonic() < give_up
        time.sleep(0.005)


def publish(catalog: Catalog, version: str = "v1") -> None:
    catalog.documents.publish(replace(stored(URI, version=version), chunks=3))


@pytest.mark.parametrize("keep", [None, "v2"])
def test_a_removal_done_late_spares_the_same_version_that_has_come_in_again(
    store: QdrantStore, other: QdrantStore, nodes: list[FaultProxy], keep: str | None
) -> None:
    other.put(plan("v1"))

    stops_at(nodes[0], "points/delete", lambda: store.prune("default", PLAN, keep=keep))
    other.prune("default", PLAN, keep=keep)
    removed = other.versions("default", PLAN)
    other.put(plan("v1"))  # of the same ids
    goes_on(nodes[0])

    assert removed == {}
    assert other.versions("default", PLAN) == {"v1": 3}


def test_a_change_of_rights_done_late_does_not_undo_the_one_after_it(
    store: QdrantStore, other: QdrantStore, nodes: list[FaultProxy]
) -> None:
    other.put(plan(readers="user:ana"))
    everyone, ana = stored_readers({"everyone"}), stored_readers({"user:ana"})

    stops_at(
        nodes[0],
        "points/payload",
        lambda: store.set_access("default", PLAN, readers=everyone, level=0),
    )
    other.set_access("default", PLAN, readers=everyone, level=0)
    open_to_all = other.count(EVE)
    other.set_access("default", PLAN, readers=ana, level=0)
    goes_on(nodes[0])

    assert open_to_all == 3
    assert (other.count(EVE), other.count(ANA)) == (0, 3)


def test_what_is_written_late_of_a_document_that_is_gone_goes_too(
    store: QdrantStore,
    other: QdrantStore,
    nodes: list[FaultProxy],
    catalog: Catalog,
    erasure: Erasure,
    moment: SetClock,
) -> None:
    stops_at(nodes[0], "points?", lambda: store.put(plan()))
    other.put(plan())
    publish(catalog)
    erasure.erase("default", PLAN, "a" * 64)
    erased = other.versions("default", PLAN)
    goes_on(nodes[0])
    orphans = other.versions("default", PLAN)
    before = catalog.late_writes.follow_up()
    moment.move(seconds=LOOKS_S[0])

    assert (erased, orphans, before) == ({}, {"v1": 3}, 0)
    assert catalog.late_writes.follow_up() == 1
    assert erasure.follow_up_all()
    assert other.versions("default", PLAN) == {}


def test_what_is_written_late_of_an_older_version_goes_and_the_newer_one_stays(
    store: QdrantStore,
    other: QdrantStore,
    nodes: list[FaultProxy],
    catalog: Catalog,
    erasure: Erasure,
    moment: SetClock,
) -> None:
    stops_at(nodes[0], "points?", lambda: store.put(plan("v1")))
    other.put(plan("v2"))
    publish(catalog, "v2")
    goes_on(nodes[0])
    both = other.versions("default", PLAN)
    moment.move(seconds=LOOKS_S[0])

    catalog.late_writes.follow_up()
    erasure.follow_up_all()

    assert both == {"v1": 3, "v2": 3}
    assert other.versions("default", PLAN) == {"v2": 3}


def test_a_document_is_looked_at_ever_more_rarely_and_not_for_ever(
    catalog: Catalog, moment: SetClock
) -> None:
    catalog.late_writes.note("default", PLAN)
    looked = []

    for before, due in pairwise((0.0, *LOOKS_S)):
        moment.move(seconds=(due - before) / 2)
        looked.append(catalog.late_writes.follow_up())
        moment.move(seconds=(due - before) / 2)
        looked.append(catalog.late_writes.follow_up())

    assert looked == [0, 1] * len(LOOKS_S)
    assert catalog.late_writes.awaited() == 0


def test_a_worker_that_fell_silent_in_its_writing_may_have_left_a_late_write(
    catalog: Catalog, moment: SetClock
) -> None:
    for name, stage in (("parsed", TaskState.PARSING), ("embedded", TaskState.EMBEDDING)):
        catalog.jobs.create("default", "ana", [new_task(f"file:///{name}.txt")])
        task = catalog.leases.acquire("killed", lease_s=10)
        assert task is not None
        catalog.leases.advance(task.id, "killed", stage)
        catalog.leases.free("killed")
        catalog.jobs.cancel(task.job_id, "default")

    assert catalog.late_writes.awaited() == 1
