"""A small product whose settings ask for other chunks than its index was made with."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.reindex.build import Built, Reindexing
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import (
    AnswerSettings,
    ChunkSettings,
    Settings,
    StoreSettings,
    load_settings,
)
from sovereign_rag.store.embedded.folder import EngineFolder, locked
from sovereign_rag.wiring import Application, open_service

OWNER, NEIGHBOUR = local_owner(), local_owner("neighbour")
ANA = Principal("ana")
EVERYONE = frozenset({"everyone"})
PATIENT = StoreSettings(timeout_s=60)
SHORT = ChunkSettings(max_tokens=64, min_tokens=0)
RULES = (
    "# Rules of the house\n\n"
    "The door is closed at nine in the evening, and on Sundays at eight. Who comes later rings "
    "the bell of the porter, who opens until midnight.\n\n"
    "The rent is due on the third working day of the month. It is paid by transfer, and the flat "
    "is named in the reference, so that nobody has to ask whose it was.\n\n"
    "Bicycles stand in the shed behind the house. What stands in the corridor is taken to the "
    "cellar, and given back against a signature.\n"
)
MENU = (
    "Menu of the week\n\nOn Mondays there is lentil soup for everybody, with bread from the baker "
    "across the street. On Fridays there is fish, and for those who eat none there are dumplings "
    "with plums. Guests are told to the kitchen on the day before.\n"
)
QUESTION = "When is the door closed?"

Reopened = Callable[..., AbstractContextManager[Application]]


@dataclass(frozen=True)
class Filled:
    """A data folder into which documents were taken, closed, and the folder that they are of."""

    data: Path
    documents: Path


@pytest.fixture(scope="session")
def filled(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Filled:
    """Two documents of one tenant, one of them also of another; copied for each test."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "rules.md").write_text(RULES)
    (folder / "menu.txt").write_text(MENU)
    settings = product_settings(store=PATIENT)
    with open_service(settings, embedder=embedder) as application:
        application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
        application.ingestion.ingest([folder / "menu.txt"], NEIGHBOUR, readers=EVERYONE)
    with locked(EngineFolder(settings.data_dir).engine_lock, timeout_s=60):
        return Filled(settings.data_dir, folder)  # the engine has ended, and flushed


@pytest.fixture
def folder(filled: Filled) -> Iterator[Path]:
    """The documents' folder, which is put back as it was."""
    texts = {filled.documents / "rules.md": RULES, filled.documents / "menu.txt": MENU}
    times = {path: path.stat() for path in texts}
    yield filled.documents
    for path in set(filled.documents.iterdir()) - set(texts):
        path.unlink()
    for path, text in texts.items():
        path.write_text(text)
        # As old as it was: a file that is newer than its document counts as changed.
        os.utime(path, ns=(times[path].st_atime_ns, times[path].st_mtime_ns))


@pytest.fixture
def settings(filled: Filled, tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    shutil.copytree(filled.data, data, ignore=shutil.ignore_patterns("run", "*.lock"))
    return load_settings(
        overrides={"data_dir": data, "answer": AnswerSettings(kind="extracts"), "store": PATIENT}
    )


@pytest.fixture
def reopened(settings: Settings, embedder: DenseEmbedder) -> Reopened:
    """Opens the product again over the same data folder, with other settings."""

    @contextmanager
    def reopen(**sections: object) -> Iterator[Application]:
        with open_service(settings.model_copy(update=sections), embedder=embedder) as opened:
            yield opened

    return reopen


@pytest.fixture
def application(reopened: Reopened) -> Iterator[Application]:
    """Over the documents that were taken in; short chunks are wanted by now."""
    with reopened(chunk=SHORT) as opened:
        yield opened


def build(application: Application) -> IndexRecord:
    """The index that the settings want, whole."""
    index = application.reindexing.begin(application.indexes.wanted())
    assert write(application.reindexing, index).is_whole
    return index


def write(reindexing: Reindexing, index: IndexRecord) -> Built:
    with reindexing.lease() as lease:
        return reindexing.build(index, lease)


def switch(reindexing: Reindexing, index: IndexRecord) -> Built:
    with reindexing.lease() as lease:
        return reindexing.switch(index, OWNER, lease)


def texts(application: Application, query: str, principal: Principal = OWNER) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]


def finds(application: Application, word: str, principal: Principal = OWNER) -> bool:
    return any(word in text for text in texts(application, word, principal))


def document(application: Application, name: str, principal: Principal = OWNER) -> str:
    """The id of a document."""
    return next(d.id for d in application.documents.list(principal) if d.name == name)


def stored(application: Application, index: IndexRecord, id_: str, tenant: str = "default") -> int:
    """How many chunks of a document are in an index, of whichever version."""
    return sum(application.indexes.store(index).versions(tenant, id_).values())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
