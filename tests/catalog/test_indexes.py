"""Which index is live, what each holds of the documents, and what an older catalog becomes."""

from contextlib import closing
from dataclasses import replace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog import migrate
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import BadInput, Busy, IndexSwitched
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock, set_readers, stored

OWNER = read_scope(local_owner())
RECIPE = IndexSpec("e5-1", 384, None, None, None, 320, 60, "words-1", 2)


def begin(catalog: Catalog) -> IndexRecord:
    return catalog.indexes.begin(replace(RECIPE, max_tokens=64), lambda number: f"chunks-{number}")


def write(catalog: Catalog, index: IndexRecord, record: DocumentRecord) -> bool:
    """As a build does it, once the chunks are in the store."""
    (found,) = [
        found
        for found in catalog.indexes.outdated(index.id, limit=10)
        if found.record.id == record.id
    ]
    catalog.indexes.begin_writing(index.id, record.tenant, [record.id])
    return catalog.indexes.end_writing(
        index.id, record.tenant, record.id, version="new", chunks=9, stamp=found.stamp
    )


def outdated(catalog: Catalog, index: IndexRecord) -> set[str]:
    return {found.record.id for found in catalog.indexes.outdated(index.id, limit=10)}


def version(catalog: Catalog, record: DocumentRecord) -> str | None:
    return catalog.documents.live_version(record.tenant, record.id)


def test_there_is_one_live_index_from_the_beginning_and_it_is_named_once(catalog: Catalog) -> None:
    first = catalog.indexes.live()

    named = catalog.indexes.name_live(RECIPE, "chunks")
    again = catalog.indexes.name_live(replace(RECIPE, model_id="another"), "others")

    assert (first.spec, first.collection) == (None, "")
    assert (named.spec, named.collection) == (RECIPE, "chunks")
    assert again == named


def test_a_change_of_readers_puts_another_index_behind_and_not_the_one_in_use(
    catalog: Catalog,
) -> None:
    one, two = stored("file:///1"), stored("file:///2")
    for record in (one, two):
        catalog.documents.publish(record)
    index = begin(catalog)
    assert write(catalog, index, one)
    assert write(catalog, index, two)

    set_readers(catalog, one.id, frozenset({"group:hr"}))

    live = catalog.indexes.coverage(catalog.indexes.live().id)
    building = catalog.indexes.coverage(index.id)
    assert (live.current, live.documents) == (2, 2)
    assert (building.current, building.documents) == (1, 2)


def test_an_index_is_switched_to_once_it_holds_every_document(catalog: Catalog) -> None:
    one, two = stored("file:///1"), stored("file:///2", tenant="other")
    catalog.documents.publish(one)
    catalog.documents.publish(two)
    index = begin(catalog)
    assert write(catalog, index, one)
    too_early = catalog.indexes.switch_to(index.id)
    before = version(catalog, one)
    assert write(catalog, index, two)

    switched = catalog.indexes.switch_to(index.id)

    assert not too_early
    assert switched
    assert before == "v1"
    assert (version(catalog, one), version(catalog, two)) == ("new", "new")
    found = catalog.documents.get(one.id, OWNER)
    assert (found.version, found.chunks) == ("new", 9)
    assert [record.state for record in catalog.indexes.all()] == [
        IndexState.PREVIOUS,
        IndexState.LIVE,
    ]


@pytest.mark.parametrize("change", ["content", "rights", "deletion and return"])
def test_a_document_that_changed_since_it_was_read_is_not_taken_for_written(
    catalog: Catalog, change: str
) -> None:
    record = stored()
    catalog.documents.publish(record)
    index = begin(catalog)
    (found,) = catalog.indexes.outdated(index.id, limit=10)
    if change == "content":
        catalog.documents.publish(replace(record, content_hash="b" * 64, version="v2"))
    elif change == "rights":
        set_readers(catalog, record.id, frozenset({"group:hr"}))
    else:
        catalog.documents.remove("default", record.id)
        catalog.documents.publish(record)

    written = catalog.indexes.end_writing(
        index.id, "default", record.id, version="new", chunks=9, stamp=found.stamp
    )

    assert not written
    assert outdated(catalog, index) == {record.id}
    assert write(catalog, index, record)
    assert outdated(catalog, index) == set()


@pytest.mark.parametrize("change", ["content", "rights"])
def test_a_change_after_it_was_written_is_caught_up_with_before_the_switch(
    catalog: Catalog, change: str
) -> None:
    record = stored()
    catalog.documents.publish(record)
    index = begin(catalog)
    write(catalog, index, record)
    if change == "content":
        catalog.documents.publish(replace(record, content_hash="b" * 64, version="v2"))
    else:
        set_readers(catalog, record.id, frozenset({"group:hr"}))

    assert not catalog.indexes.switch_to(index.id)
    assert write(catalog, index, record)
    assert catalog.indexes.switch_to(index.id)


def test_a_text_that_was_replaced_is_found_in_no_index_any_more(catalog: Catalog) -> None:
    record = stored()
    catalog.documents.publish(record)
    index = begin(catalog)
    write(catalog, index, record)
    catalog.indexes.switch_to(index.id)
    before = catalog.at(1).documents.live_versions([record.id], OWNER)

    catalog.documents.publish(replace(record, content_hash="b" * 64, version="v2"))

    assert before.keys() == {record.id}
    assert catalog.at(1).documents.live_versions([record.id], OWNER) == {}
    assert catalog.documents.live_versions([record.id], OWNER)[record.id].version == "v2"


def test_rights_are_the_same_in_every_index(catalog: Catalog) -> None:
    record, ana = stored(), read_scope(Principal("ana"))
    catalog.documents.publish(record)
    index = begin(catalog)
    write(catalog, index, record)
    assert catalog.at(index.id).documents.live_versions([record.id], ana).keys() == {record.id}

    set_readers(catalog, record.id, frozenset({"group:hr"}))

    assert catalog.at(1).documents.live_versions([record.id], ana) == {}
    assert catalog.at(index.id).documents.live_versions([record.id], ana) == {}


def test_what_was_being_written_of_a_document_that_is_gone_is_remembered(catalog: Catalog) -> None:
    written, begun = stored("file:///1"), stored("file:///2")
    catalog.documents.publish(written)
    catalog.documents.publish(begun)
    index = begin(catalog)
    write(catalog, index, written)
    catalog.indexes.begin_writing(index.id, "default", [begun.id])

    catalog.documents.remove("default", written.id)
    catalog.documents.remove("default", begun.id)

    left = {("default", written.id), ("default", begun.id)}
    assert set(catalog.indexes.removable(index.id)) == left
    catalog.indexes.note_removed(index.id, [written.id, begun.id])
    assert catalog.indexes.removable(index.id) == []
    assert catalog.indexes.switch_to(index.id)


def test_a_writer_of_an_index_that_is_not_live_any_more_publishes_nothing(
    catalog: Catalog,
) -> None:
    record = stored()
    of_first = catalog.at(1)
    of_first.documents.publish(record)
    index = begin(catalog)
    write(catalog, index, record)
    catalog.indexes.switch_to(index.id)

    with pytest.raises(IndexSwitched):
        of_first.documents.publish(replace(record, version="v2"))

    assert version(catalog, record) == "new"
    catalog.at(index.id).documents.publish(replace(record, version="v3"))
    assert version(catalog, record) == "v3"


def test_the_live_index_cannot_be_removed_and_another_can(catalog: Catalog) -> None:
    index = begin(catalog)
    with pytest.raises(BadInput):
        catalog.indexes.drop(1)

    catalog.indexes.drop(index.id)
    with pytest.raises(BadInput, match="being removed"):
        catalog.indexes.switch_to(index.id)
    catalog.indexes.forget(index.id)

    assert [record.id for record in catalog.indexes.all()] == [1]
    assert begin(catalog).id > index.id  # a number is never another's


def test_one_process_at_a_time_holds_and_a_dead_one_is_waited_for_no_longer_than_its_lease(
    catalog: Catalog, clock: SetClock
) -> None:
    catalog.locks.acquire("reindex", "one", lease_s=60, doing="building")
    with pytest.raises(Busy, match="building since 12:00"):
        catalog.locks.acquire("reindex", "two", lease_s=60, doing="building")

    clock.move(seconds=50)
    assert catalog.locks.renew("reindex", "one", lease_s=60)
    clock.move(seconds=61)
    catalog.locks.acquire("reindex", "two", lease_s=60, doing="building")

    assert not catalog.locks.renew("reindex", "one", lease_s=60)
    catalog.locks.release("reindex", "one")
    assert catalog.locks.holder("reindex") == "two"


def test_a_catalog_from_before_indexes_keeps_its_documents_readers_and_versions(
    settings: Settings,
) -> None:
    database = Database.of(settings)
    with closing(database), database.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate._SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for number, found in enumerate(("v1", "")):  # the second one was never readable
            connection.execute(
                text(
                    "INSERT INTO documents VALUES (:id, 'default', 'u', 'n', 't', 'indexed', NULL, "
                    "'h', 'p', :version, 'text/plain', 'en', false, 1, 7, 3, NULL, 0, '{}', "
                    "'2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                ),
                {"id": f"document {number}", "version": found},
            )
            for label in ("owner", "group:hr"):
                connection.execute(
                    text("INSERT INTO document_readers VALUES (:id, :label)"),
                    {"id": f"document {number}", "label": label},
                )

    with Catalog.open(settings) as catalog:
        first, second = catalog.documents.readable(OWNER, limit=10)
        live = catalog.documents.live_versions([first.id, second.id], OWNER)
        index = begin(catalog)
        lacking = outdated(catalog, index)

    assert (first.version, first.chunks, second.version, second.chunks) == ("v1", 7, "", 0)
    assert first.readers == second.readers == {"group:hr"}
    assert {id_: found.version for id_, found in live.items()} == {first.id: "v1"}
    assert lacking == {first.id}
