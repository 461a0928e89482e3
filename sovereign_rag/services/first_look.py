"""What somebody can ask of, before they ask: how much there is, where, and what was added last."""

from dataclasses import dataclass, replace
from typing import Final

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_overview import Overview
from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus
from sovereign_rag.storage.audit import AuditTrail, entry

_NOT_RARE: Final = 0.02  # of all that one may read; the newest of what is rarer are long looked for
_READ: Final = frozenset({DocumentStatus.INDEXED, DocumentStatus.PARTIAL})


@dataclass(frozen=True, slots=True)
class FirstLook:
    overview: Overview
    newest: tuple[DocumentRecord, ...]


class FirstLookService:
    """Counts and titles within the rights of whoever looks, on the audit record."""

    def __init__(self, *, catalog: Catalog, audit: AuditTrail) -> None:
        self._catalog, self._audit = catalog, audit

    def overview(self, principal: Principal) -> Overview:
        """How many documents there are to ask of, by folder, type and language."""
        counted = self._catalog.overviews.of(read_scope(principal))
        self._audit.append(entry("documents.count", principal, {"documents": counted.total}))
        return counted

    def first_look(self, principal: Principal, *, newest: int, language: str) -> FirstLook:
        """The same, with the documents that came in last: in `language` where that is not rare."""
        overview = self._catalog.overviews.of(read_scope(principal))
        query = DocumentQuery(statuses=_READ, order=Order.UPDATED, descending=True)
        if overview.languages.get(language, 0) > overview.total * _NOT_RARE:
            query = replace(query, languages=frozenset({language}))
        first = self._catalog.lists.first(query, read_scope(principal), limit=newest)
        shown = [record.id for record in first]
        self._audit.append(
            entry("documents.list", principal, {"documents": shown, "total": overview.total})
        )
        return FirstLook(overview, first)
