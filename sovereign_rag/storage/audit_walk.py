"""A check of the whole audit record: the chain, its beginning, and what was noted elsewhere."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sovereign_rag.storage.audit_chain import (
    NO_HASH,
    ChainHead,
    hash_of,
    link_of,
    problem_of,
)

TRIMMED: Final = "audit.trimmed"
"""The record of a beginning that is meant: what was before it was removed."""

CHECKPOINT: Final = "audit.checkpoint"
"""The record of a signature under number and hash of the record before it."""

TIMESTAMPED: Final = "audit.timestamped"
"""The record of a time stamp over the signature of a checkpoint before it."""

ERASED: Final = "audit.erased"
"""The record of others that lost their words, and of what was left of each: [number, was, is]."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the whole log found."""

    first: int  # above 1: older files were removed
    head: ChainHead
    broken_at: int | None  # number of the first record that isn't what it was
    problem: str | None  # what is wrong there
    signed: int = 0  # number of the last record that a good signature vouches for
    erased: int = 0  # records that erasures, which the record tells of, left a remainder of
    stamped: int = 0  # number of the last record that a good time stamp vouches for
    stamped_at: datetime | None = None  # when, by that stamp

    @property
    def ok(self) -> bool:
        return self.problem is None


class Walk:
    """The chain followed from its first record to its last, past what was noted of it."""

    def __init__(
        self,
        noted: Sequence[tuple[str, ChainHead]],
        is_signed: Callable[[Mapping[str, Any]], bool] | None = None,
        stamped_at: Callable[[Mapping[str, Any]], datetime | None] | None = None,
    ) -> None:
        """`is_signed` and `stamped_at` tell what is good; None: it is not looked at."""
        self._is_signed, self._signed = is_signed, 0
        self._stamped_at = stamped_at
        self._stamp: tuple[int, datetime | None] = (0, None)
        self._signatures: dict[str, int] = {}  # of checkpoints, to the number that each vouches for
        self._noted: dict[int, list[tuple[str, str]]] = defaultdict(list)  # by number
        for where, head in noted:
            self._noted[head.number].append((where, head.hash))
        self._first, self._last = 1, ChainHead(0, NO_HASH)
        self._begins_after = ChainHead(0, NO_HASH)
        self._beginnings = {(1, NO_HASH)}  # those that the record itself knows
        self._remainders: dict[int, tuple[str, str]] = {}  # number -> (was, is), as found
        self._erased: set[tuple[int, str, str]] = set()  # as the record tells of them
        self._broken_at = 0
        self.problem: str | None = None

    def step(self, first: int, line: bytes) -> None:
        """Hold the next line against the one before, and against what was noted.

        Args:
            first: The number with which the file that it stands in begins, as that is named.
        """
        link = link_of(line)
        if self._last.number == 0:  # older files may have been removed, not their lines
            self._first = first
            prev = link.prev if link and self._first > 1 else NO_HASH
            self._last = self._begins_after = ChainHead(self._first - 1, prev)
        problem = problem_of(link, self._last)
        at = link.record.entry.at if link and link.is_timed else None
        is_ = hash_of(line)
        here = ChainHead(self._last.number + 1, (link.was if link else None) or is_, at)
        if problem is not None or link is None:
            self._break(here.number, problem or "the line is no record")
            return
        for where, hash_ in self._noted.get(here.number, ()):
            if hash_ != here.hash:
                self._break(here.number, f"it is not the record that {where} notes")
                return
        entry = link.record.entry
        if link.was is not None:
            self._remainders[here.number] = (link.was, is_)
        if entry.action == ERASED:
            self._erased |= {
                (int(n), str(was), str(now)) for n, was, now in entry.detail["records"]
            }
        if entry.action == TRIMMED:
            self._take_beginning(entry.detail)
        elif entry.action == CHECKPOINT and not self._is_good(entry.detail, self._last):
            self._break(here.number, "its signature is not of this record and this key")
            return
        elif entry.action == TIMESTAMPED and not self._is_stamp(entry.detail):
            self._break(here.number, "its time stamp is not of a checkpoint here and the authority")
            return
        self._last = here

    def end(self, *, is_noted: bool) -> None:
        """Hold the end and the beginning against what was noted; `is_noted`: the log has a note."""
        for number in sorted(self._noted, reverse=True):
            if number > self._last.number:
                where = self._noted[number][0][0]
                cut = f"{where} notes {number} records, the log ends after {self._last.number}"
                self._break(self._last.number + 1, cut)
                return
        for number, (was, is_) in self._remainders.items():
            if (number, was, is_) not in self._erased:
                self._break(number, "it was replaced, and no erasure on the record tells of it")
                return
        if (self._first, self._begins_after.hash) not in self._beginnings:
            how = "no `audit trim`" if self._is_signed is None else "no signed `audit trim`"
            gone = f"records 1 to {self._first - 1} are gone, and {how} removed them"
            self._break(1, gone)
        elif self._last.number and not is_noted:
            self._break(self._last.number, "the note of the last record, audit/head, is damaged")

    def _take_beginning(self, detail: Mapping[str, Any]) -> None:
        first, prev = int(detail["first"]), str(detail["prev"])
        signature = detail.get("signed", {})
        if self._is_signed is None or self._is_good(signature, ChainHead(first - 1, prev)):
            self._beginnings.add((first, prev))

    def _is_good(self, checkpoint: Mapping[str, Any], head: ChainHead) -> bool:
        """Whether a checkpoint is of `head`, and signed where that is asked for."""
        if (checkpoint.get("number"), checkpoint.get("hash")) != (head.number, head.hash):
            return False
        if self._is_signed is not None:
            if not self._is_signed(checkpoint):
                return False
            self._signed = max(self._signed, head.number)
        self._signatures[str(checkpoint.get("signature"))] = head.number
        return True

    def _is_stamp(self, detail: Mapping[str, Any]) -> bool:
        """Whether a stamp is over a checkpoint before it, and good where that is asked for."""
        number = self._signatures.get(str(detail.get("signature")))
        if number is None:
            return int(detail.get("number", 0)) < self._first - 1  # its checkpoint was trimmed
        if self._stamped_at is not None:
            at = self._stamped_at(detail)
            if at is None:
                return False
            self._stamp = (number, at)
        return True

    def report(self) -> AuditReport:
        """What was found so far."""
        broken_at = None if self.problem is None else self._broken_at
        return AuditReport(
            self._first,
            self._last,
            broken_at,
            self.problem,
            self._signed,
            len(self._remainders),
            *self._stamp,
        )

    def _break(self, number: int, problem: str) -> None:
        self._broken_at, self.problem = number, problem
