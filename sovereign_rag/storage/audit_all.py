"""The records of all machines as one: this one's from its folder, the others' by their copies."""

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime

from sovereign_rag.catalog.audit_heads import WRITER
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_back import records_back
from sovereign_rag.storage.audit_chain import AuditRecord
from sovereign_rag.storage.audit_others import copied_records, merged
from sovereign_rag.storage.audit_walk import AuditReport


class AllRecords:
    """Read in the order in which things happened, by the clock of the catalog."""

    def __init__(self, audit: AuditLog, catalog: Catalog) -> None:
        self._audit, self._catalog = audit, catalog
        self.writer = audit.anchors.writer or WRITER
        """What this machine's is called."""

    def read(self) -> Iterator[AuditRecord]:
        """All of them, oldest first. Raises AuditError, CatalogError."""
        others = [(one.writer, one.read()) for one in copied_records(self._catalog, self.writer)]
        return (record for _, record in merged([(self.writer, self._audit.read()), *others]))

    def back(self, before: Mapping[str, int] | None = None) -> Iterator[AuditRecord]:
        """Newest first.

        Args:
            before: By writer, the number below which to go on.
        """
        since = before or {}
        chains = [records_back(self._audit.folder, before=since.get(self.writer))]
        for one in copied_records(self._catalog, self.writer):
            chains.append(one.back(before=since.get(one.writer)))
        return heapq.merge(*chains, key=self._place, reverse=True)

    def others(self) -> list[str]:
        """Who else writes a record that can be read here."""
        return [one.writer for one in copied_records(self._catalog, self.writer)]

    def verify(self) -> dict[str, AuditReport]:
        """By writer, this machine's first; appends to it wait meanwhile."""
        heads = self._catalog.audit_heads
        found = {self.writer: self._audit.verify()}
        for one in copied_records(self._catalog, self.writer):
            found[one.writer] = one.verify(heads)
        return found

    def left_out(self) -> list[str]:
        """Who writes a record of which there is no copy: its machine runs an older version."""
        read = {self.writer, *self._catalog.audit_copies.writers()}
        return sorted(set(self._catalog.audit_heads.writers()) - read)

    def _place(self, record: AuditRecord) -> tuple[datetime, str, int]:
        return record.entry.at, record.writer or self.writer, record.number
