"""A store over nodes that fail on demand; see `tests.faults`."""

import time
from collections.abc import Callable
from typing import Final

from qdrant_client import QdrantClient

from sovereign_rag.store.late import LateWrites
from sovereign_rag.store.nodes import NodesTransport
from sovereign_rag.store.qdrant import QdrantStore
from tests.faults import FaultProxy
from tests.store.chunks import DIMENSION

SOON_S: Final = 1.5  # where a node hangs, each test waits so long
FAR_TOO_LONG_S: Final = 60.0
PAUSE_S: Final = 1_000.0  # by the clock of the test


class Clock:
    """The real one, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def over(
    nodes: list[FaultProxy],
    clock: Clock,
    *,
    patience_s: float,
    note_late: Callable[[str, str], None] = lambda tenant, document_id: None,
    collection: str = "chunks",
    dimension: int = DIMENSION,
) -> QdrantStore:
    transport = NodesTransport(
        [node.url for node in nodes],
        read_timeout_s=patience_s,
        write_timeout_s=patience_s,
        pause_s=PAUSE_S,
        clock=clock,
    )
    client = QdrantClient(
        url="http://nodes", transport=transport, check_compatibility=False, trust_env=False
    )
    late = LateWrites(transport.may_come_late, note_late)
    return QdrantStore(client, collection=collection, dimension=dimension, late=late)
