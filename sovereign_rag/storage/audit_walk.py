"""A check of the whole audit record: the chain, its beginning, and what was noted elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sovereign_rag.storage.audit_chain import (
    NO_HASH,
    ChainHead,
    first_of,
    hash_of,
    link_of,
    problem_of,
)

TRIMMED: Final = "audit.trimmed"
"""The record of a beginning that is meant: what was before it was removed."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the whole log found."""

    first: int  # above 1: older files were removed
    head: ChainHead
    broken_at: int | None  # number of the first record that isn't what it was
    problem: str | None  # what is wrong there

    @property
    def ok(self) -> bool:
        return self.problem is None


class Walk:
    """The chain followed from its first record to its last, past what was noted of it."""

    def __init__(self, noted: Sequence[tuple[str, ChainHead]]) -> None:
        self._noted = noted
        self._first, self._last = 1, ChainHead(0, NO_HASH)
        self._begins_after = ChainHead(0, NO_HASH)
        self._beginnings = {(1, NO_HASH)}  # those that the record itself knows
        self._broken_at = 0
        self.problem: str | None = None

    def step(self, file: Path, line: bytes) -> None:
        """Hold the next line against the one before, and against what was noted."""
        link = link_of(line)
        if self._last.number == 0:  # older files may have been removed, not their lines
            self._first = first_of(file)
            prev = link.prev if link and self._first > 1 else NO_HASH
            self._last = self._begins_after = ChainHead(self._first - 1, prev)
        problem = problem_of(link, self._last)
        here = ChainHead(self._last.number + 1, hash_of(line))
        if problem is not None or link is None:
            self._break(here.number, problem or "the line is no record")
            return
        for where, head in self._noted:
            if head.number == here.number and head.hash != here.hash:
                self._break(here.number, f"it is not the record that {where} notes")
                return
        entry = link.record.entry
        if entry.action == TRIMMED:
            self._beginnings.add((int(entry.detail["first"]), str(entry.detail["prev"])))
        self._last = here

    def end(self, *, is_noted: bool) -> None:
        """Hold the end and the beginning against what was noted; `is_noted`: the log has a note."""
        for where, head in self._noted:
            if head.number > self._last.number:
                cut = f"{where} notes {head.number} records, the log ends after {self._last.number}"
                self._break(self._last.number + 1, cut)
                return
        if (self._first, self._begins_after.hash) not in self._beginnings:
            gone = f"records 1 to {self._first - 1} are gone, and no `audit trim` removed them"
            self._break(1, gone)
        elif self._last.number and not is_noted:
            self._break(self._last.number, "the note of the last record, audit/head, is damaged")

    def report(self) -> AuditReport:
        """What was found so far."""
        broken_at = None if self.problem is None else self._broken_at
        return AuditReport(self._first, self._last, broken_at, self.problem)

    def _break(self, number: int, problem: str) -> None:
        self._broken_at, self.problem = number, problem
