"""Several nodes, some of which fail: each call goes on to one that works, and is done once.

The engine is the real one; what stands for its nodes are proxies before it.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sovereign_rag.errors import StoreError
from sovereign_rag.store.nodes import origin
from sovereign_rag.store.protocol import ChunkStore, DenseQuery
from sovereign_rag.store.qdrant import QdrantStore
from sovereign_rag.system.patience import one_wait
from tests.faults import Fault, FaultProxy
from tests.store.chunks import EAST, EVERYWHERE, HR, IT, OWNER, chunk
from tests.store.nodes import FAR_TOO_LONG_S, PAUSE_S, SOON_S, Clock, over

ANSWERED: tuple[Fault, ...] = ("refuses", "resets", "fails", "loses", "delays")

CALLS: dict[str, Callable[[ChunkStore], object]] = {
    "put": lambda store: store.put([chunk(index, "everyone") for index in range(3)]),
    "prune": lambda store: store.prune("default", IT, keep="v2"),
    "prune all": lambda store: store.prune("default", IT, keep=None),
    "set_access": lambda store: store.set_access(
        "default", HR, readers=frozenset({"group:hr"}), level=1
    ),
    "versions": lambda store: store.versions("default", HR),
    "stored": lambda store: len(store.stored("default", HR, "v1", range(3))),
    "search": lambda store: [
        [hit.chunk.index for hit in hits]
        for hits in store.search([DenseQuery(EAST, 5), EVERYWHERE], OWNER)
    ],
    "scores": lambda store: store.scores([DenseQuery(EAST, 5)], OWNER),
    "idf": lambda store: store.idf([7], OWNER),
    "count": lambda store: store.count(OWNER),
    "facet": lambda store: store.facet("language", OWNER),
    "is_made": lambda store: store.is_made(),
    "check": lambda store: store.check(),
    "check of writes": lambda store: store.check(writes=True),
    "make": lambda store: store.make(),
}


@pytest.fixture
def store(nodes: list[FaultProxy], clock: Clock) -> Iterator[QdrantStore]:
    """Over both nodes, with the same chunks each time."""
    opened = over(nodes, clock, patience_s=FAR_TOO_LONG_S)
    opened.make()
    for document in (HR, IT):
        opened.prune("default", document, keep=None)
    opened.put([chunk(index, "everyone") for index in range(3)])
    opened.put([chunk(5, "everyone", document=IT, version=version) for version in ("v1", "v2")])
    yield opened
    opened.close()


@pytest.fixture
def hasty(store: QdrantStore, nodes: list[FaultProxy], clock: Clock) -> Iterator[QdrantStore]:
    """The same store, for somebody who waits for a node but shortly."""
    opened = over(nodes, clock, patience_s=SOON_S)
    opened.count(OWNER)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("http://qdrant", "http://qdrant:6333"),
        ("http://qdrant:7000", "http://qdrant:7000"),
        ("https://qdrant:443/behind", "https://qdrant/behind"),
    ],
)
def test_an_address_without_a_port_has_qdrant_s(address: str, meant: str) -> None:
    assert str(origin(address)) == meant


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", ANSWERED)
def test_each_call_is_answered_by_one_of_the_nodes_as_if_nothing_were_wrong(
    store: QdrantStore, nodes: list[FaultProxy], fault: Fault, call: str
) -> None:
    reference = CALLS[call](store)

    for node in nodes:  # whichever comes first
        node.fault = fault
        assert CALLS[call](store) == reference
        node.fault = "none"


@pytest.mark.parametrize("call", ["put", "search"])
def test_a_call_to_a_node_that_hangs_is_answered_by_the_other_one(
    store: QdrantStore, hasty: QdrantStore, nodes: list[FaultProxy], call: str
) -> None:
    reference = CALLS[call](store)
    nodes[0].fault = "hangs"

    assert [CALLS[call](hasty) for _ in nodes] == [reference] * 2  # whichever comes first


def test_a_write_whose_answer_was_lost_is_there_once(
    store: QdrantStore, nodes: list[FaultProxy]
) -> None:
    before = store.count(OWNER)
    for node in nodes:
        node.fault = "loses"

    with pytest.raises(StoreError):
        store.put([chunk(9, "everyone")])
    for node in nodes:
        node.fault = "none"
    store.put([chunk(9, "everyone")])

    assert store.count(OWNER) == before + 1


def test_a_node_that_hangs_costs_one_slow_request_until_its_time_is_over(
    hasty: QdrantStore, nodes: list[FaultProxy], clock: Clock
) -> None:
    nodes[0].fault = "hangs"
    for _ in range(2):
        hasty.count(OWNER)
    asked = len(nodes[0].asked)

    for _ in range(6):
        hasty.count(OWNER)
    passed_over = len(nodes[0].asked) == asked
    nodes[0].fault = "none"
    clock.ahead_s = PAUSE_S + 1
    for _ in range(2):
        hasty.count(OWNER)

    assert passed_over
    assert len(nodes[0].asked) > asked


def test_where_every_node_hangs_the_error_comes_in_time_and_says_when_to_come_again(
    hasty: QdrantStore, nodes: list[FaultProxy]
) -> None:
    for node in nodes:
        node.fault = "hangs"

    with pytest.raises(StoreError, match="no answer in time") as first:
        hasty.count(OWNER)
    with pytest.raises(StoreError):  # the second node had but the rest of the time before
        hasty.count(OWNER)
    asked = [len(node.asked) for node in nodes]
    with pytest.raises(StoreError):
        hasty.count(OWNER)

    assert first.value.retry_after_s >= 1
    assert [len(node.asked) for node in nodes] == asked  # nobody waits for them again


def test_the_reads_of_one_search_wait_together_no_longer_than_one_alone(
    hasty: QdrantStore, nodes: list[FaultProxy]
) -> None:
    for node in nodes:
        node.fault = "hangs"

    def waited() -> float:
        begun = time.monotonic()
        with pytest.raises(StoreError, match="servers answers"):
            hasty.count(OWNER)
        return time.monotonic() - begun

    with one_wait():
        first = waited()
        rest = waited()

    assert first >= SOON_S
    assert rest < SOON_S / 4


def test_one_server_that_was_away_answers_the_first_question_after_its_return(
    nodes: list[FaultProxy], store: QdrantStore, clock: Clock
) -> None:
    alone = over(nodes[:1], clock, patience_s=FAR_TOO_LONG_S)
    alone.count(OWNER)
    nodes[0].fault = "refuses"
    with pytest.raises(StoreError, match=rf"The Qdrant server {nodes[0].url} doesn't answer"):
        alone.count(OWNER)

    nodes[0].fault = "none"

    assert alone.count(OWNER) == store.count(OWNER)
    alone.close()


def test_a_status_that_every_node_gives_is_the_request_s_and_no_node_is_passed_over(
    store: QdrantStore, nodes: list[FaultProxy]
) -> None:
    for node in nodes:
        node.fault = "fails"
    with pytest.raises(StoreError, match="status 500"):
        store.count(OWNER)
    for node in nodes:
        node.fault = "none"
        node.asked.clear()

    for _ in range(4):
        store.count(OWNER)

    assert all(node.asked for node in nodes)


def test_a_slow_request_to_a_node_that_answers_others_does_not_have_it_passed_over(
    store: QdrantStore, nodes: list[FaultProxy], clock: Clock
) -> None:
    alone = over(nodes[:1], clock, patience_s=SOON_S)
    alone.count(OWNER)
    nodes[0].fault = "hangs"
    failures: list[StoreError] = []

    def ask() -> None:
        try:
            alone.count(OWNER)
        except StoreError as error:
            failures.append(error)

    slow = threading.Thread(target=ask)
    arrived = len(nodes[0].asked)
    slow.start()
    while len(nodes[0].asked) == arrived:
        time.sleep(0.005)
    waiting, nodes[0]._fault = nodes[0].awake, "none"  # the one that arrived still hangs
    during = alone.count(OWNER)
    slow.join()
    after = alone.count(OWNER)
    waiting.set()

    assert failures
    assert during == after == store.count(OWNER)
    alone.close()
