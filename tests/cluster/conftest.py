"""A real Qdrant cluster, named by the environment; without one these tests are skipped.

    QDRANT_TEST_URLS      http://node-1:6333,http://node-2:6333,http://node-3:6333
    QDRANT_TEST_COMMAND   what acts on a node, e.g. "./node.sh {action} {number}"; number from 1
    QDRANT_TEST_API_KEY   where the cluster asks for one

The actions: kill (SIGKILL), start (after a kill), stop (SIGSTOP), continue, empty (start after a
kill, with an empty disk), cut and join (the network between this node and the others).
"""

import os
import shlex
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import IngestSettings, Settings, StoreSettings
from sovereign_rag.wiring import Application, open_service

URLS = tuple(filter(None, os.environ.get("QDRANT_TEST_URLS", "").split(",")))
COMMAND = os.environ.get("QDRANT_TEST_COMMAND")
KEY = os.environ.get("QDRANT_TEST_API_KEY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if len(URLS) > 1 and COMMAND:
        return
    word = "QDRANT_TEST_URLS names no cluster, or QDRANT_TEST_COMMAND nothing that acts on it"
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason=word))


@dataclass(frozen=True)
class Nodes:
    """The nodes, each by its number."""

    numbers: tuple[int, ...]

    def act(self, action: str, number: int) -> None:
        assert COMMAND is not None
        words = shlex.split(COMMAND.format(action=action, number=number))
        subprocess.run(words, check=True, timeout=120)


@pytest.fixture
def nodes() -> Nodes:
    return Nodes(tuple(range(1, len(URLS) + 1)))


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    """The product over the cluster, with three copies in a collection of the test's own."""
    store = StoreSettings(
        url=",".join(URLS),
        api_key=SecretStr(KEY) if KEY else None,
        collection=f"t{uuid.uuid4().hex[:12]}",
        replication_factor=min(3, len(URLS)),
    )
    settings = product_settings(store=store, ingest=IngestSettings(lease_s=20))
    with open_service(settings, embedder=embedder) as application:
        application.indexes.prepare()
        try:
            yield application
        finally:
            application.indexes.collections.drop(application.store.collection)


@pytest.fixture
def worker(application: Application) -> Iterator[None]:
    """Documents are worked off meanwhile."""
    stop = threading.Event()
    thread = threading.Thread(target=application.ingestion.run_worker, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()
