"""What all tests share: the guard against egress, and one small real product."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import buckets, costs, egress_guard

egress_guard.install()

from ingest.parse.process.fork_servers import OF_THIS_PROGRAM  # noqa: E402  - the guard sees it
from sovereign_rag.embedding import opening  # noqa: E402  - likewise
from sovereign_rag.embedding.dense import DenseEmbedder  # noqa: E402  - likewise
from sovereign_rag.embedding.opening import OpenedEmbedder, open_embedder  # noqa: E402  - likewise
from sovereign_rag.settings import Settings, load_settings  # noqa: E402  - likewise
from sovereign_rag.wiring import Application, open_service  # noqa: E402  - likewise
from tests.made_catalogs import upgrade  # noqa: E402  - likewise
from tests.warm_engines import WarmEngines  # noqa: E402  - likewise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is costly, for `make test-fast`, and begin with it."""
    costs.mark(items)
    costs.put_costly_first(items)


stay_on_this_machine = egress_guard.stay_on_this_machine
storage = buckets.storage


@pytest.fixture(scope="session", autouse=True)
def one_parsing_process() -> Iterator[None]:
    """What is started for the first document forks for all products of a run."""
    OF_THIS_PROGRAM.join()
    yield
    OF_THIS_PROGRAM.leave()


@pytest.fixture(scope="session", autouse=True)
def made_catalogs() -> Iterator[None]:
    """New catalogs are copies of one that was made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sovereign_rag.catalog.catalog.upgrade", upgrade)
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines of data folders that this process opens begin with their imports done."""
    engines = WarmEngines(tmp_path_factory.mktemp("engines"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sovereign_rag.store.embedded.client.launch", engines.launch)
        yield
    engines.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def product_settings(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Makes settings over a fresh data folder; models are shared with the user's own."""

    def make(**sections: object) -> Settings:
        folder = tmp_path_factory.mktemp("data")
        return load_settings(overrides={"data_dir": folder, **sections})

    return make


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """Products and commands of a process that want the usual embedding model share one."""
    usual, kept, lock = load_settings(), list[DenseEmbedder](), threading.Lock()

    def opened(settings: Settings) -> OpenedEmbedder:
        if (settings.embedding, settings.models_dir) != (usual.embedding, usual.models_dir):
            return open_embedder(settings)
        with lock:
            if not kept:
                kept.append(DenseEmbedder.open(settings))
                patch.setattr(kept[0], "close", lambda: None)
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sovereign_rag.embedding.opening.open_embedder", opened)
        yield
    for embedder in kept:
        embedder.close()


@pytest.fixture(scope="session")
def embedder(one_model: None) -> DenseEmbedder:
    """The default embedding model, loaded once."""
    found = opening.open_embedder(load_settings())
    assert isinstance(found, DenseEmbedder)
    return found


@pytest.fixture(scope="session")
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    """One real product for tests that only read: nobody changes its documents."""
    with open_service(product_settings(), embedder=embedder) as application:
        yield application
