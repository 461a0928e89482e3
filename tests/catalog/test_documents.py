from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sovereign_rag.access import Principal, ReadScope, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, TaskRecord, document_id
from sovereign_rag.errors import NotFound
from tests.catalog.conftest import SetClock, new_task, set_readers, stored

OWNER = read_scope(local_owner())
FINANCE = read_scope(Principal("ana", frozenset({"finance"})))
NOBODY_IN_PARTICULAR = read_scope(Principal("eve"))


def test_a_published_document_comes_back_as_it_was(catalog: Catalog) -> None:
    record = stored(readers=frozenset({"group:finance", "user:bo"}), level=0)

    catalog.documents.publish(record)

    assert catalog.documents.get(record.id, FINANCE) == record
    assert catalog.documents.find("default", record.uri) == record


def test_publishing_again_replaces_all_but_the_time_of_creation(catalog: Catalog) -> None:
    first = stored(readers=frozenset({"group:finance"}))
    catalog.documents.publish(first)
    later = first.created + timedelta(days=1)
    second = replace(
        first, version="v2", readers=frozenset({"user:eve"}), created=later, updated=later
    )

    catalog.documents.publish(second)

    assert catalog.documents.find("default", first.uri) == replace(second, created=first.created)
    assert catalog.documents.count(FINANCE) == 0
    assert catalog.documents.count(NOBODY_IN_PARTICULAR) == 1


def test_unreadable_and_missing_documents_give_the_same_answer(catalog: Catalog) -> None:
    record = stored(readers=frozenset({"group:finance"}))
    catalog.documents.publish(record)

    with pytest.raises(NotFound) as unreadable:
        catalog.documents.get(record.id, NOBODY_IN_PARTICULAR)
    with pytest.raises(NotFound) as missing:
        catalog.documents.get(document_id("default", "file:///no"), NOBODY_IN_PARTICULAR)

    assert str(unreadable.value) == str(missing.value)


def test_a_document_without_readers_is_the_owners_alone(catalog: Catalog) -> None:
    catalog.documents.publish(stored(readers=frozenset()))

    assert catalog.documents.count(OWNER) == 1
    assert catalog.documents.count(FINANCE) == 0


def test_a_list_of_documents_continues_after_the_last_id(catalog: Catalog) -> None:
    for number in range(5):
        catalog.documents.publish(stored(f"file:///{number}.pdf"))
    catalog.documents.publish(stored("file:///hidden.pdf", readers=frozenset({"group:finance"})))

    pages = [catalog.documents.readable(NOBODY_IN_PARTICULAR, limit=2)]
    while pages[-1]:
        pages.append(
            catalog.documents.readable(NOBODY_IN_PARTICULAR, limit=2, after=pages[-1][-1].id)
        )

    ids = [record.id for page in pages for record in page]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert ids == sorted(document_id("default", f"file:///{number}.pdf") for number in range(5))


def test_a_change_of_readers_is_seen_by_the_next_question(catalog: Catalog) -> None:
    record = stored(readers=frozenset({"everyone"}))
    catalog.documents.publish(record)

    set_readers(catalog, record.id, frozenset({"group:finance"}))

    assert catalog.documents.live_versions([record.id], NOBODY_IN_PARTICULAR) == {}
    assert set(catalog.documents.live_versions([record.id], FINANCE)) == {record.id}


def test_a_raised_level_hides_from_those_without_clearance(catalog: Catalog) -> None:
    record = stored()
    catalog.documents.publish(record)

    set_readers(catalog, record.id, record.readers, 2)

    cleared = read_scope(Principal("ana", clearance=2))
    assert (
        catalog.documents.live_versions([record.id], read_scope(Principal("ana", clearance=1)))
        == {}
    )
    assert set(catalog.documents.live_versions([record.id], cleared)) == {record.id}


def test_readers_of_another_tenants_document_cannot_be_changed(catalog: Catalog) -> None:
    record = stored()
    catalog.documents.publish(record)

    with pytest.raises(NotFound):
        catalog.follow_ups.change("other", record.id, frozenset({"user:eve"}), 0)

    assert catalog.documents.find("default", record.uri) == record


def test_removal_forgets_a_document_and_may_run_twice(catalog: Catalog) -> None:
    record = stored()
    catalog.documents.publish(record)

    catalog.documents.remove("other", record.id)
    kept = catalog.documents.find("default", record.uri)
    catalog.documents.remove("default", record.id)
    catalog.documents.remove("default", record.id)

    assert kept == record
    assert catalog.documents.find("default", record.uri) is None
    assert catalog.documents.live_versions([record.id], OWNER) == {}


def test_live_versions_are_those_that_can_be_searched(catalog: Catalog) -> None:
    live = stored("file:///live.pdf", version="v9", title="Live")
    failed = stored("file:///failed.pdf", version="", status=DocumentStatus.FAILED)
    for record in (live, failed):
        catalog.documents.publish(record)

    found = catalog.documents.live_versions([live.id, failed.id, "unknown"], NOBODY_IN_PARTICULAR)

    assert set(found) == {live.id}
    assert (found[live.id].version, found[live.id].title) == ("v9", "Live")
    assert (found[live.id].content_hash, found[live.id].parse_key) == (live.content_hash, "p1")


def test_live_versions_of_more_ids_than_one_statement_takes(catalog: Catalog) -> None:
    record = stored()
    catalog.documents.publish(record)
    others = [document_id("default", str(number)) for number in range(1_200)]

    assert set(catalog.documents.live_versions([*others, record.id], OWNER)) == {record.id}


def leased(catalog: Catalog, uri: str, **changes: object) -> TaskRecord:
    catalog.jobs.create("default", "owner", [new_task(uri, **changes)])
    task = catalog.leases.acquire("worker", lease_s=60)
    assert task is not None
    return task


def test_a_document_that_never_was_readable_is_listed_to_its_readers(catalog: Catalog) -> None:
    task = leased(catalog, "file:///broken.pdf", content_hash="b" * 64)

    catalog.documents.record_failure(task, "It is encrypted.")

    (listed,) = catalog.documents.readable(FINANCE, limit=10)
    assert (listed.status, listed.reason) == (DocumentStatus.FAILED, "It is encrypted.")
    assert catalog.documents.readable(NOBODY_IN_PARTICULAR, limit=10) == []
    assert catalog.documents.live_versions([listed.id], FINANCE) == {}


def test_a_failed_replacement_leaves_the_older_version_as_it_was(
    catalog: Catalog, clock: SetClock
) -> None:
    older = stored(readers=frozenset({"everyone"}))
    catalog.documents.publish(older)
    clock.move(hours=1)
    task = leased(catalog, older.uri, content_hash="b" * 64)

    catalog.documents.record_failure(task, "It is encrypted.")

    now = catalog.documents.get(older.id, NOBODY_IN_PARTICULAR)
    assert now == replace(older, reason=now.reason, updated=clock.now)
    assert now.reason is not None
    assert now.reason.endswith("It is encrypted.")
    assert set(catalog.documents.live_versions([older.id], NOBODY_IN_PARTICULAR)) == {older.id}


def test_content_is_in_use_while_any_tenants_document_has_it(catalog: Catalog) -> None:
    ours, theirs = stored(content_hash="c" * 64), stored(tenant="other", content_hash="c" * 64)
    catalog.documents.publish(ours)
    catalog.documents.publish(theirs)

    catalog.documents.remove("default", ours.id)
    with_one_left = catalog.documents.content_in_use("c" * 64)
    catalog.documents.remove("other", theirs.id)

    assert with_one_left
    assert not catalog.documents.content_in_use("c" * 64)


def test_content_is_in_use_while_a_task_waits_for_it(catalog: Catalog) -> None:
    task = leased(catalog, "file:///a.pdf", content_hash="d" * 64)

    while_leased = catalog.documents.content_in_use("d" * 64)
    catalog.leases.finish(task.id, "worker", task.state.INDEXED)

    assert while_leased
    assert not catalog.documents.content_in_use("d" * 64)


def test_the_bytes_of_an_upload_that_failed_wait_a_week_for_a_retry(
    catalog: Catalog, clock: SetClock
) -> None:
    task = leased(catalog, "file:///a.pdf", content_hash="d" * 64)
    catalog.leases.finish(task.id, "worker", task.state.FAILED)

    clock.move(days=6)
    in_time = catalog.documents.content_in_use("d" * 64)
    clock.move(days=2)

    assert in_time
    assert not catalog.documents.content_in_use("d" * 64)


def test_text_that_no_database_stores_is_mended(catalog: Catalog) -> None:
    record = replace(stored(), title="a\0b\udc80", properties={"subject\0": "x\0\ud800"})

    catalog.documents.publish(record)

    found = catalog.documents.get(record.id, OWNER)
    assert (found.title, found.properties) == ("ab?", {"subject": "x?"})


def test_the_same_file_is_the_same_document_within_its_tenant_alone() -> None:
    assert document_id("a", "file:///x") == document_id("a", "file:///x")
    assert document_id("a", "file:///x") != document_id("b", "file:///x")
    assert document_id("a", "file:///\udc80") != document_id("a", "file:///\udc81")


LABELS = st.frozensets(
    st.sampled_from(["everyone", "user:ana", "user:finance", "group:finance", "group:ana"])
)
DOCUMENTS = st.lists(
    st.tuples(st.sampled_from(["default", "other"]), LABELS, st.integers(0, 3)), max_size=8
)
PRINCIPALS = st.builds(
    Principal,
    st.sampled_from(["ana", "finance", "eve"]),
    st.frozensets(st.sampled_from(["finance", "ana", "everyone"])),
    st.sampled_from(["default", "other"]),
    st.integers(0, 3),
    st.booleans(),
)


@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=DOCUMENTS, principal=PRINCIPALS)
def test_the_database_lets_read_exactly_what_the_rule_allows(
    catalog: Catalog, rows: list[tuple[str, frozenset[str], int]], principal: Principal
) -> None:
    scope = read_scope(principal)
    records = [
        stored(f"file:///{number}", tenant=tenant, readers=readers, level=level)
        for number, (tenant, readers, level) in enumerate(rows)
    ]
    with published(catalog, records):
        readable = {record.id for record in records if rule(scope, record)}

        listed = {record.id for record in catalog.documents.readable(scope, limit=100)}
        live = set(catalog.documents.live_versions([record.id for record in records], scope))

        assert listed == live == readable
        assert catalog.documents.count(scope) == len(readable)


def rule(scope: ReadScope, record: DocumentRecord) -> bool:
    return scope.allows(
        tenant=record.tenant, readers=record.readers | {"owner"}, level=record.level
    )


class published:
    """Documents that are there for the length of one example."""

    def __init__(self, catalog: Catalog, records: list[DocumentRecord]) -> None:
        self.catalog, self.records = catalog, records

    def __enter__(self) -> None:
        for record in self.records:
            self.catalog.documents.publish(record)

    def __exit__(self, *exception: object) -> None:
        for record in self.records:
            self.catalog.documents.remove(record.tenant, record.id)
