"""Counts of what somebody may read: kept until something changes, whoever changes it."""

from dataclasses import replace

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.settings import Settings
from tests.catalog.conftest import stored

OWNER = read_scope(local_owner())
ANA, HUGO = (read_scope(Principal(name, frozenset({"hr"}))) for name in ("ana", "hugo"))
FOR_HR = frozenset({"group:hr"})


def test_counts_are_kept_while_nothing_changes_for_the_very_same_scope_alone(
    settings: Settings,
) -> None:
    with Catalog.open(settings) as catalog:
        catalog.documents.publish(stored(readers=FOR_HR))

        first, again = catalog.overviews.of(ANA), catalog.overviews.of(ANA)
        other, owner = catalog.overviews.of(HUGO), catalog.overviews.of(OWNER)

    assert (first.total, other.total, owner.total) == (1, 1, 1)
    assert again == first
    assert (again is first) is (settings.catalog.url is None)  # PostgreSQL counts anew
    assert other is not first


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
