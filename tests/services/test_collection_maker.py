"""A collection is made once, whoever comes first, and nobody's question waits for it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import StoreError
from sovereign_rag.indexes.making import CollectionMaker
from sovereign_rag.settings import Settings
from sovereign_rag.store.memory import MemoryStore


class Slow(MemoryStore):
    """Takes until it is told to get ready, as a cluster that has to agree does."""

    def __init__(self) -> None:
        super().__init__(dimension=2, collection="chunks-" + "of-a-model-with-a-long-name-" * 3)
        self.begun, self.agreed = threading.Event(), threading.Event()
        self.made = 0
        self.fails = False

    def is_made(self) -> bool:
        if self.fails:
            raise StoreError("The store is away.")
        return self.made > 0

    def make(self) -> None:
        self.begun.set()
        self.agreed.wait()
        self.made += 1


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(Settings(data_dir=tmp_path)) as catalog:
        yield catalog


def test_of_two_services_that_start_at_once_one_makes_it(catalog: Catalog) -> None:
    store = Slow()
    makers = [CollectionMaker(catalog.locks, patience_s=None) for _ in range(2)]
    threads = [threading.Thread(target=maker.ensure, args=(store,)) for maker in makers]

    for thread in threads:
        thread.start()
    store.begun.wait()
    store.agreed.set()
    for thread in threads:
        thread.join()

    assert store.made == 1
    for maker in makers:
        maker.close()


def test_a_question_is_told_that_it_is_being_made_and_a_later_one_finds_it(
    catalog: Catalog,
) -> None:
    store = Slow()
    maker = CollectionMaker(catalog.locks, patience_s=0.0)

    for _ in range(2):
        with pytest.raises(StoreError, match="is being made"):
            maker.ensure(store)
    store.agreed.set()
    maker.ensure(store, patient=True)
    maker.ensure(store)

    assert store.made == 1
    maker.close()


def test_a_store_that_was_away_is_asked_again(catalog: Catalog) -> None:
    store = Slow()
    store.agreed.set()
    store.fails = True
    maker = CollectionMaker(catalog.locks, patience_s=None)
    with pytest.raises(StoreError, match="away"):
        maker.ensure(store)

    store.fails = False
    maker.ensure(store)

    assert store.made == 1
    maker.close()
