"""Lists of documents: within the rights, as they were asked for, whole and without a double."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import ALL_DOCUMENTS, DocumentQuery, Order
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, document_id
from sovereign_rag.errors import BadInput
from sovereign_rag.text.folding import folded
from tests.catalog.conftest import stored
from tests.catalog.test_documents import published, rule

OWNER = read_scope(local_owner())
ANA = read_scope(Principal("ana", frozenset({"finance"})))
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def walked(
    catalog: Catalog, query: DocumentQuery, limit: int = 2, who: Any = OWNER
) -> list[DocumentRecord]:
    """The whole list, page by page; each page tells the same total."""
    found: list[DocumentRecord] = []
    after, totals = None, set()
    while True:
        page = catalog.lists.page(query, who, limit=limit, after=after)
        found += page.documents
        totals.add(page.total)
        if (after := page.following) is None:
            assert totals == {len(found)}
            return found


@pytest.fixture
def library(catalog: Catalog) -> Catalog:
    """Five documents that the owner may read, and ana all but the fourth."""
    for number, record in enumerate(
        [
            stored(title="Économie d'énergie"),
            replace(stored(title="economy of scale"), modified=None, created=NOON),
            stored(title="Zebra", status=DocumentStatus.PARTIAL),
            stored(title="Salaries", readers=frozenset({"group:hr"})),
            stored("file:///other/budget.pdf", title="Budget 100%_a"),
        ]
    ):
        uri = record.uri if number == 4 else f"file:///srv/{number}.pdf"
        catalog.documents.publish(
            replace(
                record,
                id=document_id("default", uri),
                uri=uri,
                name=uri.rpartition("/")[2],
                media_type="text/plain" if number == 0 else record.media_type,
                found_language="en" if number in {1, 2} else "fr",
                modified=record.modified and NOON - timedelta(days=number),
                updated=NOON + timedelta(number),
            )
        )
    return catalog


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        (DocumentQuery(words="ÉCONOM"), {"Économie d'énergie", "economy of scale"}),
        (DocumentQuery(words="energie econ"), {"Économie d'énergie"}),
        (DocumentQuery(words="100%_"), {"Budget 100%_a"}),  # no pattern
        (DocumentQuery(words="2.pdf"), {"Zebra"}),
        (DocumentQuery(statuses=frozenset({DocumentStatus.PARTIAL})), {"Zebra"}),
        (DocumentQuery(media_types=frozenset({"text/plain"})), {"Économie d'énergie"}),
        (DocumentQuery(languages=frozenset({"en"})), {"economy of scale", "Zebra"}),
        (DocumentQuery(languages=frozenset()), set()),
        (DocumentQuery(sources=frozenset({"file:///other"})), {"Budget 100%_a"}),
        (DocumentQuery(sources=frozenset({"file:///srv/2.pdf"})), {"Zebra"}),
        (DocumentQuery(sources=frozenset({"file:///sr"})), set()),
        (DocumentQuery(labels=frozenset({"group:hr"})), set()),  # not the asker's own
        (DocumentQuery(date_from=NOON), {"Économie d'énergie", "economy of scale"}),
        (DocumentQuery(date_before=NOON - timedelta(days=3)), {"Budget 100%_a"}),
        (DocumentQuery(words="salar"), set()),  # not the asker's to read
    ],
)
def test_a_list_holds_what_it_is_asked_for_of_what_may_be_read(
    library: Catalog, query: DocumentQuery, titles: set[str]
) -> None:
    assert {one.title for one in walked(library, query, who=ANA)} == titles


@pytest.mark.parametrize(
    ("order", "key"),
    [
        (Order.TITLE, lambda d: folded(d.title)),
        (Order.DATE, lambda d: d.date),
        (Order.UPDATED, lambda d: d.updated),
        (Order.ID, lambda d: d.id),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
def test_a_list_comes_in_its_order_page_by_page(
    library: Catalog, order: Order, key: Callable[[DocumentRecord], Any], descending: bool
) -> None:
    listed = walked(library, DocumentQuery(order=order, descending=descending))

    assert len(listed) == 5
    assert [d.id for d in listed] == [
        d.id for d in sorted(listed, key=lambda d: (key(d), d.id), reverse=descending)
    ]


def test_a_list_goes_on_at_its_place_where_documents_come_in_and_leave(library: Catalog) -> None:
    query = DocumentQuery(order=Order.TITLE)
    first = library.lists.page(query, OWNER, limit=2)
    library.documents.remove("default", first.documents[0].id)
    library.documents.publish(stored("file:///new.pdf", title="Aardvark"))

    rest = library.lists.page(query, OWNER, limit=9, after=first.following)

    assert [d.title for d in first.documents] == ["Budget 100%_a", "Économie d'énergie"]
    assert [d.title for d in rest.documents] == ["economy of scale", "Salaries", "Zebra"]


@pytest.mark.parametrize("after", ["nonsense", "WyJkYXRlIiwieCIsIngiXQ", "€", "W10", "MQ"])
def test_a_place_of_another_list_is_refused(library: Catalog, after: str) -> None:
    query = DocumentQuery(order=Order.DATE)
    page = library.lists.page(query, OWNER, limit=1)

    with pytest.raises(BadInput, match="`after`"):
        library.lists.page(query, OWNER, limit=1, after=after)
    assert library.lists.page(query, OWNER, limit=1, after=page.following).documents


def test_a_total_and_a_page_are_found_in_indexes_alone(library: Catalog) -> None:
    """So that they stay fast however many documents there are."""
    if not library._database.is_sqlite:
        pytest.skip("the plans of PostgreSQL hang on its statistics")
    ours = "tenant = 'default' AND level <= 0"
    with library._database.reading() as connection:
        plans = [
            " ".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))
            for query in (
                f"SELECT count(*) FROM documents WHERE {ours} AND sought LIKE '%x%'",
                f"SELECT * FROM documents WHERE {ours} ORDER BY sought, id LIMIT 50",
                f"SELECT * FROM documents WHERE {ours} ORDER BY dated DESC, id DESC LIMIT 50",
            )
        ]

    assert "COVERING INDEX ix_documents_lists" in plans[0]
    assert "ix_documents_lists" in plans[1]
    assert "ix_documents_tenant_dated_id" in plans[2]
    assert not any("TEMP B-TREE" in plan for plan in plans)


LABELS = st.frozensets(st.sampled_from(["everyone", "user:ana", "group:finance"]))
ROWS = st.lists(
    st.tuples(LABELS, st.integers(0, 2), st.sampled_from(["tea", "Tea", "te a", ""])), max_size=6
)


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, clearance=st.integers(0, 2), order=st.sampled_from(list(Order)))
def test_every_list_holds_exactly_what_the_rule_allows(
    catalog: Catalog, rows: list[tuple[frozenset[str], int, str]], clearance: int, order: Order
) -> None:
    scope = read_scope(Principal("ana", frozenset({"finance"}), clearance=clearance))
    records = [
        stored(f"file:///{number}", readers=readers, level=level, title=title)
        for number, (readers, level, title) in enumerate(rows)
    ]
    with published(catalog, records):
        listed = walked(catalog, replace(ALL_DOCUMENTS, order=order), who=scope)

        assert {one.id for one in listed} == {r.id for r in records if rule(scope, r)}
