"""What is asked of a server's nodes for a snapshot of each, and which answers are refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sovereign_rag.errors import StoreError
from sovereign_rag.settings import StoreSettings
from sovereign_rag.store.snapshots import NodeSnapshots

FILE = b"a tar file of " * 1_000
SUM = hashlib.sha256(FILE).hexdigest()


class Node:
    """Answers like a node of a cluster of two, with a shard of its own."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.held: dict[str, Any] = {
            "peer_id": number,
            "local_shards": [{"shard_id": number, "points_count": 3, "state": "Active"}],
            "remote_shards": [{"shard_id": 3 - number, "peer_id": 3 - number, "state": "Active"}],
            "shard_transfers": [],
        }
        self.told: dict[str, Any] = {"name": "c-1.snapshot", "size": len(FILE), "checksum": SUM}
        self.file, self.status = FILE, 200
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        if self.status != 200:
            return httpx.Response(self.status, json={"status": {"error": "no space left"}})
        match request.method, request.url.path.rpartition("/")[2]:
            case "GET", "cluster":
                return self._result(self.held)
            case "GET", _:
                return httpx.Response(200, stream=httpx.ByteStream(self.file))
            case "POST", "snapshots":
                return self._result(self.told)
        return self._result(True)

    @property
    def paths(self) -> list[tuple[str, str]]:
        return [(request.method, request.url.path) for request in self.asked]

    def _result(self, result: object) -> httpx.Response:
        return httpx.Response(200, json={"result": result, "status": "ok"})


@pytest.fixture
def nodes() -> list[Node]:
    return [Node(1), Node(2)]


@pytest.fixture
def snapshots(nodes: list[Node]) -> NodeSnapshots:
    each = iter(nodes)
    settings = StoreSettings(url="http://one:6333,https://two/rag", api_key=SecretStr("k"))
    return NodeSnapshots(settings, transport=lambda: httpx.MockTransport(next(each)))


def test_each_node_makes_one_which_is_fetched_and_removed_there(
    snapshots: NodeSnapshots, nodes: list[Node]
) -> None:
    snapshots.require_whole("c")
    with snapshots.taken(["c"]) as made:
        fetched = [b"".join(snapshots.blocks(one)) for one in made]

    assert fetched == [FILE, FILE]
    assert [one.node for one in made] == [0, 1]
    at = "/collections/c"
    for node, prefix in zip(nodes, ("", "/rag"), strict=True):
        assert node.paths == [
            ("GET", f"{prefix}{at}/cluster"),
            ("POST", f"{prefix}{at}/snapshots"),
            ("GET", f"{prefix}{at}/snapshots/c-1.snapshot"),
            ("DELETE", f"{prefix}{at}/snapshots/c-1.snapshot"),
        ]
        assert {request.headers["api-key"] for request in node.asked} == {"k"}
    assert {str(request.url.copy_with(path="/")) for request in nodes[1].asked} == {
        "https://two:6333/"
    }


def test_a_snapshot_is_given_back_as_the_truth_with_its_sum(
    snapshots: NodeSnapshots, nodes: list[Node], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(FILE)

    snapshots.give_back(1, "c", tmp_path / "file", sha256=SUM)

    (sent,) = nodes[1].asked
    assert sent.url.path == "/rag/collections/c/snapshots/upload"
    assert dict(sent.url.params) == {"priority": "snapshot", "wait": "true", "checksum": SUM}
    assert b'name="snapshot"' in sent.content
    assert FILE in sent.content
    assert nodes[0].asked == []


def test_other_bytes_than_the_node_told_are_refused_and_removed_there_too(
    snapshots: NodeSnapshots, nodes: list[Node]
) -> None:
    nodes[1].file = FILE[:-1]

    with snapshots.taken(["c"]) as made, pytest.raises(StoreError, match="other bytes"):
        b"".join(snapshots.blocks(made[1]))

    assert [node.paths[-1][0] for node in nodes] == ["DELETE", "DELETE"]


def test_where_one_node_can_not_the_other_s_is_removed(
    snapshots: NodeSnapshots, nodes: list[Node]
) -> None:
    nodes[1].status = 507

    with pytest.raises(StoreError, match=r"two/rag refused .status 507: no space"):
        snapshots.taken(["c"]).__enter__()

    assert nodes[0].paths[-1] == ("DELETE", "/collections/c/snapshots/c-1.snapshot")


def is_filled(nodes: list[Node]) -> None:
    nodes[1].held["local_shards"][0]["state"] = "Partial"


def is_moved(nodes: list[Node]) -> None:
    nodes[0].held["shard_transfers"] = [{"shard_id": 1, "from": 1, "to": 2}]


def is_named_twice(nodes: list[Node]) -> None:
    nodes[1].held = nodes[0].held


def is_not_named(nodes: list[Node]) -> None:
    nodes[0].held["remote_shards"] = [{"shard_id": 7, "peer_id": 3, "state": "Active"}]


def is_another_service(nodes: list[Node]) -> None:
    nodes[0].held = {"hello": "world"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (is_filled, "not up to date .Partial."),
        (is_moved, "being moved"),
        (is_named_twice, "named already"),
        (is_not_named, "shard 7 lies on a node that store.url does not name"),
        (is_another_service, "no answer of a Qdrant server"),
    ],
)
def test_what_the_named_nodes_do_not_hold_whole_is_no_snapshot(
    fault: Callable[[list[Node]], None],
    said: str,
    snapshots: NodeSnapshots,
    nodes: list[Node],
) -> None:
    fault(nodes)

    with pytest.raises(StoreError, match=said):
        snapshots.require_whole("c")
    with pytest.raises(StoreError, match=said):
        snapshots.wait_whole("c", within_s=0)
