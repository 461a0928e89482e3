"""Documents are taken away in one place: from everybody, or from some of their readers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.records import DocumentRecord, Lease, TaskState
from sovereign_rag.errors import NotFound
from sovereign_rag.privacy.erase import Eraser
from sovereign_rag.privacy.find import Asked
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.parts import part
from sovereign_rag.settings import Settings
from sovereign_rag.store.protocol import AllIndexes
from sovereign_rag.wiring import Application

pytestmark = pytest.mark.model

OWNER, ANA, BO = local_owner(), Principal("ana"), Principal("bo")
TEXT = "The gate of the yard opens at seven and closes at nine in the evening."


class DeletedMeanwhile(Erasure):
    """Somebody deletes the document at the very moment when its readers are to change."""

    def change_readers(
        self,
        tenant: str,
        document_id: str,
        readers: frozenset[str],
        level: int,
        lease: Lease | None = None,
    ) -> bool:
        self._all_indexes.prune(tenant, document_id, keep=None)
        self._documents.remove(tenant, document_id)
        return super().change_readers(tenant, document_id, readers, level, lease)


class Crowded(Application):
    """The product, with that somebody."""

    @part
    def erasure(self) -> Erasure:
        return DeletedMeanwhile(
            documents=self.catalog.documents,
            follow_ups=self.catalog.follow_ups,
            content=self.content,
            all_indexes=self.all_indexes,
        )


class SlowToPrune:
    """A store that takes longer than a person is kept waiting, as an engine that starts does."""

    def __init__(self, indexes: AllIndexes) -> None:
        self._indexes = indexes

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        time.sleep(2.5)
        self._indexes.prune(tenant, document_id, keep=keep)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._indexes, name)


class Slow(Application):
    """The product over such a store."""

    @part
    def erasure(self) -> Erasure:
        return Erasure(
            documents=self.catalog.documents,
            follow_ups=self.catalog.follow_ups,
            content=self.content,
            all_indexes=cast(AllIndexes, SlowToPrune(self.all_indexes)),
        )


@pytest.fixture
def slow(product_settings: Callable[..., Settings]) -> Iterator[Application]:
    application = Slow(product_settings())
    yield application
    application.close()


@pytest.fixture
def application(product_settings: Callable[..., Settings]) -> Iterator[Application]:
    application = Application(product_settings())
    yield application
    application.close()


@pytest.fixture
def crowded(product_settings: Callable[..., Settings]) -> Iterator[Application]:
    application = Crowded(product_settings())
    yield application
    application.close()


def ingested(application: Application, folder: Path, *readers: str) -> DocumentRecord:
    path = folder / "gate.txt"
    path.write_text(TEXT, encoding="utf-8")
    report = application.ingestion.ingest([path], OWNER, readers=frozenset(readers))
    assert [task.state for task in report.tasks] == [TaskState.INDEXED]
    return application.documents.list(OWNER)[0]


def found(application: Application, who: Principal) -> int:
    return len(application.searching.search("When does the gate open?", who))


def test_vectors_of_sentences_are_kept_beside_the_document_and_go_with_it(
    application: Application, tmp_path: Path
) -> None:
    known = ingested(application, tmp_path, "user:ana")
    content = application.settings.data_dir / "content"

    application.answers.answer(AnswerRequest("When does the gate open?", ANA))
    kept = [path.parent.name for path in content.rglob("*.sentences")]
    application.documents.delete(known.id, OWNER)

    assert kept == [known.content_hash]
    assert not list(content.rglob("*.sentences"))


def test_a_document_is_taken_from_one_reader_and_given_to_another(
    application: Application, tmp_path: Path
) -> None:
    known = ingested(application, tmp_path, "user:ana")
    assert (found(application, ANA), found(application, BO)) == (1, 0)

    changed = application.erasure.change_readers("default", known.id, frozenset({"user:bo"}), 0)

    assert changed
    assert (found(application, ANA), found(application, BO)) == (0, 1)


def test_an_erased_document_is_gone_from_search_list_and_disk(
    application: Application, tmp_path: Path
) -> None:
    known = ingested(application, tmp_path, "user:ana")

    for _ in range(2):  # who crashed on the way calls it again
        application.erasure.erase("default", known.id, known.content_hash)

    assert found(application, ANA) == 0
    with pytest.raises(NotFound):
        application.documents.get(known.id, ANA)
    assert list(application.content.hashes()) == []


def test_readers_of_a_document_that_is_gone_change_nothing(
    application: Application, tmp_path: Path
) -> None:
    known = ingested(application, tmp_path, "user:ana")
    application.documents.delete(known.id, OWNER)

    changed = application.erasure.change_readers("default", known.id, frozenset({"user:bo"}), 0)

    assert not changed
    assert found(application, BO) == 0


def test_a_document_that_is_deleted_while_its_readers_change_is_taken_in_anew(
    crowded: Application, tmp_path: Path
) -> None:
    ingested(crowded, tmp_path, "user:ana")

    ingested(crowded, tmp_path, "user:bo")

    assert (found(crowded, ANA), found(crowded, BO)) == (0, 1)


def test_bytes_are_erased_once_the_store_was_told_also_where_it_is_slow(
    slow: Application, tmp_path: Path
) -> None:
    known = ingested(slow, tmp_path, "user:ana")
    eraser = Eraser(slow)

    done = eraser.erase(eraser.finder.plan(Asked("default", documents=[known.id])), OWNER)

    files = [path for path in slow.settings.data_dir.rglob("*") if path.is_file()]
    assert done.scan.is_clean
    assert not [path for path in files if b"The gate of the yard" in path.read_bytes()]
