"""What is changed, deleted or revoked while an index is built, or once it is kept, reaches it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.leases.lease import DocumentLease
from ingest.pipeline import Pipeline
from ingest.reindex.build import Reindexing
from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import ParsedDocument
from sovereign_rag.indexes.open_indexes import OpenIndex
from sovereign_rag.services.editing import Edit
from sovereign_rag.wiring import Application
from tests.ingest.reindex.conftest import (
    ANA,
    EVERYONE,
    OWNER,
    QUESTION,
    document,
    finds,
    stored,
    switch,
    texts,
    wait_until,
    write,
)

HR = Principal("hugo", frozenset({"hr"}))
FOR_HR = frozenset({"group:hr"})


@dataclass
class Disturbed:
    """A pipeline in whose midst something happens, once: chunks are written, and not recorded."""

    pipeline: Pipeline
    happens: list[Callable[[], object]]

    def copy(
        self,
        documents: Sequence[DocumentRecord],
        texts: Sequence[ParsedDocument],
        lease: DocumentLease,
    ) -> list[tuple[str, int]]:
        written = self.pipeline.copy(documents, texts, lease)
        while self.happens:
            self.happens.pop()()
        return written


def disturbed(application: Application, happens: Callable[[], object]) -> Reindexing:
    once = [happens]

    def pipeline(index: OpenIndex) -> Disturbed:
        return Disturbed(application.pipeline_of(index), once)

    return Reindexing(
        catalog=application.catalog,
        content=application.content,
        audit=application.audit,
        indexes=application.indexes,
        pipeline=pipeline,
        free=lambda: 1 << 40,
        settings=application.settings,
    )


def switched(application: Application, reindexing: Reindexing) -> IndexRecord:
    index = reindexing.begin(application.indexes.wanted())
    assert switch(reindexing, index).is_whole
    wait_until(lambda: application.indexes.current().record.id == index.id)
    return index


def set_readers(application: Application, folder: Path, name: str, readers: frozenset[str]) -> None:
    application.ingestion.ingest([folder / name], OWNER, readers=readers)


def test_a_document_deleted_while_it_is_written_is_in_no_index(application: Application) -> None:
    doomed = document(application, "menu.txt")

    index = switched(
        application, disturbed(application, lambda: application.documents.delete(doomed, OWNER))
    )

    assert stored(application, index, doomed) == 0
    assert not finds(application, "lentil")
    assert finds(application, "porter", ANA)
    assert application.catalog.indexes.removable(index.id) == []


def test_what_a_killed_builder_left_of_a_deleted_document_is_removed_by_the_next(
    application: Application,
) -> None:
    doomed = document(application, "menu.txt")

    version = application.documents.get(doomed, OWNER).version
    last_batch = application.store.stored("default", doomed, version, range(1))

    def delete_and_die() -> None:
        application.documents.delete(doomed, OWNER)
        raise KeyboardInterrupt

    dying = disturbed(application, delete_and_die)
    index = dying.begin(application.indexes.wanted())
    with suppress(KeyboardInterrupt):  # the one that is raised above
        write(dying, index)
    # Its last batch reached the store after the deletion.
    application.indexes.store(index).put(last_batch)

    switched(application, application.reindexing)

    assert stored(application, index, doomed) == 0
    assert finds(application, "porter", ANA)


def test_a_right_revoked_while_a_document_is_written_holds_in_the_new_index(
    application: Application, folder: Path
) -> None:
    assert finds(application, "lentil", ANA)

    index = switched(
        application,
        disturbed(application, lambda: set_readers(application, folder, "menu.txt", FOR_HR)),
    )

    store = application.indexes.store(index)
    assert not finds(application, "lentil", ANA)
    assert finds(application, "lentil", HR)
    # In the index itself, not only by what the catalog keeps back: counts go by it.
    assert store.count(read_scope(ANA)) == len(texts(application, QUESTION, ANA))


def test_a_document_changed_while_it_is_written_is_new_after_the_switch(
    application: Application, folder: Path
) -> None:
    def change() -> None:
        (folder / "menu.txt").write_text("Menu of the week\n\nOn Mondays there is pumpkin soup.\n")
        application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    index = switched(application, disturbed(application, change))

    assert finds(application, "pumpkin", ANA)
    assert not any("lentil" in text for text in texts(application, "soup", ANA))
    (version,) = application.indexes.store(index).versions(
        "default", document(application, "menu.txt")
    )
    assert version == application.documents.get(document(application, "menu.txt"), OWNER).version


def test_a_document_that_came_during_the_build_is_there_after_it(
    application: Application, folder: Path
) -> None:
    def add() -> None:
        (folder / "late.txt").write_text("The porter's telephone number is seventeen.")
        application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    switched(application, disturbed(application, add))

    assert finds(application, "seventeen", ANA)


def test_a_document_deleted_after_the_switch_is_gone_from_the_index_that_is_kept(
    application: Application,
) -> None:
    doomed = document(application, "menu.txt")
    old = application.catalog.indexes.live()
    new = switched(application, application.reindexing)
    before = [stored(application, index, doomed) for index in (old, new)]

    application.documents.delete(doomed, OWNER)

    assert all(count > 0 for count in before)
    assert [stored(application, index, doomed) for index in (old, new)] == [0, 0]


def test_a_right_revoked_after_the_switch_is_revoked_in_the_index_that_is_kept(
    application: Application, folder: Path
) -> None:
    old = application.catalog.indexes.live()
    switched(application, application.reindexing)
    count = application.indexes.store(old).count(read_scope(ANA))

    set_readers(application, folder, "menu.txt", FOR_HR)

    assert application.indexes.store(old).count(read_scope(ANA)) < count
    switch(application.reindexing, old)
    wait_until(lambda: application.indexes.current().record.id == old.id)
    assert not finds(application, "lentil", ANA)
    assert finds(application, "lentil", HR)


def test_a_language_stated_while_a_document_is_written_or_later_is_that_of_every_index(
    application: Application,
) -> None:
    menu, old = document(application, "menu.txt"), application.catalog.indexes.live()

    def say(language: str) -> None:
        edit = Edit(stated=lambda before: replace(before, language=language))
        application.editor.edit(menu, edit, OWNER)
        wait_until(lambda: not application.catalog.follow_ups.is_noted(menu))

    new = switched(application, disturbed(application, lambda: say("nl")))
    after_the_switch = [languages(application, index, menu) for index in (old, new)]
    say("de")
    later = [languages(application, index, menu) for index in (old, new)]

    assert after_the_switch == [{"nl"}, {"nl"}]
    assert later == [{"de"}, {"de"}]


def languages(application: Application, index: IndexRecord, id_: str) -> set[str | None]:
    """Of a document's chunks in an index."""
    store, at = application.indexes.store(index), application.catalog.at(index.id)
    version = at.documents.live_version("default", id_)
    assert version is not None
    found = store.stored("default", id_, version, range(100))
    return {one.chunk.language for one in found}


def test_what_replaced_a_text_after_the_switch_removes_it_from_the_index_that_is_kept(
    application: Application, folder: Path
) -> None:
    old = application.catalog.indexes.live()
    switched(application, application.reindexing)
    menu = document(application, "menu.txt")
    (folder / "menu.txt").write_text("Menu of the week\n\nOn Mondays there is pumpkin soup.\n")

    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    assert stored(application, old, menu) == 0
    switch(application.reindexing, old)
    wait_until(lambda: application.indexes.current().record.id == old.id)
    assert finds(application, "pumpkin", ANA)
