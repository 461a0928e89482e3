"""No store returns or counts what the asker may not read, whatever the filter.

Random principals, readers, levels and filters are asked of the stores, and each answer is compared
with brute force over all there is.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovereign_rag.access import Principal, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.settings import Settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkOrigin,
    ChunkStore,
    DenseQuery,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
    point_id,
)
from tests.rights.oracle import (
    LABELS,
    LEVELS,
    TENANTS,
    TYPES,
    Paper,
    askers,
    levels,
    may_read,
    often,
    readers,
)

DIMENSION = 4
EAST = np.eye(DIMENSION, dtype=np.float32)[0]
WORD = SparseVector((7,), (1.0,))


class World:
    """Papers in a store, and the oracle's own list of them."""

    def __init__(self, store: ChunkStore) -> None:
        self.store = store
        self.papers = [
            Paper(
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"paper {n}")),
                tenant=TENANTS[n % 2],
                readers=frozenset({LABELS[n % len(LABELS)]}),
                level=LEVELS[n % 3],
                language=("en", "fr")[n % 3 == 0],
                media_type=TYPES[n % 5 == 0],
            )
            for n in range(28)
        ]
        store.put([chunk for paper in self.papers for chunk in _chunks(paper)])

    def change(self, number: int, labels: frozenset[str], level: int) -> None:
        paper = replace(self.papers[number % len(self.papers)], readers=labels, level=level)
        self.papers[number % len(self.papers)] = paper
        self.store.set_access(
            paper.tenant, paper.id, readers=stored_readers(labels), level=paper.level
        )

    def seen_by(self, asker: Principal, search_filter: SearchFilter) -> list[Paper]:
        return [p for p in self.papers if may_read(asker, p) and _is_left(p, asker, search_filter)]


def _chunks(paper: Paper) -> Iterator[IndexedChunk]:
    for index in range(2):
        text = f"chunk {index} of {paper.id}"
        yield IndexedChunk(
            chunk=Chunk(
                paper.id, "v1", index, text, (PageSpan(1, 0, len(text)),), language=paper.language
            ),
            tenant=paper.tenant,
            readers=stored_readers(paper.readers),
            level=paper.level,
            dense=EAST,
            lexical=WORD,
            origin=ChunkOrigin(media_type=paper.media_type),
        )


def _is_left(paper: Paper, asker: Principal, search_filter: SearchFilter) -> bool:
    own = {f"user:{asker.user}", "everyone", *(f"group:{name}" for name in asker.groups)}
    labels = search_filter.labels
    return (
        (search_filter.documents is None or paper.id in search_filter.documents)
        and paper.id not in search_filter.exclude_documents
        and (search_filter.languages is None or paper.language in search_filter.languages)
        and (search_filter.media_types is None or paper.media_type in search_filter.media_types)
        and (labels is None or bool(labels & own & paper.readers))
    )


def _optional(values: st.SearchStrategy[str]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.one_of(st.none(), st.none(), st.frozensets(values, max_size=4))


PAPER_IDS = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"paper {n}")) for n in range(28)]
filters = st.builds(
    SearchFilter,
    documents=st.one_of(
        st.none(), st.none(), st.frozensets(st.sampled_from(PAPER_IDS), max_size=20)
    ),
    exclude_documents=st.frozensets(st.sampled_from(PAPER_IDS), max_size=3),
    languages=_optional(st.sampled_from(("en", "fr", "de"))),
    media_types=_optional(st.sampled_from(TYPES)),
    labels=_optional(st.sampled_from(LABELS)),
)
changes = st.lists(st.tuples(st.integers(0, 27), readers, levels), max_size=2)


@pytest.fixture(scope="module", params=["memory", "embedded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if request.param == "memory":
        store: ChunkStore = MemoryStore(dimension=DIMENSION)
    else:
        data = Settings(data_dir=tmp_path_factory.mktemp("rights"))
        store = open_store(data, model_id="model", dimension=DIMENSION)
        store.make()
    yield World(store)
    store.close()


@often
@given(asker=askers, search_filter=filters, changes=changes)
def test_a_store_returns_and_counts_what_the_asker_may_read_and_all_of_it(
    world: World,
    asker: Principal,
    search_filter: SearchFilter,
    changes: list[tuple[int, frozenset[str], int]],
) -> None:
    for number, labels, level in changes:
        world.change(number, labels, level)
    scope = read_scope(asker)

    dense, lexical = world.store.search(
        [DenseQuery(EAST, 1_000, search_filter), LexicalQuery(WORD, 1_000, search_filter)], scope
    )

    allowed = world.seen_by(asker, search_filter)
    expected = sorted(point_id(paper.id, "v1", index) for paper in allowed for index in range(2))
    assert sorted(hit.id for hit in dense) == expected
    assert sorted(hit.id for hit in lexical) == expected
    assert world.store.count(scope, search_filter) == len(expected)
    assert world.store.facet("language", scope, search_filter) == dict(
        Counter(paper.language for paper in allowed for _ in range(2))
    )


@often
@given(asker=askers, chunks=st.frozensets(st.sampled_from(PAPER_IDS), min_size=1, max_size=20))
def test_naming_chunks_outright_does_not_open_them(
    world: World, asker: Principal, chunks: frozenset[str]
) -> None:
    named = frozenset(point_id(paper_id, "v1", 0) for paper_id in chunks)

    (hits,) = world.store.search(
        [DenseQuery(EAST, 1_000, SearchFilter(chunks=named))], read_scope(asker)
    )

    allowed = {paper.id for paper in world.papers if may_read(asker, paper)} & chunks
    assert {hit.chunk.document_id for hit in hits} == allowed
