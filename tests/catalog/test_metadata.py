"""What is said of documents stands before their own word, and stays when they are read again."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sovereign_rag.access import local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import DocumentQuery
from sovereign_rag.catalog.records import DocumentRecord, Lease, document_id
from sovereign_rag.metadata import NOTHING_STATED, Stated, facts_asked
from tests.catalog.conftest import new_task, stored

OWNER = read_scope(local_owner())
URI = "file:///a.pdf"
DOCUMENT = document_id("default", URI)
DATED = datetime(2024, 5, 1, tzinfo=UTC)
SAID = Stated(
    title="Budget",
    author="Ana",
    date=DATED,
    tags=("2024", "money"),
    fields={"signed": True, "n": 2},
)


def known(catalog: Catalog) -> DocumentRecord:
    return catalog.documents.get(DOCUMENT, OWNER)


def test_what_is_said_of_a_document_goes_before_its_own_word_and_can_be_taken_back(
    catalog: Catalog,
) -> None:
    catalog.documents.publish(stored(title="Its own title"))

    catalog.follow_ups.state("default", DOCUMENT, SAID)
    said = known(catalog)
    catalog.follow_ups.state("default", DOCUMENT, NOTHING_STATED)
    taken_back = known(catalog)

    assert (said.title, said.date, said.stated) == ("Budget", DATED, SAID)
    assert (taken_back.title, taken_back.stated) == ("Its own title", NOTHING_STATED)
    assert taken_back.date == taken_back.modified


def test_what_was_said_stays_when_the_document_is_read_again(catalog: Catalog) -> None:
    catalog.documents.publish(stored(title="Its own title"))
    catalog.follow_ups.state("default", DOCUMENT, SAID)
    catalog.jobs.create("default", "owner", [new_task(URI)])
    task = catalog.leases.acquire("w1", lease_s=60)
    assert task is not None

    published = catalog.documents.publish(
        replace(stored(title="A new one"), version="v2"), Lease(task.id, "w1")
    )

    assert (published.title, published.stated) == ("Budget", SAID)
    assert known(catalog).stated == SAID
    assert catalog.follow_ups.is_noted(DOCUMENT)  # its new chunks have been written without


@pytest.mark.parametrize("edited", [False, True])
def test_a_document_has_what_was_last_said_of_it(catalog: Catalog, edited: bool) -> None:
    catalog.documents.publish(stored())
    handed_in = replace(new_task(URI), stated=replace(SAID, title="As handed in"))
    catalog.jobs.create("default", "owner", [handed_in])
    task = catalog.leases.acquire("w1", lease_s=60)
    assert task is not None
    if edited:
        catalog.follow_ups.state("default", DOCUMENT, SAID)

    catalog.documents.publish(stored(), Lease(task.id, "w1"))
    again = catalog.follow_ups.state("default", DOCUMENT, lease=Lease(task.id, "w1"))

    assert known(catalog).title == ("Budget" if edited else "As handed in")
    assert not again


@pytest.mark.parametrize(
    ("facts", "is_found"),
    [
        (facts_asked(["money", "other"], None, {}), True),
        (facts_asked(["money"], ["Bo"], {}), False),
        (facts_asked(None, ["Ana"], {"signed": [True], "n": [2.0]}), True),
        (facts_asked(None, None, {"signed": [False]}), False),
        (facts_asked([], None, {}), False),
    ],
)
def test_a_list_is_narrowed_to_what_was_said(
    catalog: Catalog, facts: tuple[frozenset[str], ...], is_found: bool
) -> None:
    catalog.documents.publish(stored())
    catalog.documents.publish(stored("file:///other.pdf"))
    catalog.follow_ups.state("default", DOCUMENT, SAID)

    page = catalog.lists.page(DocumentQuery(facts=facts), OWNER, limit=10)

    assert [one.id for one in page.documents] == ([DOCUMENT] if is_found else [])
    assert page.total == len(page.documents)


def test_the_store_is_told_what_is_said_and_also_that_it_is_taken_back(catalog: Catalog) -> None:
    catalog.documents.publish(stored())
    told = []
    for stated in (SAID, NOTHING_STATED):
        catalog.follow_ups.state("default", DOCUMENT, stated)
        claimed = catalog.follow_ups.claim("teller")
        assert claimed is not None
        catalog.follow_ups.end(claimed)
        assert claimed.document is not None
        told.append((claimed.is_stated, claimed.document.stated))

    assert told == [(True, SAID), (True, NOTHING_STATED)]


def test_a_stated_language_goes_before_the_one_found_and_lists_go_by_it(catalog: Catalog) -> None:
    catalog.documents.publish(stored())  # French, by its text

    catalog.follow_ups.state("default", DOCUMENT, replace(SAID, language="de-CH"))
    german = catalog.lists.page(DocumentQuery(languages=frozenset({"de"})), OWNER, limit=10)
    catalog.documents.publish(known(catalog))  # as a move does
    moved = known(catalog)
    catalog.follow_ups.state("default", DOCUMENT, SAID)
    french = catalog.lists.page(DocumentQuery(languages=frozenset({"fr"})), OWNER, limit=10)

    assert [(one.language, one.stated.language) for one in german.documents] == [("de", "de-CH")]
    assert (moved.language, moved.found_language) == ("de", "fr")
    assert [(one.language, one.stated.language) for one in french.documents] == [("fr", None)]


@pytest.mark.parametrize(("language", "is_noted"), [("de", True), (None, False)])
def test_the_store_is_told_of_words_in_another_language_until_it_has_them(
    catalog: Catalog, language: str | None, is_noted: bool
) -> None:
    catalog.documents.publish(stored())
    catalog.follow_ups.state("default", DOCUMENT, replace(SAID, language=language))
    told = []
    for _ in range(2):
        catalog.follow_ups.change("default", DOCUMENT, frozenset({"everyone"}), 0)
        claimed = catalog.follow_ups.claim("teller")
        assert claimed is not None
        catalog.follow_ups.end(claimed)
        told.append(claimed.is_spoken)

    assert told == [is_noted, False]


@pytest.mark.parametrize(("written_in", "is_noted"), [("de", False), (None, True)])
def test_a_version_is_told_of_again_where_its_chunks_are_in_another_language_than_is_said(
    catalog: Catalog, written_in: str | None, is_noted: bool
) -> None:
    said = Stated(language="de")
    catalog.jobs.create("default", "owner", [replace(new_task(URI), stated=said)])
    task = catalog.leases.acquire("w1", lease_s=60)
    assert task is not None

    written = replace(stored(readers=task.readers), stated=Stated(language=written_in))
    published = catalog.documents.publish(written, Lease(task.id, "w1"))
    claimed = catalog.follow_ups.claim("w1", lease=Lease(task.id, "w1"))

    assert published.language == "de"
    assert (claimed is not None and claimed.is_spoken) == is_noted
