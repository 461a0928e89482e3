"""Passages for integrators and the command line: a search on the audit record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.domain import Passage, SearchMode
from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval.conversation import Turn, newest
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.storage.audit import AuditTrail, disclosed, entry
from sovereign_rag.store.protocol import NO_FILTER, ChunkStore, FacetField, SearchFilter
from sovereign_rag.system.admission import Admission
from sovereign_rag.text import language as languages

MOST_PASSAGES = 100


class SearchService:
    """Searches on behalf of principals."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        store: ChunkStore,
        pending: Callable[[str], frozenset[str]],
        audit: AuditTrail,
        admission: Admission,
    ) -> None:
        """`pending` gives the documents of a tenant whose rights the store may not have yet."""
        self._pending = pending
        self._retriever, self._store, self._audit = retriever, store, audit
        self._admission = admission

    def search(
        self,
        query: str,
        principal: Principal,
        *,
        limit: int = 10,
        mode: SearchMode | None = None,
        search_filter: SearchFilter = NO_FILTER,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        """The best `limit` (1 to 100) passages that `principal` may read, best first.

        Args:
            history: What was asked before, oldest first; for a query that leans on it. Of a long
                one the newest turns are taken in, see `followup.newest`.

        Raises:
            BadInput: The query is empty or the limit out of range.
            AuditError: The search could not be recorded; nothing is released.
            Busy: Too many ask at once; it tells when to come again.
        """
        if not query.strip():
            raise BadInput("The query is empty.")
        if not 1 <= limit <= MOST_PASSAGES:
            raise BadInput(f"limit must be from 1 to {MOST_PASSAGES}, got {limit}.")
        scope = read_scope(principal)
        history, _ = newest(history)
        with self._admission.turn(principal.tenant, principal.user):
            asked = self._retriever.query(
                query, languages.of_question(query), scope, history=history, weigh=False
            )
            passages = self._retriever.retrieve(
                asked, scope, limit=limit, mode=mode, search_filter=search_filter
            )
        detail = {"question": query, "disclosed": disclosed(passages)}
        self._audit.append(entry("search", principal, detail))
        return passages

    def facets(
        self, principal: Principal, *, search_filter: SearchFilter = NO_FILTER
    ) -> dict[FacetField, Mapping[str, int]]:
        """How many passages `principal` may read, by language and by media type.

        Within the filter and within the principal's rights: what they may not read isn't
        counted, and a value that stands in nothing else doesn't appear.

        Raises:
            AuditError: The request could not be recorded; nothing is released.
            Busy: Too many ask at once; it tells when to come again.
        """
        scope = read_scope(principal)
        fields: tuple[FacetField, ...] = get_args(FacetField)
        # The store alone is asked here: what it may not have heard of isn't counted.
        left_out = search_filter.exclude_documents | self._pending(scope.tenant)
        counted_in = replace(search_filter, exclude_documents=left_out)
        with self._admission.turn(principal.tenant, principal.user):
            counted = {field: self._store.facet(field, scope, counted_in) for field in fields}
        # Counts tell of documents, and a filter to a single one tells of that one.
        detail = {
            "counted": {field: dict(values) for field, values in counted.items()},
            "documents": sorted(search_filter.documents)
            if search_filter.documents is not None
            else None,
        }
        self._audit.append(entry("search.facets", principal, detail))
        return counted
