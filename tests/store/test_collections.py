"""Collections beside each other: of other dimensions, named, called by an alias, removed."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient

from sovereign_rag.access import local_owner, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.errors import StoreError
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.collections import Collections
from sovereign_rag.store.connect import alias, first_collection, open_collections, open_store
from sovereign_rag.store.protocol import IndexedChunk

OWNER = read_scope(local_owner())
DOCUMENT = str(uuid.uuid5(uuid.NAMESPACE_OID, "document"))


def chunk(dimension: int) -> IndexedChunk:
    return IndexedChunk(
        chunk=Chunk(DOCUMENT, "v1", 0, "A text.", (PageSpan(1, 0, 7),)),
        tenant="default",
        readers=stored_readers(()),
        level=0,
        dense=np.eye(dimension, dtype=np.float32)[0],
        lexical=SparseVector((7,), (1.0,)),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, store=StoreSettings(timeout_s=60))


@pytest.fixture
def collections(settings: Settings) -> Iterator[Collections]:
    opened = open_collections(settings)
    yield opened
    opened.close()


def test_vectors_of_two_lengths_lie_beside_each_other(
    settings: Settings, collections: Collections
) -> None:
    short = open_store(settings, model_id="model", dimension=4)
    long = open_store(settings, model_id="model", dimension=8, collection="chunks-model-2")
    short.make()
    long.make()
    short.put([chunk(4)])
    long.put([chunk(8)])

    collections.drop(short.collection)

    assert not collections.exists(short.collection)
    assert not (settings.data_dir / "vectors" / "collections" / short.collection).exists()
    assert collections.exists(long.collection)
    assert long.count(OWNER) == 1
    with pytest.raises(StoreError, match="gone"):
        short.count(OWNER)
    short.close()
    long.close()


def test_a_collection_that_is_not_there_is_no_error_to_remove(collections: Collections) -> None:
    assert not collections.exists("chunks-never")

    collections.drop("chunks-never")
    collections.call("chunks-never", "chunks-live")  # the embedded engine has no aliases

    assert not collections.exists("chunks-never")


def test_the_first_index_keeps_the_name_that_it_had_before_indexes_had_numbers() -> None:
    settings = Settings(store=StoreSettings(collection="ours"))

    assert first_collection(settings, "model/v1-abcd") == "ours-model-v1-abcd"
    assert alias(settings) == "ours-live"


class StandIn:
    """Answers like a server, and keeps what it was asked."""

    def __init__(self, *, has_alias: bool, status: int = 200) -> None:
        self.has_alias, self.status = has_alias, status
        self.changes: list[dict[str, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status != 200:
            return httpx.Response(self.status, json={"status": {"error": "no"}})
        if request.method == "GET":
            known = [{"alias_name": "ours-live", "collection_name": "ours-1"}]
            result: object = {"aliases": known if self.has_alias else []}
        else:
            self.changes.append(json.loads(request.content))
            result = True
        return httpx.Response(200, json={"result": result, "status": "ok", "time": 0.0})


def of_server(server: StandIn) -> Collections:
    client = QdrantClient(
        url="http://qdrant", transport=httpx.MockTransport(server), check_compatibility=False
    )
    return Collections(client, has_aliases=True)


@pytest.mark.parametrize("has_alias", [False, True])
def test_the_alias_of_a_server_changes_in_one_step(has_alias: bool) -> None:
    server = StandIn(has_alias=has_alias)

    of_server(server).call("ours-2", "ours-live")

    removed = [{"delete_alias": {"alias_name": "ours-live"}}] if has_alias else []
    made = {"create_alias": {"collection_name": "ours-2", "alias_name": "ours-live"}}
    assert server.changes == [{"actions": [*removed, made]}]


def test_a_server_that_refuses_is_our_error() -> None:
    with pytest.raises(StoreError, match="refused"):
        of_server(StandIn(has_alias=False, status=500)).exists("ours-1")
