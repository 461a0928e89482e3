"""Snapshots of collections, taken from each node of a Qdrant server or cluster and given back.

By the server's own REST API, and at the addresses of `store.url` alone. A snapshot of a node holds
what lies on that node, so that of each node is needed, and the nodes have to be named one by one.
"""

import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from sovereign_rag.errors import StoreError
from sovereign_rag.settings import StoreSettings
from sovereign_rag.store.nodes import origin

T = TypeVar("T")

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 3_600.0  # with a node that makes a snapshot, or takes one in
_SILENCE_S: Final = 60.0  # between two parts of one that is fetched
_AGREEMENT_S: Final = 600.0  # for nodes that fill one another after a restore
_LOOK_EVERY_S: Final = 0.5
_EVERY_POINT: Final = {"must": [{"key": "level", "range": {"gte": 0}}]}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of one collection, as it lies on one node."""

    node: int  # its place in `store.url`, from 0
    collection: str
    name: str  # as the node calls it
    size: int  # bytes
    sha256: str | None  # as the node told; None: it is of a version that doesn't tell

    @classmethod
    def read(cls, node: int, collection: str, told: Any) -> "Snapshot":
        return cls(node, collection, str(told["name"]), int(told["size"]), told.get("checksum"))


@dataclass(frozen=True, slots=True)
class _Held:
    """What a node tells of a collection."""

    peer: int
    here: dict[int, str]  # shard -> state of its copy on this node
    elsewhere: set[int]  # shards with a copy on another node
    is_moving: bool

    @classmethod
    def read(cls, told: Any) -> "_Held":
        return cls(
            peer=int(told["peer_id"]),
            here={int(shard["shard_id"]): str(shard["state"]) for shard in told["local_shards"]},
            elsewhere={int(shard["shard_id"]) for shard in told["remote_shards"]},
            is_moving=bool(told["shard_transfers"]),
        )


class NodeSnapshots:
    """Of the nodes that the settings name.

    Every method raises StoreError where a node does not answer, refuses, or tells something else
    than what was asked for.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        transport: Callable[[], httpx.BaseTransport] | None = None,
    ) -> None:
        """`transport` makes what carries the requests to a node; None: HTTP."""
        self.addresses = settings.addresses
        key = settings.api_key
        self._nodes = [
            httpx.Client(
                base_url=origin(address),
                headers={"api-key": key.get_secret_value()} if key else None,
                timeout=httpx.Timeout(_SILENCE_S, read=_PATIENCE_S),
                trust_env=False,  # no proxy from the environment
                verify=ssl.create_default_context(),
                transport=transport() if transport else None,
            )
            for address in self.addresses
        ]

    def require_whole(self, collection: str) -> None:
        """See that these nodes hold all of a collection, and that each has what it is to have.

        Raises:
            StoreError: Some of it lies on a node that `store.url` does not name, one is named
                twice, or one is being filled by the others.
        """
        everywhere, here, peers = set[int](), set[int](), set[int]()
        for node, address in enumerate(self.addresses):
            told = self._told(node, "GET", f"{_at(collection)}/cluster", _Held.read)
            for shard, state in told.here.items():
                if state != "Active":
                    raise StoreError(
                        f"The copy of shard {shard} of {collection!r} on the node {address} is not "
                        f"up to date ({state}). Wait until the cluster has filled it."
                    )
            if told.is_moving:
                raise StoreError(f"Shards of {collection!r} are being moved. Wait for their end.")
            if told.peer in peers:
                raise StoreError(
                    f"{address} leads to a node that store.url has named already. Name each node "
                    "of the cluster once, by an address of its own."
                )
            peers.add(told.peer)
            here |= told.here.keys()
            everywhere |= told.elsewhere
        if elsewhere := sorted(everywhere - here):
            raise StoreError(
                f"Of {collection!r} shard {', '.join(map(str, elsewhere))} lies on a node that "
                "store.url does not name. Name every node of the cluster there, not one address "
                "for all of them."
            )

    def wait_whole(self, collection: str, *, within_s: float = _AGREEMENT_S) -> None:
        """As `require_whole`, once the nodes had that time to agree."""
        until = time.monotonic() + within_s
        while True:
            try:
                return self.require_whole(collection)
            except StoreError:
                if time.monotonic() > until:
                    raise
            time.sleep(_LOOK_EVERY_S)

    def count(self, collection: str) -> int:
        """How many points of this product there are."""
        path = f"{_at(collection)}/points/count"
        wanted = {"exact": True, "filter": _EVERY_POINT}
        return self._told(0, "POST", path, lambda told: int(told["count"]), json=wanted)

    @contextmanager
    def taken(self, collections: Sequence[str]) -> Iterator[list[Snapshot]]:
        """A snapshot of each collection on each node, all nodes at once; they are removed after."""
        made: list[Snapshot] = []

        def take(node: int) -> None:
            for collection in collections:
                read = partial(Snapshot.read, node, collection)
                made.append(self._told(node, "POST", f"{_at(collection)}/snapshots", read))

        try:
            with ThreadPoolExecutor(len(self._nodes)) as threads:
                list(threads.map(take, range(len(self._nodes))))
            yield sorted(made, key=lambda each: (each.node, each.collection))
        finally:
            for snapshot in made:
                self._remove(snapshot)

    def blocks(self, snapshot: Snapshot) -> Iterator[bytes]:
        """The bytes of a snapshot, held against the size and the hash that the node told."""
        length, digest = 0, hashlib.sha256()
        with self._asking(snapshot.node):
            request = self._nodes[snapshot.node].build_request(
                "GET",
                _path(snapshot),
                headers={"Accept-Encoding": "identity"},  # vectors hardly compress
                timeout=_SILENCE_S,
            )
            response = self._nodes[snapshot.node].send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                self._require(snapshot.node, response)
                for block in response.iter_bytes():
                    length += len(block)
                    digest.update(block)
                    yield block
            finally:
                response.close()
        if length != snapshot.size or snapshot.sha256 not in {None, digest.hexdigest()}:
            raise StoreError(
                f"The snapshot {snapshot.name} came from {self.addresses[snapshot.node]} with "
                "other bytes than the node had told. Make another backup."
            )

    def give_back(self, node: int, collection: str, file: Path, *, sha256: str) -> None:
        """Have a node hold of a collection what a snapshot holds, whatever it held before."""
        with file.open("rb") as content:
            self._told(
                node,
                "POST",
                f"{_at(collection)}/snapshots/upload",
                bool,
                params={"priority": "snapshot", "wait": "true", "checksum": sha256},
                files={"snapshot": (f"{collection}.snapshot", content)},
            )

    def close(self) -> None:
        for node in self._nodes:
            node.close()

    def _remove(self, snapshot: Snapshot) -> None:
        try:
            self._told(snapshot.node, "DELETE", _path(snapshot), bool)
        except StoreError as error:  # the backup has it; of this the admin has to know
            log.warning(
                "The snapshot %s stays on its node until somebody deletes it: %s",
                snapshot.name,
                error,
            )

    def _told(self, node: int, method: str, path: str, read: Callable[[Any], T], **sent: Any) -> T:
        with self._asking(node):
            response = self._nodes[node].request(method, path, **sent)
            self._require(node, response)
            return read(response.json()["result"])

    @contextmanager
    def _asking(self, node: int) -> Iterator[None]:
        address = self.addresses[node]
        try:
            yield
        except httpx.HTTPError as error:
            raise StoreError(
                f"The Qdrant server {address} doesn't answer ({error or type(error).__name__})."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"What {address} answers is no answer of a Qdrant server. Is store.url right?"
            ) from error

    def _require(self, node: int, response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            said = str(response.json()["status"]["error"])
        except (KeyError, TypeError, ValueError):
            said = response.reason_phrase
        raise StoreError(
            f"The Qdrant server {self.addresses[node]} refused (status {response.status_code}: "
            f"{said[:300]})."
        )


def _path(snapshot: Snapshot) -> str:
    return f"{_at(snapshot.collection)}/snapshots/{quote(snapshot.name, safe='')}"


def _at(collection: str) -> str:
    return f"/collections/{quote(collection, safe='')}"
