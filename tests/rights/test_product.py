"""Nobody is shown what they may not read by any part of the product: the rule, once more."""

import pytest
from hypothesis import given, settings

from sovereign_rag.access import Principal
from sovereign_rag.answering.events import Done
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.errors import NotFound
from sovereign_rag.wiring import Application
from tests.rights.oracle import EXAMPLES, Paper, askers, may_read, often, principals


@often
@given(asker=askers)
def test_whatever_the_product_lists_counts_finds_or_shows_the_asker_may_read(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product
    allowed = {paper.id for paper in papers if may_read(asker, paper)}

    found = application.searching.search("common notice gate", asker, limit=50, mode="lexical")
    listed = application.documents.list(asker, limit=100)
    facets = application.searching.facets(asker)

    assert {passage.chunk.document_id for passage in found} == allowed
    assert {record.id for record in listed} == allowed
    assert application.documents.count(asker) == len(allowed)
    assert sum(facets["media_type"].values()) == len(allowed)
    for paper in papers:
        if paper.id in allowed:
            assert "gate opens" in application.documents.page(paper.id, 1, asker).text
        else:
            assert_hidden(application, paper.id, asker)


def assert_hidden(application: Application, id_: str, asker: Principal) -> None:
    """A document that may not be read and one that is not there: the same answer, word for word."""
    nowhere = "00000000-0000-4000-8000-000000000000"
    ways = (
        lambda name: application.documents.get(name, asker),
        lambda name: application.documents.page(name, 1, asker),
        lambda name: application.documents.pages(name, asker),
        lambda name: application.documents.page_image(name, 1, asker),
    )
    for way in ways:
        with pytest.raises(NotFound) as hidden:
            way(id_)
        with pytest.raises(NotFound) as missing:
            way(nowhere)
        assert str(hidden.value).replace(id_, nowhere) == str(missing.value)


@settings(often, max_examples=max(10, EXAMPLES // 15))
@given(asker=principals)
def test_an_answer_quotes_and_streams_nothing_else(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product
    allowed = {paper.id for paper in papers if may_read(asker, paper)}

    events = list(
        application.answers.stream(
            AnswerRequest("When does the gate open?", asker, kind="extracts")
        )
    )

    shown = {p.chunk.document_id for event in events for p in getattr(event, "passages", ())}
    shown |= {
        citation.document_id
        for event in events
        for citation in getattr(getattr(event, "statement", None), "citations", ())
    }
    shown |= {
        citation.document_id
        for event in events
        if isinstance(event, Done)
        for citation in event.answer.citations
    }
    assert shown <= allowed


@often
@given(asker=principals)
def test_jobs_are_listed_to_who_submitted_them_and_to_admins_of_the_tenant(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product

    listed = application.jobs.list(asker, limit=100)

    submitted_by_owner = sum(paper.tenant == asker.tenant for paper in papers)
    assert len(listed) == (submitted_by_owner if asker.is_admin else 0)
    assert {job.tenant for job in listed} <= {asker.tenant}
