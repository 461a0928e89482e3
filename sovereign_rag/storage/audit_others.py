"""The records of other machines, read and verified with this one's as one.

Each machine writes a chain of its own in its data folder and has the catalog note how far it has
come, with a copy of each line. Copies are what is read; who wants to see what a machine itself has
names its folder, mounted or copied. Nothing is written to either.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from sovereign_rag.catalog.audit_heads import AuditHeads
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import AuditError, BadInput
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import head_of
from sovereign_rag.storage.audit_chain import AuditRecord, ChainHead, first_of, lines_of, link_of
from sovereign_rag.storage.audit_walk import AuditReport, Walk


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """The record of another writer: its `audit.writer`, and its data folder."""

    writer: str
    data_dir: Path

    @classmethod
    def of(cls, text: str) -> "OtherRecord":
        """Read `WRITER=FOLDER`. Raises BadInput: it is not so, or there is no record."""
        writer, _, folder = text.partition("=")
        if not writer or not folder:
            raise BadInput(f"{text!r} is not written WRITER=FOLDER, e.g. node-2=/mnt/node-2.")
        if not (Path(folder) / "audit").is_dir():
            raise BadInput(f"There is no record at {folder}: it is the folder that has audit/.")
        return cls(writer, Path(folder))

    def read(self, *, after: int = 0) -> Iterator[AuditRecord]:
        """As `AuditLog.read`."""
        return AuditLog(self.data_dir).read(after=after)

    def verify(
        self,
        heads: AuditHeads | None,
        *,
        is_signed: Callable[[Mapping[str, Any]], bool] | None = None,
        stamped_at: Callable[[Mapping[str, Any]], datetime | None] | None = None,
    ) -> AuditReport:
        """Follow its chain, past what its own note and the catalog say of it.

        What is appended meanwhile may be left out of the report.

        Raises:
            AuditError: It can't be read.
        """
        log = AuditLog(self.data_dir)
        try:
            noted = self._noted(heads)  # before the lines: the record is never behind its notes
            lines = ((first_of(file), line) for file in log.files() for line in lines_of(file))
            walk = _walked(lines, Walk(noted, is_signed, stamped_at))
        except OSError as error:
            raise AuditError(f"The record in {self.data_dir} can't be read: {error}.") from error
        if walk.problem is None:
            walk.end(is_noted=any(where == "audit/head" for where, _ in noted))
        return walk.report()

    def _noted(self, heads: AuditHeads | None) -> list[tuple[str, ChainHead]]:
        found = []
        try:
            head = (self.data_dir / "audit" / "head").read_text(encoding="ascii")
            found.append(("audit/head", head_of(head)))
        except (FileNotFoundError, ValueError):
            pass  # the end of the walk tells that it is missing
        if heads is not None and (noted := heads.last(self.writer)) is not None:
            found.append(("the catalog", ChainHead(*noted)))
        return found


@dataclass(frozen=True, slots=True)
class CopiedRecord:
    """The record of another writer, by its copy in the catalog."""

    writer: str
    catalog: Catalog

    def read(self, *, after: int = 0) -> Iterator[AuditRecord]:
        """As `AuditLog.read`."""
        return self._records(self.catalog.audit_copies.lines(self.writer, after=after))

    def back(self, *, before: int | None = None) -> Iterator[AuditRecord]:
        """As `records_back`."""
        return self._records(self.catalog.audit_copies.lines_back(self.writer, before=before))

    def verify(
        self,
        heads: AuditHeads | None,
        *,
        is_signed: Callable[[Mapping[str, Any]], bool] | None = None,
        stamped_at: Callable[[Mapping[str, Any]], datetime | None] | None = None,
    ) -> AuditReport:
        """Follow its chain, past what the catalog notes of it. Raises CatalogError."""
        head = None if heads is None else heads.last(self.writer)  # before the lines, see above
        noted = [] if head is None else [("the catalog", ChainHead(*head))]
        lines = self.catalog.audit_copies.lines(self.writer)
        begun = next(lines, None)
        first = 1 if begun is None else begun[0]
        every = chain(() if begun is None else (begun,), lines)
        walk = _walked(((first, line) for _, line in every), Walk(noted, is_signed, stamped_at))
        if walk.problem is None:
            walk.end(is_noted=head is not None)
        return walk.report()

    def _records(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[AuditRecord]:
        for number, line in lines:
            link = link_of(line)
            if link is None:
                raise AuditError(
                    f"Record {number} that {self.writer} wrote is none in its copy in the "
                    "catalog. Look at it on its machine."
                )
            yield replace(link.record, writer=self.writer)


def others_of(
    catalog: Catalog | None, *, own: str, named: Sequence[OtherRecord]
) -> list[OtherRecord | CopiedRecord]:
    """The records of other machines: in the folders that are named, of the rest their copies."""
    here = {own, *(one.writer for one in named)}
    copies = [] if catalog is None else copied_records(catalog, own)
    return [*named, *(one for one in copies if one.writer not in here)]


def copied_records(catalog: Catalog, own: str | None) -> list[CopiedRecord]:
    """Those of all writers but one."""
    return [CopiedRecord(w, catalog) for w in catalog.audit_copies.writers() if w != own]


def _walked(lines: Iterable[tuple[int, bytes]], walk: Walk) -> Walk:
    for first, line in lines:
        walk.step(first, line)
        if walk.problem is not None:
            break
    return walk


def merged(
    chains: Sequence[tuple[str, Iterable[AuditRecord]]],
) -> Iterator[tuple[str, AuditRecord]]:
    """Records of several writers as one, oldest first, each with its writer.

    Times are by the catalog's clock, see `in_time`; what is of one moment stands by writer.
    """

    def named(writer: str, records: Iterable[AuditRecord]) -> Iterator[_Placed]:
        return (((r.entry.at, writer, r.number), r) for r in records)

    chained = heapq.merge(*(named(*chain) for chain in chains), key=lambda placed: placed[0])
    return ((place[1], record) for place, record in chained)


_Placed = tuple[tuple[datetime, str, int], AuditRecord]
