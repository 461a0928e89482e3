"""Each store in turn, opened with nothing of another test in it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sovereign_rag.store.protocol import (
    ChunkStore,
)
from tests.faults import FaultProxy, engine_on_tcp
from tests.store.chunks import BOARD, HR, IT, OWNER, SALES, STORES, drop, opened_as
from tests.store.nodes import Clock


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


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Path]:
    """A folder at which no disk is waited for: here processes are killed, not machines."""
    memory = Path("/dev/shm")  # noqa: S108  - a folder of our own in it
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def port(in_memory: Path) -> Iterator[int]:
    with engine_on_tcp(in_memory / "engine") as port:
        yield port


@pytest.fixture(scope="module")
def proxies(port: int) -> Iterator[list[FaultProxy]]:
    made = [FaultProxy(port) for _ in range(2)]
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def nodes(proxies: list[FaultProxy]) -> Iterator[list[FaultProxy]]:
    yield proxies
    for proxy in proxies:
        proxy.fault, proxy.only = "none", ""
        proxy.asked.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()
