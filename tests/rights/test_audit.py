"""Whatever tells of documents is on the record, with what it told."""

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.services.search import SearchService
from sovereign_rag.store.protocol import SearchFilter
from sovereign_rag.wiring import Application
from tests.rights.oracle import Paper


class FullDisk:
    """An audit record that takes nothing more."""

    def append(self, entry: AuditEntry) -> None:
        raise AuditError("The disk is full.")


def test_counts_are_on_the_record_like_searches(
    product: tuple[Application, list[Paper]],
) -> None:
    application, papers = product
    ana = Principal("ana", tenant="north", clearance=3)
    one = next(paper.id for paper in papers if paper.tenant == "north")
    application.searching.search("gate", local_owner("north"))
    before = list(application.audit.read())[-1].number

    counted = application.searching.facets(
        ana, search_filter=SearchFilter(documents=frozenset({one}))
    )

    (record,) = application.audit.read(after=before)
    assert (record.entry.action, record.entry.principal) == ("search.facets", "user:ana")
    assert record.entry.detail["counted"] == counted
    assert record.entry.detail["documents"] == [one]


def test_counts_that_can_t_be_recorded_are_not_given(
    product: tuple[Application, list[Paper]],
) -> None:
    application, _ = product
    unrecorded = SearchService(
        retriever=application.retriever,
        store=application.store,
        pending=lambda tenant: frozenset(),
        audit=FullDisk(),
        admission=application.admission,
    )

    with pytest.raises(AuditError):
        unrecorded.facets(local_owner("north"))
    with pytest.raises(AuditError):
        unrecorded.search("gate", local_owner("north"))
