"""Counts of what somebody may read: right after every change, whoever makes it."""

import random
from collections import Counter
from dataclasses import replace

from sovereign_rag.access import Principal, ReadScope, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.document_counts import DocumentCounts, Overview
from sovereign_rag.catalog.document_query import ALL_DOCUMENTS
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.settings import Settings
from tests.catalog.conftest import stored

OWNER = read_scope(local_owner())
ANA, HUGO = (read_scope(Principal(name, frozenset({"hr"}))) for name in ("ana", "hugo"))
CLEARED = read_scope(Principal("cleo", clearance=2))
ELSEWHERE = read_scope(local_owner("north"))
FOR_HR = frozenset({"group:hr"})
READERS = (FOR_HR, frozenset({"everyone"}), frozenset({"user:hugo"}), frozenset[str]())


def counted(catalog: Catalog, scope: ReadScope) -> Overview:
    """The same from the list of all that the scope may read, one by one."""
    listed = catalog.lists.page(ALL_DOCUMENTS, scope, limit=1_000).documents
    read = [one for one in listed if one.status is not DocumentStatus.FAILED]
    return Overview(
        total=len(read),
        newest=max((one.updated for one in read), default=None),
        folders=Counter(one.uri.rpartition("/")[0] + "/" for one in read),
        media_types=Counter(one.media_type for one in read),
        languages=Counter(one.language for one in read if one.language),
    )


def test_counts_are_those_of_a_list_after_every_change_of_another_process(
    settings: Settings,
) -> None:
    chance = random.Random(7)
    with Catalog.open(settings) as catalog, Catalog.open(settings) as another:
        for step in range(24):
            number = chance.randrange(12)
            record = stored(
                f"file:///area-{number % 3}/{number}.pdf",
                tenant=("default", "north")[number % 2],
                readers=chance.choice(READERS),
                level=chance.choice((0, 0, 2)),
            )
            record = replace(
                record,
                version=f"v{step}",
                language=chance.choice(("fr", "de", None)),
                media_type=chance.choice(("application/pdf", "text/plain")),
                status=chance.choice((DocumentStatus.INDEXED, DocumentStatus.FAILED)),
            )
            if chance.random() < 0.3:
                another.documents.remove(record.tenant, record.id)
            else:
                another.documents.publish(record)
            for scope in (OWNER, ANA, HUGO, CLEARED, ELSEWHERE):
                assert catalog.overviews.of(scope) == counted(another, scope), step


def test_what_another_process_takes_away_is_counted_no_more_at_once(settings: Settings) -> None:
    with Catalog.open(settings) as catalog, Catalog.open(settings) as another:
        record = another.documents.publish(stored(readers=FOR_HR))
        another.documents.publish(stored("file:///b.pdf", readers=FOR_HR))
        both = catalog.overviews.of(ANA).total

        another.documents.publish(replace(record, readers=frozenset({"user:hugo"}), version="v2"))
        narrowed = catalog.overviews.of(ANA).total
        another.documents.remove("default", stored("file:///b.pdf").id)
        removed = catalog.overviews.of(ANA).total

    assert (both, narrowed, removed) == (2, 1, 0)


def test_few_changes_and_many_are_followed_alike(settings: Settings) -> None:
    few, many = DocumentCounts(), DocumentCounts(most_anew=0)  # which reads everything each time
    with Catalog.open(settings) as catalog:
        database = Database.of(settings)
        for number in range(30):
            catalog.documents.publish(stored(f"file:///{number}.pdf", readers=READERS[number % 3]))
            with database.reading() as connection:
                assert few.of(ANA, connection) == many.of(ANA, connection)
        database.close()
