"""What makes the embedded engine fast changes no answer: held against the exact reference."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client.http import models as rest

from sovereign_rag.access import Principal, ReadScope, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.store.embedded.engine import Collection, Engine
from sovereign_rag.store.filters import filter_of
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    NO_FILTER,
    ChunkStore,
    DenseQuery,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
)
from sovereign_rag.store.queries import request_of
from sovereign_rag.store.schema import PAYLOAD_INDEXES, create_request, to_point
from tests.store.chunks import opened_as

DIMENSION = 48
TERMS = 9
NOT_SAID = 998  # a term of no chunk
DOCUMENTS = [str(uuid.UUID(int=number)) for number in range(1, 9)]
GROUPS = ("everyone", "group:a", "group:b", "group:c", "user:dora")
SCOPES = [
    read_scope(Principal("ana", frozenset(groups), tenant=tenant, clearance=clearance))
    for groups in ((), ("a",), ("a", "b", "c"))
    for clearance in (0, 2)
    for tenant in ("default", "other")
]


def made(
    random: np.random.Generator,
    index: int,
    *,
    document: str,
    tenant: str = "default",
    blank: bool = False,
) -> IndexedChunk:
    """A chunk among others that all lie close together, as those of a real model do.

    `blank`: it may be one without a term.
    """
    vector = np.ones(DIMENSION) + 0.35 * random.normal(size=DIMENSION)
    terms = np.flatnonzero(random.random(TERMS) < 0.3)
    if not len(terms) and not blank:
        terms = np.array([1])
    return IndexedChunk(
        chunk=Chunk(document, "v1", index, f"text {index}", (PageSpan(1, 0, 4),), language="en"),
        tenant=tenant,
        readers=stored_readers(set(random.choice(GROUPS, size=2))),
        level=int(random.integers(3)),
        dense=np.asarray(vector / np.linalg.norm(vector), np.float32),
        lexical=SparseVector(
            tuple(int(term) for term in terms), tuple(random.uniform(0.5, 2, len(terms)).tolist())
        ),
    )


def asked(random: np.random.Generator) -> tuple[NDArray[np.float32], SparseVector]:
    vector = np.ones(DIMENSION) + 0.35 * random.normal(size=DIMENSION)
    terms = random.choice(TERMS, size=3, replace=False)
    return (
        np.asarray(vector / np.linalg.norm(vector), np.float32),
        SparseVector(tuple(int(term) for term in terms), (1.0, 0.5, 2.0)),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChunkStore]:
    store = opened_as("embedded", tmp_path, "chunks", dimension=DIMENSION)
    yield store
    store.close()


def assert_same(
    store: ChunkStore,
    reference: ChunkStore,
    scope: ReadScope,
    queries: Sequence[DenseQuery | LexicalQuery],
) -> None:
    for got, right in zip(
        store.search(queries, scope), reference.search(queries, scope), strict=True
    ):
        assert [hit.score for hit in got] == pytest.approx([hit.score for hit in right], abs=1e-5)
    assert store.count(scope) == reference.count(scope)
    every_term = [*range(TERMS), NOT_SAID]
    assert store.idf(every_term, scope) == pytest.approx(reference.idf(every_term, scope), abs=1e-4)


def test_answers_stay_exact_through_every_kind_of_write(store: ChunkStore) -> None:
    random = np.random.default_rng(11)
    reference = MemoryStore(dimension=DIMENSION)

    def same_everywhere() -> None:
        for scope in SCOPES:
            vector, terms = asked(random)
            search_filter = SearchFilter(exclude_documents=frozenset(DOCUMENTS[:1]))
            assert_same(
                store,
                reference,
                scope,
                [
                    DenseQuery(vector, 20),
                    LexicalQuery(terms, 20),
                    DenseQuery(vector, 20, search_filter),
                    LexicalQuery(terms, 20, search_filter),
                ],
            )

    first = [made(random, n, document=DOCUMENTS[n % 6]) for n in range(600)]
    again = [made(random, n, document=DOCUMENTS[n % 6]) for n in range(0, 600, 5)]
    blank = [made(random, n, document=DOCUMENTS[6], blank=True) for n in range(150)]
    others = [made(random, n, document=DOCUMENTS[7], tenant="other") for n in range(150)]

    for filled in (reference, store):
        filled.put(first)
    same_everywhere()
    for filled in (reference, store):
        filled.put(again)  # in the place of every fifth, with other words and rights
    same_everywhere()
    for filled in (reference, store):
        filled.set_access("default", DOCUMENTS[1], readers=frozenset({"group:b"}), level=7)
    same_everywhere()
    for filled in (reference, store):
        filled.prune("default", DOCUMENTS[2], keep=None)  # still on the disk, and not counted
    same_everywhere()
    for filled in (reference, store):
        filled.put(blank)
    same_everywhere()
    for filled in (reference, store):
        filled.put(others)  # the words of another tenant count for that one alone
    same_everywhere()


@pytest.mark.parametrize("blank", [False, True])
def test_words_are_weighed_for_one_tenant_also_once_what_was_deleted_is_erased(
    tmp_path: Path, blank: bool
) -> None:
    random = np.random.default_rng(12)
    chunks = [made(random, n, document=DOCUMENTS[n % 2], blank=blank) for n in range(300)]
    reference = MemoryStore(dimension=DIMENSION)
    reference.put(chunks)
    reference.prune("default", DOCUMENTS[0], keep=None)
    owner = SCOPES[2]
    _, terms = asked(random)
    query = LexicalQuery(terms, 20)
    right = [hit.score for hit in reference.search([query], owner)[0]]
    engine = Engine(tmp_path)
    collection = filled(engine, chunks)

    def scores() -> list[float]:
        return [point.score for point in collection.query([request_of(query, owner)])[0]]

    with_everything = scores()
    document = rest.FieldCondition(key="document_id", match=rest.MatchValue(value=DOCUMENTS[0]))
    collection.delete(rest.Filter(must=[document]))

    assert scores() == pytest.approx(right, abs=1e-5)
    assert with_everything != pytest.approx(right, abs=1e-5)
    while collection.erase_some(hurry=True):
        assert scores() == pytest.approx(right, abs=1e-5)
    assert scores() == pytest.approx(right, abs=1e-5)
    engine.close()
    engine = Engine(tmp_path)
    collection = engine.collection("chunks")
    assert scores() == pytest.approx(right, abs=1e-5)
    engine.close()


@pytest.mark.parametrize("scope", SCOPES, ids=range(len(SCOPES)))
def test_a_scope_finds_the_same_whether_it_may_read_little_or_most(
    tmp_path: Path, scope: ReadScope
) -> None:
    random = np.random.default_rng(13)
    chunks = [made(random, n, document=DOCUMENTS[n % 6]) for n in range(200)]
    chunks += [made(random, n, document=DOCUMENTS[7], tenant="other") for n in range(40)]
    engine = Engine(tmp_path)
    collection = filled(engine, chunks)

    found = collection.query(
        [request_of(DenseQuery(asked(random)[0], 1_000), scope)],
    )[0]

    allowed = {
        to_point(c, 1).id
        for c in chunks
        if scope.allows(tenant=c.tenant, readers=c.readers, level=c.level)
    }
    assert {str(point.id) for point in found} == allowed
    assert collection.count(filter_of(scope, NO_FILTER)) == len(allowed)
    engine.close()


def test_the_best_fifty_are_those_of_the_whole_vectors(tmp_path: Path) -> None:
    random = np.random.default_rng(14)
    chunks = [made(random, n, document=DOCUMENTS[0]) for n in range(4_000)]
    vectors = np.array([c.dense for c in chunks])
    everyone = read_scope(Principal("ana", frozenset({"a", "b", "c"}), clearance=2))
    engine = Engine(tmp_path)
    collection = filled(engine, chunks)
    may_read = [everyone.allows(tenant=c.tenant, readers=c.readers, level=c.level) for c in chunks]

    for _ in range(40):
        vector, _ = asked(random)
        found = collection.query([request_of(DenseQuery(vector, 50), everyone)])[0]

        right = np.sort(vectors[may_read] @ vector)[::-1][:50]
        assert [point.score for point in found] == pytest.approx(right.tolist(), abs=1e-5)
    engine.close()


def test_a_shard_of_an_older_layout_is_written_anew_once_and_answers_the_same(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(15)
    vector, terms = asked(random)
    queries = [request_of(DenseQuery(vector, 30), SCOPES[2])]
    queries.append(request_of(LexicalQuery(terms, 30), SCOPES[2]))
    engine = Engine(tmp_path)
    collection = filled(engine, [made(random, n, document=DOCUMENTS[0]) for n in range(300)])
    right = [[point.score for point in found] for found in collection.query(queries)]
    assert not collection.to_erase
    engine.close()
    (tmp_path / "chunks" / "shard" / "layout").unlink()  # older ones have none

    for is_older in (True, False):
        engine = Engine(tmp_path)
        collection = engine.collection("chunks")
        assert collection.to_erase == is_older
        while collection.to_erase and collection.erase_some(hurry=True):
            pass
        found = collection.query(queries)
        engine.close()

        for points, scores in zip(found, right, strict=True):
            assert [point.score for point in points] == pytest.approx(scores, abs=1e-5)


def filled(engine: Engine, chunks: Sequence[IndexedChunk]) -> Collection:
    engine.create("chunks", create_request(DIMENSION, None))
    collection = engine.collection("chunks")
    for field, schema in PAYLOAD_INDEXES.items():
        collection.index(rest.CreateFieldIndex(field_name=field, field_schema=schema))
    collection.upsert([to_point(indexed, 1) for indexed in chunks])
    return collection
