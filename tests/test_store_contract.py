"""What every store must do, asked of each of them."""

import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr
from qdrant_client import QdrantClient

from sovereign_rag.access import Principal, ReadScope, local_owner, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.errors import StoreError, Unauthenticated
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkStore,
    DenseQuery,
    Hit,
    IndexedChunk,
    LexicalQuery,
    Narrowing,
    Origin,
    point_id,
)

DIMENSION = 8
SERVER = os.environ.get("QDRANT_TEST_URL")
KEY = os.environ.get("QDRANT_TEST_API_KEY")
STORES = ["memory", "embedded", *(["server"] if SERVER else [])]

EAST = np.eye(DIMENSION, dtype=np.float32)[0]
EVERYWHERE = LexicalQuery(SparseVector((7,), (1.0,)), limit=100)  # `chunk` gives all the term 7
UNKNOWN = Origin()
ANA = read_scope(Principal("ana"))
OWNER = read_scope(local_owner())
HR, IT, BOARD, SALES = (
    str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in ("hr", "it", "board", "sales")
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module", params=STORES)
def opened(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[ChunkStore]:
    """A store of each kind; a new one is added here and nowhere else."""
    store = opened_as(request.param, data_dir, f"t{uuid.uuid4().hex[:12]}")
    yield store
    if request.param == "server":
        drop(store.collection)
    store.close()


@pytest.fixture
def store(opened: ChunkStore) -> ChunkStore:
    for tenant in ("default", "other"):
        for document in (HR, IT, BOARD, SALES):
            opened.prune(tenant, document, keep=None)
    assert opened.count(OWNER) == 0
    return opened


def opened_as(kind: str, data_dir: Path, prefix: str, *, dimension: int = DIMENSION) -> ChunkStore:
    if kind == "memory":
        return MemoryStore(dimension=dimension)
    store = StoreSettings(
        url=SERVER if kind == "server" else None,
        api_key=SecretStr(KEY) if KEY else None,
        collection=prefix,
    )
    settings = Settings(data_dir=data_dir, store=store)
    return open_store(settings, model_id="model", dimension=dimension)


def drop(collection: str) -> None:
    client = QdrantClient(
        url=SERVER,
        headers={"api-key": KEY} if KEY else None,
        check_compatibility=False,
        trust_env=False,
    )
    client.delete_collection(collection)
    client.close()


def chunk(
    index: int,
    *readers: str,
    document: str = HR,
    version: str = "v1",
    tenant: str = "default",
    level: int = 0,
    language: str | None = "en",
    dense: NDArray[np.float32] = EAST,
    terms: SparseVector | None = None,
    origin: Origin = UNKNOWN,
) -> IndexedChunk:
    return IndexedChunk(
        chunk=Chunk(
            document_id=document,
            version=version,
            index=index,
            text=f"Passage {index}\n\nof {document}",
            spans=(PageSpan(1, 0, 9), PageSpan(2, 3, 40)),
            heading_path=("Handbook", "Leave"),
            table_header="Name | Days",
            language=language,
            kind="table",
        ),
        tenant=tenant,
        readers=stored_readers(readers),
        level=level,
        dense=dense,
        lexical=terms or SparseVector((7, 100 + index), (0.8, 1.5)),
        origin=origin,
    )


def found(hits: Sequence[Hit]) -> set[int]:
    return {hit.chunk.index for hit in hits}


@pytest.mark.parametrize(
    ("principal", "readable"),
    [
        (Principal("ana"), {0}),
        (Principal("ana", frozenset({"finance"})), {0, 1}),
        (Principal("finance"), {0}),  # a user named like a group isn't the group
        (Principal("bo"), {0, 2}),
        (Principal("x", frozenset({"bo"})), {0}),  # nor a group named like a user the user
        (Principal("ana", clearance=2), {0, 4}),
        (Principal("ana", clearance=1), {0}),
        (Principal("ana", frozenset({"finance"}), tenant="other"), {5}),
        (Principal("root", is_admin=True), {0}),
        (local_owner(), {0, 1, 2, 3, 4}),
        (local_owner("other"), {5}),
    ],
)
def test_search_and_count_show_only_what_the_principal_may_read(
    store: ChunkStore, principal: Principal, readable: set[int]
) -> None:
    store.put(
        [
            chunk(0, "everyone"),
            chunk(1, "group:finance"),
            chunk(2, "user:bo"),
            chunk(3),  # no reader: the owner of the data folder alone
            chunk(4, "everyone", level=2),
            chunk(5, "everyone", tenant="other", document=IT),
        ]
    )
    scope = read_scope(principal)

    dense, lexical = store.search([DenseQuery(EAST, limit=10), EVERYWHERE], scope)

    assert found(dense) == readable
    assert found(lexical) == readable
    assert store.count(scope) == len(readable)


def test_a_scope_without_labels_or_from_elsewhere_cannot_be_made() -> None:
    with pytest.raises(Unauthenticated):
        ReadScope(tenant="default", labels=frozenset({"owner"}), clearance=0, _issuer=object())

    assert ANA.labels == {"everyone", "user:ana"}


@pytest.mark.parametrize(
    ("narrowing", "left"),
    [
        (Narrowing(), {0, 1, 2}),
        (Narrowing(documents=frozenset({HR})), {0}),
        (Narrowing(documents=frozenset({HR, IT})), {0, 1}),
        (Narrowing(documents=frozenset({BOARD})), set()),  # not hers to read
        (Narrowing(documents=frozenset()), set()),
        (Narrowing(exclude_documents=frozenset({HR})), {1, 2}),
        (Narrowing(documents=frozenset({HR}), exclude_documents=frozenset({HR})), set()),
        (Narrowing(chunks=frozenset({point_id(IT, "v1", 1)})), {1}),
        (Narrowing(chunks=frozenset({point_id(BOARD, "v1", 3)})), set()),
        (Narrowing(chunks=frozenset()), set()),
        (Narrowing(languages=frozenset({"de"})), {1}),
        (Narrowing(languages=frozenset({"de", "en"})), {0, 1}),
        (Narrowing(languages=frozenset()), set()),
        (Narrowing(languages=frozenset({"de"}), documents=frozenset({HR})), set()),
    ],
)
def test_narrowing_takes_away_and_never_adds(
    store: ChunkStore, narrowing: Narrowing, left: set[int]
) -> None:
    store.put(
        [
            chunk(0, "everyone", document=HR, language="en"),
            chunk(1, "everyone", document=IT, language="de"),
            chunk(2, "everyone", document=SALES, language=None),
            chunk(3, "group:board", document=BOARD, language="de"),
        ]
    )

    dense, lexical = store.search(
        [
            DenseQuery(EAST, limit=10, narrowing=narrowing),
            LexicalQuery(EVERYWHERE.vector, limit=10, narrowing=narrowing),
        ],
        ANA,
    )

    assert found(dense) == left
    assert found(lexical) == left
    assert store.count(ANA, narrowing) == len(left)
    assert sum(store.facet("language", ANA, narrowing).values()) == len(left - {2})


def march(day: int) -> datetime:
    return datetime(2024, 3, day, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("narrowing", "left"),
    [
        (Narrowing(media_types=frozenset({"application/pdf"})), {0, 1}),
        (Narrowing(media_types=frozenset({"text/html", "text/plain"})), {2}),
        (Narrowing(media_types=frozenset()), set()),
        (Narrowing(sources=frozenset({"file:///srv/hr"})), {0, 1}),
        (Narrowing(sources=frozenset({"file:///srv/hr/"})), {0, 1}),
        (Narrowing(sources=frozenset({"file:///srv/hr/2024/plan.pdf"})), {1}),
        (Narrowing(sources=frozenset({"file:///srv/h"})), set()),  # part of a name is no folder
        (Narrowing(sources=frozenset({"file:///"})), {0, 1}),
        (Narrowing(sources=frozenset({"https://intra.example/", "file:///srv/hr/2024"})), {1, 2}),
        (Narrowing(sources=frozenset({"file:///srv/board"})), set()),  # not hers to read
        (Narrowing(sources=frozenset()), set()),
        (Narrowing(modified_from=march(2)), {1}),
        (Narrowing(modified_before=march(2)), {0}),
        (Narrowing(modified_from=march(1), modified_before=march(3)), {0, 1}),
        (Narrowing(modified_from=march(4)), set()),
        (Narrowing(labels=frozenset({"user:ana"})), {1}),
        (Narrowing(labels=frozenset({"user:ana", "everyone"})), {0, 1, 2}),
        (Narrowing(labels=frozenset({"group:board"})), set()),  # not a label of hers
        (Narrowing(labels=frozenset({"owner"})), set()),  # though every chunk carries it
        (Narrowing(labels=frozenset()), set()),
        (
            Narrowing(media_types=frozenset({"application/pdf"}), modified_from=march(2)),
            {1},
        ),
    ],
)
def test_narrowing_by_origin_takes_away_and_never_adds(
    store: ChunkStore, narrowing: Narrowing, left: set[int]
) -> None:
    pdf, html = "application/pdf", "text/html"
    plan = Origin("file:///srv/hr/plan.pdf", pdf, march(1))
    newer = Origin("file:///srv/hr/2024/plan.pdf", pdf, march(2))
    secret = Origin("file:///srv/board/plan.pdf", pdf, march(2))
    store.put(
        [
            chunk(0, "everyone", document=HR, origin=plan),
            chunk(1, "user:ana", document=IT, origin=newer),
            chunk(2, "everyone", document=SALES, origin=Origin("https://intra.example/faq", html)),
            chunk(3, "group:board", document=BOARD, origin=secret),
        ]
    )

    dense, lexical = store.search(
        [
            DenseQuery(EAST, limit=10, narrowing=narrowing),
            LexicalQuery(EVERYWHERE.vector, limit=10, narrowing=narrowing),
        ],
        ANA,
    )

    assert found(dense) == left
    assert found(lexical) == left
    assert store.count(ANA, narrowing) == len(left)
    assert sum(store.facet("media_type", ANA, narrowing).values()) == len(left)


def test_facets_count_what_the_caller_may_read_and_nothing_else(store: ChunkStore) -> None:
    pdf, html = Origin(media_type="application/pdf"), Origin(media_type="text/html")
    store.put(
        [
            *(chunk(index, "everyone", origin=pdf, language="de") for index in range(3)),
            chunk(3, "everyone", origin=html, language="fr"),
            chunk(4, "everyone", language=None),
            chunk(5, "group:board", origin=html, language="it"),
            chunk(6, "everyone", origin=html, language="it", level=2),
            chunk(7, "everyone", origin=html, language="it", tenant="other", document=IT),
        ]
    )

    assert store.facet("language", ANA) == {"de": 3, "fr": 1}
    assert list(store.facet("media_type", ANA).items()) == [
        ("application/pdf", 3),
        ("text/html", 1),
    ]
    assert store.facet("language", OWNER) == {"de": 3, "it": 2, "fr": 1}
    assert store.facet("language", ANA, Narrowing(media_types=frozenset({"text/html"}))) == {
        "fr": 1
    }


def test_a_chunk_comes_back_as_it_was_written(store: ChunkStore) -> None:
    full = chunk(0, "everyone", "group:finance", level=0)
    bare = Chunk(document_id=IT, version="v9", index=3, text="§ 1", spans=(PageSpan(1, 0, 3),))
    plain = IndexedChunk(bare, "default", stored_readers({"everyone"}), 0, EAST, full.lexical)
    store.put([full, plain])

    hits, _ = store.search([DenseQuery(EAST, limit=10), EVERYWHERE], ANA)

    by_document = {hit.chunk.document_id: hit for hit in hits}
    assert by_document[HR].chunk == full.chunk
    assert by_document[HR].id == point_id(HR, "v1", 0)
    assert by_document[HR].readers == full.readers
    assert by_document[IT].chunk == bare


def test_stored_chunks_come_back_with_their_vectors_and_no_others(store: ChunkStore) -> None:
    north = np.eye(DIMENSION, dtype=np.float32)[1]
    own = [chunk(0, "everyone"), chunk(1, "user:bo", dense=north, level=3)]
    store.put([*own, chunk(2), chunk(0, version="v2"), chunk(0, document=IT)])

    stored = store.stored("default", HR, "v1", range(2))

    assert [(s.chunk, s.readers, s.level) for s in stored] == [
        (s.chunk, s.readers, s.level) for s in own
    ]
    for found, written in zip(stored, own, strict=True):
        np.testing.assert_allclose(found.dense, written.dense, atol=1e-6)
        assert found.lexical.indices == written.lexical.indices
        np.testing.assert_allclose(found.lexical.values, written.lexical.values, atol=1e-6)
    assert store.stored("other", HR, "v1", range(2)) == []
    assert store.stored("default", HR, "v1", range(0)) == []


def test_writing_the_same_chunks_twice_stores_them_once(store: ChunkStore) -> None:
    chunks = [chunk(index, "everyone") for index in range(300)]

    store.put(chunks)
    store.put(chunks)

    assert store.count(ANA) == 300
    assert store.versions("default", HR) == {"v1": 300}


def test_pruning_leaves_the_kept_version_and_every_other_document(store: ChunkStore) -> None:
    store.put(
        [
            *(chunk(index, "everyone", version="old") for index in range(5)),
            *(chunk(index, "everyone", version="new") for index in range(3)),
            chunk(0, "everyone", document=IT, version="old"),
        ]
    )

    store.prune("default", HR, keep="new")

    assert store.versions("default", HR) == {"new": 3}
    assert store.versions("default", IT) == {"old": 1}


def test_a_deleted_document_is_found_by_nobody(store: ChunkStore) -> None:
    store.put([chunk(0, "everyone"), chunk(0, "everyone", document=IT)])

    store.prune("default", HR, keep=None)

    dense, lexical = store.search([DenseQuery(EAST, limit=10), EVERYWHERE], OWNER)
    assert {hit.chunk.document_id for hit in [*dense, *lexical]} == {IT}
    assert store.versions("default", HR) == {}


def test_another_tenant_can_neither_prune_nor_open_a_document(store: ChunkStore) -> None:
    store.put([chunk(0)])

    store.prune("other", HR, keep=None)
    store.set_access("other", HR, readers=stored_readers({"everyone"}), level=0)

    assert store.versions("other", HR) == {}
    assert store.count(OWNER) == 1
    assert store.count(ANA) == 0


def test_a_change_of_rights_holds_for_the_next_search(store: ChunkStore) -> None:
    store.put([chunk(index, "everyone") for index in range(600)])
    finance = read_scope(Principal("fay", frozenset({"finance"})))

    store.set_access("default", HR, readers=stored_readers({"group:finance"}), level=0)

    assert store.count(ANA) == 0
    assert store.search([DenseQuery(EAST, limit=10), EVERYWHERE], ANA) == [[], []]
    assert store.count(finance) == 600

    store.set_access("default", HR, readers=stored_readers({"group:finance"}), level=1)

    assert store.count(finance) == 0
    assert store.count(OWNER) == 600


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
    named = Narrowing(chunks=frozenset(everything))
    queries: list[DenseQuery | LexicalQuery] = [
        DenseQuery(EAST, limit=5, narrowing=named),
        LexicalQuery(SparseVector((101,), (1.0,)), limit=5, narrowing=named),
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


def test_a_vector_of_another_length_is_refused_before_anything_is_written(
    store: ChunkStore,
) -> None:
    short = chunk(1, "everyone", dense=np.ones(3, dtype=np.float32))

    with pytest.raises(StoreError, match="3"):
        store.put([chunk(0, "everyone"), short])

    assert store.count(OWNER) == 0


@pytest.mark.parametrize("kind", [kind for kind in STORES if kind != "memory"])
def test_a_collection_of_another_model_is_refused_with_the_way_out(
    kind: str, data_dir: Path
) -> None:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    first = opened_as(kind, data_dir, prefix)
    first.put([chunk(0, "everyone")])
    other = opened_as(kind, data_dir, prefix, dimension=4)

    with pytest.raises(StoreError, match=r"8 numbers.*offered 4.*embedding\.model"):
        other.count(ANA)

    assert first.count(ANA) == 1
    first.close()
    other.close()
    if kind == "server":
        drop(first.collection)


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
        narrowing = Narrowing(languages=frozenset({"de"})) if rng.random() < 0.3 else Narrowing()
        queries: list[DenseQuery | LexicalQuery] = [
            DenseQuery(unit(rng), 10, narrowing),
            LexicalQuery(terms, 10, narrowing),
        ]

        assert store.count(scope, narrowing) == reference.count(scope, narrowing)
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
