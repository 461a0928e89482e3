"""What is asked of a Qdrant server, and what becomes of its answers.

The stock client runs; a function stands where the server would be, and keeps what it was asked.
"""

import json
import logging
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient

from sovereign_rag.access import Principal, read_scope, stored_readers
from sovereign_rag.domain import SparseVector
from sovereign_rag.errors import StoreError
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.protocol import DenseQuery, LexicalQuery
from sovereign_rag.store.qdrant import QdrantStore
from sovereign_rag.store.schema import PAYLOAD_INDEXES, ServerLayout

DOCUMENT = str(uuid.uuid5(uuid.NAMESPACE_OID, "document"))
VERSIONS = ["v0", "v1"]
ANA = read_scope(Principal("ana", frozenset({"hr"}), clearance=1))
EAST = np.eye(4, dtype=np.float32)[0]


class StandIn:
    """Answers like a server with one collection, made or not yet made."""

    def __init__(self) -> None:
        self.made = True
        self.status = 200
        self.asked: list[httpx.Request] = []
        self.points: list[dict[str, Any]] = []
        self.state = "green"
        self.params = {"replication_factor": 3, "write_consistency_factor": 2}
        self.indexes = {field: {"data_type": "keyword", "points": 0} for field in PAYLOAD_INDEXES}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.status != 200:
            return httpx.Response(self.status, json={"status": {"error": "no"}})
        if request.method == "GET" and not self.made:
            self.indexes = {}
            return httpx.Response(404, json={"status": {"error": "Not found"}})
        return httpx.Response(200, json={"result": self._result(request), "status": "ok"})

    def _result(self, request: httpx.Request) -> object:
        path = request.url.path.removeprefix("/collections/chunks")
        if request.method == "GET":
            config = _INFO["config"]
            params = config["params"] | self.params
            return {
                **_INFO,
                "status": self.state,
                "config": config | {"params": params},
                "payload_schema": self.indexes,
            }
        if path.endswith("query/batch"):
            return [{"points": self.points}] * len(json.loads(request.content)["searches"])
        if request.method == "PATCH":
            self.params |= json.loads(request.content)["params"]
            return True
        if path.endswith("/index"):
            field = json.loads(request.content)["field_name"]
            self.indexes[field] = {"data_type": "keyword", "points": 0}
        if path.endswith("facet"):
            is_version = json.loads(request.content)["key"] == "version"
            return {"hits": [{"value": v, "count": 1} for v in (VERSIONS if is_version else [7])]}
        if path.endswith("count"):
            return {"count": len(self.points)}
        self.made = True
        return True if path == "" else {"operation_id": 1, "status": "completed"}

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(r.content) for r in self.asked if r.url.path.endswith(path)]


_INFO: dict[str, Any] = {
    "status": "green",
    "optimizer_status": "ok",
    "segments_count": 1,
    "points_count": 0,
    "config": {
        "params": {"vectors": {"dense": {"size": 4, "distance": "Cosine"}}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10},
        "optimizer_config": {"default_segment_number": 1, "flush_interval_sec": 5},
    },
}


def stored_point(*readers: str, tenant: str = "default", level: int = 0) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "version": 1,
        "score": 0.5,
        "payload": {
            "tenant": tenant,
            "readers": sorted(stored_readers(readers)),
            "level": level,
            "document_id": DOCUMENT,
            "version": "v1",
            "index": 0,
            "text": "text",
            "spans": [[1, 0, 4]],
            "kind": "text",
        },
    }


@pytest.fixture
def server() -> StandIn:
    return StandIn()


@pytest.fixture
def store(server: StandIn) -> Iterator[QdrantStore]:
    client = QdrantClient(
        url="http://qdrant:6333",
        transport=httpx.MockTransport(server),
        check_compatibility=False,
        trust_env=False,
    )
    opened = QdrantStore(client, collection="chunks", dimension=4, server=ServerLayout(3, 3))
    yield opened
    opened.close()


def test_every_query_carries_the_scope_and_the_tenant_s_statistics(
    store: QdrantStore, server: StandIn
) -> None:
    store.search([DenseQuery(EAST, 5), LexicalQuery(SparseVector((1,), (1.0,)), 5)], ANA)

    dense, lexical = server.bodies("query/batch")[0]["searches"]
    rights = [
        {"key": "tenant", "match": {"value": "default"}},
        {"key": "readers", "match": {"any": ["everyone", "group:hr", "user:ana"]}},
        {"key": "level", "range": {"lte": 1}},
    ]
    assert dense["filter"]["must"] == lexical["filter"]["must"] == rights
    assert dense["params"]["acorn"]["enable"] is True
    assert lexical["params"]["idf"]["corpus"]["must"] == rights[:1]


def test_a_hit_that_the_scope_does_not_allow_is_dropped_and_reported(
    store: QdrantStore, server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = stored_point("group:hr", level=1)
    server.points = [
        allowed,
        stored_point("group:board"),
        stored_point("everyone", tenant="other"),
        stored_point("everyone", level=2),
        stored_point(),
    ]

    with caplog.at_level(logging.ERROR):
        (hits,) = store.search([DenseQuery(EAST, 5)], ANA)

    assert [hit.id for hit in hits] == [allowed["id"]]
    assert len(caplog.records) == 4


def test_a_point_of_another_program_is_an_error(store: QdrantStore, server: StandIn) -> None:
    server.points = [{"id": 7, "version": 1, "score": 0.5, "payload": {"page_content": "x"}}]

    with pytest.raises(StoreError, match=r"store\.collection"):
        store.search([DenseQuery(EAST, 5)], ANA)


def test_a_change_of_rights_and_a_removal_name_what_was_there_and_are_done_in_order(
    store: QdrantStore, server: StandIn
) -> None:
    store.set_access("default", DOCUMENT, readers=stored_readers({"user:bo"}), level=2)
    store.prune("default", DOCUMENT, keep="v1")

    changes = [r for r in server.asked if r.url.path.endswith(("payload", "delete"))]
    for request in changes:
        assert request.url.params["wait"] == "true"
        assert request.url.params["ordering"] == "strong"
    lists = [r for r in server.asked if r.url.path.endswith("facet")]
    assert {r.url.params["consistency"] for r in lists} == {"majority"}  # what there is to change
    assert json.loads(changes[-1].content)["filter"]["must"][2:] == [
        {"key": "version", "match": {"any": ["v0"]}},
        {"key": "writing", "match": {"any": [7]}},
    ]
    told = server.bodies("payload")[0]["payload"]
    assert told.pop("writing") != 7
    assert told == {"readers": ["owner", "user:bo"], "level": 2}


def test_a_collection_is_made_once_with_its_indexes_before_any_point(
    store: QdrantStore, server: StandIn
) -> None:
    server.made = False

    store.make()
    store.make()
    store.count(ANA)

    writes = [request for request in server.asked if request.method != "GET"][:-1]
    assert [request.url.path for request in writes] == [
        "/collections/chunks",
        *["/collections/chunks/index"] * len(PAYLOAD_INDEXES),
    ]
    made = json.loads(writes[0].content)
    assert made["shard_number"] == 3
    assert (made["replication_factor"], made["write_consistency_factor"]) == (3, 2)
    assert made["vectors"]["dense"]["hnsw_config"]["payload_m"] == 16
    assert made["sparse_vectors"] == {"bm25": {"modifier": "idf"}}
    assert made["strict_mode_config"]["unindexed_filtering_retrieve"] is False


def test_a_search_makes_no_collection(store: QdrantStore, server: StandIn) -> None:
    server.made = False

    with pytest.raises(StoreError, match="isn't made yet"):
        store.count(ANA)

    assert [request.method for request in server.asked] == ["GET"]
    store.make()
    assert store.count(ANA) == 0


@pytest.mark.parametrize(("copies", "factor"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3)])
def test_a_collection_from_before_is_changed_to_what_most_copies_must_take(
    store: QdrantStore, server: StandIn, copies: int, factor: int
) -> None:
    server.params = {"replication_factor": copies, "write_consistency_factor": copies}

    was_made = store.is_made()
    store.make()
    store.make()

    changes = [json.loads(r.content) for r in server.asked if r.method == "PATCH"]
    wanted = {"params": {"write_consistency_factor": factor}}
    assert was_made is (factor == copies)
    assert changes == ([] if factor == copies else [wanted])


def test_a_collection_that_is_red_can_not_work(store: QdrantStore, server: StandIn) -> None:
    store.check()
    server.state = "red"

    with pytest.raises(StoreError, match="is red"):
        store.check()


@pytest.mark.parametrize(
    ("status", "way_out"),
    [(401, r"store\.api_key"), (403, r"store\.api_key"), (400, "status 400"), (500, "status 500")],
)
def test_a_refusal_of_the_qdrant_server_says_what_to_change(
    store: QdrantStore, server: StandIn, status: int, way_out: str
) -> None:
    server.status = status

    with pytest.raises(StoreError, match=way_out):
        store.count(ANA)


def test_a_collection_that_vanished_is_said_to_be_gone(store: QdrantStore, server: StandIn) -> None:
    store.count(ANA)
    server.status = 404

    with pytest.raises(StoreError, match="gone"):
        store.count(ANA)


def test_a_server_that_is_busy_is_our_error_too(store: QdrantStore, server: StandIn) -> None:
    server.status = 429

    with pytest.raises(StoreError, match="429"):
        store.count(ANA)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as reserved:  # bound and not listening: nobody else can be there
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        settings = Settings(data_dir=tmp_path, store=StoreSettings(url=url, api_key=SecretStr("k")))
        store = open_store(settings, model_id="model", dimension=4)

        with pytest.raises(StoreError, match=rf"{url} doesn't answer .*store\.url"):
            store.count(ANA)

        store.close()
    assert list(tmp_path.iterdir()) == []  # nothing embedded was begun instead
