"""What a store keeps, gives back, replaces and refuses; asked of each of them."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from sovereign_rag.access import stored_readers
from sovereign_rag.domain import Chunk, PageSpan
from sovereign_rag.errors import StoreError
from sovereign_rag.store.protocol import (
    ChunkStore,
    DenseQuery,
    IndexedChunk,
    point_id,
)
from tests.store.chunks import (
    ANA,
    DIMENSION,
    EAST,
    EVERYWHERE,
    HR,
    IT,
    OWNER,
    STORES,
    chunk,
    drop,
    opened_as,
)


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

    with pytest.raises(StoreError, match=r"8 numbers.*offered 4.*embedding\.model"):
        opened_as(kind, data_dir, prefix, dimension=4)

    assert first.count(ANA) == 1
    first.close()
    if kind == "server":
        drop(first.collection)
