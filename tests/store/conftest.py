"""Each store in turn, opened with nothing of another test in it."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sovereign_rag.store.protocol import (
    ChunkStore,
)
from tests.store.chunks import BOARD, HR, IT, OWNER, SALES, STORES, drop, opened_as


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
