"""Settings -> the store that they name."""

import math
import re
import ssl
from collections.abc import Callable
from typing import Final

import httpx
from qdrant_client import QdrantClient

from sovereign_rag.settings import Settings
from sovereign_rag.store.collections import Collections
from sovereign_rag.store.embedded.client import EngineTransport
from sovereign_rag.store.late import LateWrites
from sovereign_rag.store.nodes import NodesTransport, origin
from sovereign_rag.store.protocol import ChunkStore
from sovereign_rag.store.qdrant import QdrantStore
from sovereign_rag.store.schema import ServerLayout
from sovereign_rag.store.sealed_texts import TextSealer

OLDEST: Final = (1, 19)
"""The version of a Qdrant server that everything was seen on; the client is one newer."""


def open_store(
    settings: Settings,
    *,
    model_id: str,
    dimension: int,
    collection: str | None = None,
    note_late: Callable[[str, str], None] | None = None,
    sealer: TextSealer | None = None,
) -> ChunkStore:
    """The store for vectors of one embedding model; reached for at its first call, not here.

    `store.url` unset: the embedded engine of the data folder. Set: that server. `collection` is
    named after the model unless it is given, so another model is built beside the old one; on a
    server the name may be an alias. `note_late` is told tenant and id of a document that a node may
    yet change after it was given up.
    """
    collection = collection or first_collection(settings, model_id)
    if settings.store.url is None:
        engine = EngineTransport(settings.data_dir)
        return QdrantStore(
            _embedded(settings, engine),
            collection=collection,
            dimension=dimension,
            place="The embedded engine",
            remedy=f"Try again; its log is {settings.data_dir / 'vectors' / 'engine.log'}.",
            flush=engine.flush,
            sealer=sealer,
        )
    nodes = _nodes(settings)
    return QdrantStore(
        _server(settings, nodes),
        collection=collection,
        dimension=dimension,
        server=ServerLayout(
            shards=settings.store.shards, replicas=settings.store.replication_factor
        ),
        place=f"The Qdrant server {settings.store.url}",
        late=None if note_late is None else LateWrites(nodes.may_come_late, note_late),
        sealer=sealer,
    )


def node_states(settings: Settings) -> dict[str, str]:
    """Each address of `store.url` with "ready" and its version, or what is wrong with it."""
    states = {}
    for address in settings.store.addresses:
        try:
            with httpx.Client(
                trust_env=False,
                timeout=settings.store.read_timeout_s,
                verify=ssl.create_default_context(),
            ) as client:
                reply = client.get(httpx.URL(origin(address), path="/readyz"))
                if reply.is_success:
                    states[address] = _of_version(client.get(origin(address)))
                else:
                    states[address] = f"status {reply.status_code}"
        except httpx.HTTPError as error:
            states[address] = str(error) or type(error).__name__
    return states


def _of_version(reply: httpx.Response) -> str:
    """The state of a node that is ready, by what it says of itself."""
    try:
        version = str(reply.json()["version"])
        numbers = tuple(int(part) for part in version.split(".")[:2])
    except (ValueError, LookupError, TypeError):
        return "ready"  # something stands before it
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"version {version}, and {oldest} is the oldest that is supported"
    return f"ready, version {version}"


def open_collections(settings: Settings) -> Collections:
    """The collections themselves, where `open_store` has them; reached for at the first call."""
    if settings.store.url is None:
        engine = EngineTransport(settings.data_dir)
        return Collections(_embedded(settings, engine), has_aliases=False)
    return Collections(_server(settings, _nodes(settings)), has_aliases=True)


def first_collection(settings: Settings, model_id: str) -> str:
    """The name of the first index's collection; later ones have their number behind it."""
    return f"{settings.store.collection}-{re.sub(r'[^A-Za-z0-9._-]', '-', model_id)}"


def alias(settings: Settings) -> str:
    """What the live index's collection is called on a server, for whoever else reads there."""
    return f"{settings.store.collection}-live"


def _embedded(settings: Settings, engine: EngineTransport) -> QdrantClient:
    return QdrantClient(
        url="http://embedded",
        transport=engine,
        timeout=math.ceil(settings.store.timeout_s),
        check_compatibility=False,  # else it asks for the version, in a thread
        trust_env=False,
    )


def _nodes(settings: Settings) -> NodesTransport:
    own = settings.store
    return NodesTransport(
        own.addresses,
        read_timeout_s=own.read_timeout_s,
        write_timeout_s=own.timeout_s,
        pause_s=own.node_pause_s,
        verify=ssl.create_default_context(),  # the system's authorities, the admin's with them
    )


def _server(settings: Settings, nodes: NodesTransport) -> QdrantClient:
    key = settings.store.api_key
    return QdrantClient(
        url="http://nodes",  # the transport knows their addresses
        transport=nodes,
        # As a header: given as api_key, the client warns on a plain connection, which is what
        # a network of containers has.
        headers={"api-key": key.get_secret_value()} if key else None,
        check_compatibility=False,
        trust_env=False,
    )
