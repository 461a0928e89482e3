"""The store's process is lost under the running service: a search is told so, and then works."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.embedded.folder import EngineFolder, locked
from sovereign_rag.wiring import open_service
from tests.api.conftest import serving

PATIENCE_S = 5
FAR_TOO_LONG_S = 60  # a busy machine adds to every wait; a start may take 120
QUERY = {"query": "When does the canteen open?"}


@pytest.fixture(scope="module")
def served(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[httpx.Client, EngineFolder]]:
    """A caller of a service whose searches wait for the store for a short time only."""
    letter = tmp_path_factory.mktemp("documents") / "canteen.md"
    letter.write_text("# Canteen\n\nThe canteen opens at half past eleven.\n", encoding="utf-8")
    settings = product_settings(store=StoreSettings(timeout_s=PATIENCE_S))
    with open_service(settings, embedder=embedder) as application:
        application.ingestion.ingest([letter], local_owner(), readers=frozenset({"everyone"}))
        key = {"Authorization": f"Bearer {application.catalog.keys.create('Ana', 'ana')[1]}"}
        with (
            serving(create_app(application)) as url,
            httpx.Client(base_url=url, headers=key, timeout=300) as client,
        ):
            yield client, EngineFolder(settings.data_dir)


def engine_of(folder: EngineFolder) -> int:
    return int(folder.engine_lock.read_text())


def test_a_killed_store_that_can_not_come_back_is_a_503_in_time_and_then_works(
    served: tuple[httpx.Client, EngineFolder],
) -> None:
    client, folder = served
    before = client.post("/v1/search", json=QUERY)

    with locked(folder.start_lock, timeout_s=30):  # whatever keeps a new one from starting
        os.kill(engine_of(folder), signal.SIGKILL)
        begun = time.monotonic()
        lost = client.post("/v1/search", json=QUERY)
        waited_s = time.monotonic() - begun
        alive = client.get("/healthz")

    assert (before.status_code, lost.status_code, alive.status_code) == (200, 503, 200)
    assert lost.json()["error"] == "StoreError"
    assert waited_s < FAR_TOO_LONG_S
    assert found_again(client) == before.json()["passages"]


def test_a_store_that_stands_still_is_a_503_in_time_and_then_works(
    served: tuple[httpx.Client, EngineFolder],
) -> None:
    client, folder = served
    before = found_again(client)
    engine = engine_of(folder)

    os.kill(engine, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        still = client.post("/v1/search", json=QUERY)
        waited_s = time.monotonic() - begun
    finally:
        os.kill(engine, signal.SIGCONT)

    assert still.status_code == 503
    assert waited_s < FAR_TOO_LONG_S
    assert found_again(client) == before


def found_again(client: httpx.Client) -> list[object]:
    """What is found once the store is there."""
    give_up = time.monotonic() + FAR_TOO_LONG_S
    while (response := client.post("/v1/search", json=QUERY)).status_code == 503:
        assert time.monotonic() < give_up
        time.sleep(0.2)
    assert response.status_code == 200
    passages: list[object] = response.json()["passages"]
    return passages
