"""How a store scores, weighs and orders; asked of each of them, and held against the reference."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sovereign_rag.access import Principal, ReadScope, read_scope, stored_readers
from sovereign_rag.domain import SparseVector
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkStore,
    DenseQuery,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
)
from tests.store.chunks import (
    ANA,
    DIMENSION,
    EAST,
    EVERYWHERE,
    OWNER,
    STORES,
    chunk,
    drop,
    found,
    opened_as,
)


def test_a_lexical_query_returns_only_chunks_that_share_a_term(store: ChunkStore) -> None:
    store.put([chunk(index, "everyone") for index in range(20)])

    shared, strange, nothing = store.search(
        [
            LexicalQuery(SparseVector((103, 999), (1.0, 1.0)), limit=10),
            LexicalQuery(SparseVector((999,), (1.0,)), limit=10),
            LexicalQuery(SparseVector((), ()), limit=10),
        ],
        ANA,
    )

    assert found(shared) == {3}
    assert strange == []
    assert nothing == []


def test_one_round_trip_gives_the_hits_and_the_weights(store: ChunkStore) -> None:
    store.put([chunk(0, "everyone"), chunk(1, "everyone"), chunk(2, "group:hr")])
    queries: list[DenseQuery | LexicalQuery] = [DenseQuery(EAST, limit=5), EVERYWHERE]

    hits, weights = store.search_and_weigh(queries, [7, 102, 999], ANA)

    assert hits == store.search(queries, ANA)
    assert weights == pytest.approx(store.idf([7, 102, 999], ANA))
    assert weights[102] > weights[7]  # the tenant's statistics, whoever may read the chunk


def test_scores_alone_are_those_of_the_search_within_the_rights(store: ChunkStore) -> None:
    store.put([chunk(0, "everyone"), chunk(1, "everyone"), chunk(2, "group:hr")])
    everything = [hit.id for hit in store.search([DenseQuery(EAST, limit=5)], OWNER)[0]]
    named = SearchFilter(chunks=frozenset(everything))
    queries: list[DenseQuery | LexicalQuery] = [
        DenseQuery(EAST, limit=5, search_filter=named),
        LexicalQuery(SparseVector((101,), (1.0,)), limit=5, search_filter=named),
        LexicalQuery(SparseVector((), ()), limit=5),
    ]

    scores = store.scores(queries, ANA)

    assert scores == [{h.id: h.score for h in hits} for hits in store.search(queries, ANA)]
    assert [len(part) for part in scores] == [2, 1, 0]


def test_equal_scores_are_ordered_by_point_id(store: ChunkStore) -> None:
    store.put([chunk(index, "everyone") for index in range(30)])

    dense, lexical = store.search([DenseQuery(EAST, limit=30), EVERYWHERE], ANA)

    assert [hit.id for hit in dense] == sorted(hit.id for hit in dense)
    assert [hit.id for hit in lexical] == sorted(hit.id for hit in lexical)


def test_chunks_without_a_term_count_in_the_statistics(store: ChunkStore) -> None:
    store.put([chunk(0, "everyone"), chunk(1, "everyone", terms=SparseVector((), ()))])

    assert store.idf([7, 999], ANA) == pytest.approx(
        {7: np.log(1 + 1.5 / 1.5), 999: np.log(1 + 2.5 / 0.5)}, abs=1e-3
    )


@pytest.mark.parametrize("kind", STORES)
def test_random_data_gives_the_answers_of_the_reference(kind: str, data_dir: Path) -> None:
    rng = np.random.default_rng(20)
    reference = MemoryStore(dimension=DIMENSION)
    store = opened_as(kind, data_dir, f"t{uuid.uuid4().hex[:12]}")
    documents = [str(uuid.UUID(int=int(number))) for number in rng.integers(1, 1 << 60, 25)]
    chunks = [random_chunk(rng, index, documents) for index in range(500)]
    for filled in (reference, store):
        filled.put(chunks)
        filled.put(chunks[:50])
        filled.prune("a", documents[3], keep=None)  # what is deleted counts no more
        filled.set_access("b", documents[4], readers=stored_readers({"group:g1"}), level=1)

    for _ in range(25):
        scope = random_scope(rng)
        terms = random_terms(rng)
        search_filter = (
            SearchFilter(languages=frozenset({"de"})) if rng.random() < 0.3 else SearchFilter()
        )
        queries: list[DenseQuery | LexicalQuery] = [
            DenseQuery(unit(rng), 10, search_filter),
            LexicalQuery(terms, 10, search_filter),
        ]

        assert store.count(scope, search_filter) == reference.count(scope, search_filter)
        assert store.idf(terms.indices, scope) == pytest.approx(
            reference.idf(terms.indices, scope), abs=1e-3
        )
        for got, wanted in zip(
            store.search(queries, scope), reference.search(queries, scope), strict=True
        ):
            assert [hit.score for hit in got] == pytest.approx([h.score for h in wanted], abs=1e-4)
            everything = {hit.id: hit for hit in wanted}
            floor = min(everything.values(), key=lambda hit: hit.score).score if wanted else 0
            for hit in got:  # at the last place equal scores may change places
                assert hit.id in everything or hit.score == pytest.approx(floor, abs=1e-4)
    store.close()
    if kind == "server":
        drop(store.collection)


def unit(rng: np.random.Generator) -> NDArray[np.float32]:
    vector = rng.standard_normal(DIMENSION).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def random_terms(rng: np.random.Generator) -> SparseVector:
    terms = sorted({int(term) for term in rng.zipf(1.5, 12) if term < 200})
    return SparseVector(tuple(terms), tuple(float(w) for w in rng.uniform(0.3, 2.2, len(terms))))


def random_scope(rng: np.random.Generator) -> ReadScope:
    groups = frozenset(f"g{int(n)}" for n in rng.integers(0, 6, 2))
    return read_scope(
        Principal("u", groups, tenant=str(rng.choice(["a", "b"])), clearance=int(rng.integers(3)))
    )


def random_chunk(rng: np.random.Generator, index: int, documents: Sequence[str]) -> IndexedChunk:
    of_document = index % len(documents)
    return chunk(
        index,
        *(f"group:g{int(n)}" for n in rng.integers(0, 6, int(rng.integers(0, 3)))),
        document=documents[of_document],
        tenant="a" if of_document % 2 else "b",
        level=int(rng.integers(3)),
        language=str(rng.choice(["de", "fr"])),
        dense=unit(rng),
        terms=random_terms(rng),
    )
