"""The records of other machines, read and verified with this one's as one.

Each machine writes a chain of its own in its data folder and has the catalog note how far it has
come. Who looks at all of them names the folders, mounted or copied; nothing is written there.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sovereign_rag.catalog.audit_heads import AuditHeads
from sovereign_rag.errors import AuditError, BadInput
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import head_of
from sovereign_rag.storage.audit_chain import AuditRecord, ChainHead, lines_of
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
            walk = Walk(noted, is_signed, stamped_at)
            for file in log.files():
                for line in lines_of(file):
                    walk.step(file, line)
                    if walk.problem is not None:
                        return walk.report()
        except OSError as error:
            raise AuditError(f"The record in {self.data_dir} can't be read: {error}.") from error
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
