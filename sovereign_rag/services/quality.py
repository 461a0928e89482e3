"""How well questions are answered, from the audit record: what found nothing, what is shown most.

Nobody's name is told. A question stands as it was asked: it says what document is missing.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Final

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.domain import AnswerKind
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_search import documents_of
from sovereign_rag.text.folding import folded

MOST_LOOKED_AT: Final = 20_000
"""Records of the audit that are looked through; older ones are left out, and that is told."""
_MOST: Final = 50  # groups of questions, and documents
_ANSWERS: Final = "answer"


@dataclass(frozen=True, slots=True)
class Day:
    """The questions of a day, in UTC."""

    day: date
    questions: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that found no answer; asked alike several times, told once."""

    question: str  # as it was asked last
    times: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A document that answers drew on."""

    id: str
    title: str
    times: int


@dataclass(frozen=True, slots=True)
class Quality:
    """The last days, oldest first, each of them."""

    days: tuple[Day, ...]
    gaps: tuple[Gap, ...]  # the most frequent first
    shown: tuple[Shown, ...]  # likewise; of documents that who looks may read
    is_whole: bool  # False: the record holds more of these days than was looked through

    @property
    def questions(self) -> int:
        return sum(day.questions for day in self.days)

    @property
    def unanswered(self) -> int:
        return sum(day.unanswered for day in self.days)


class QualityDesk:
    """Tells a tenant's admins and auditors; that they looked is on the record."""

    def __init__(self, *, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def look(self, asker: Principal, *, days: int) -> Quality:
        """The last `days` days, today among them. Raises AuditError."""
        self._audit.append(entry("quality", asker, {"days": days}))
        today = datetime.now(UTC).date()
        first = today - timedelta(days=days - 1)
        asked: Counter[date] = Counter()
        unanswered: Counter[date] = Counter()
        gaps: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        shown: Counter[str] = Counter()
        looked_at = 0
        recent = takewhile(
            lambda record: record.entry.at.astimezone(UTC).date() >= first,
            AllRecords(self._audit, self._catalog).back(),
        )
        for record in recent:
            looked_at += 1
            if looked_at > MOST_LOOKED_AT:
                break
            told = record.entry
            if told.action != _ANSWERS or told.tenant != asker.tenant:
                continue
            asked[told.at.date()] += 1
            if told.detail.get("kind") == AnswerKind.NONE:
                unanswered[told.at.date()] += 1
                question = str(told.detail.get("question", ""))
                gaps[_alike(question)].append((told.at, question))
            else:
                shown.update(list(documents_of(told)))
        every = (first + timedelta(days=number) for number in range(days))
        return Quality(
            days=tuple(Day(day, asked[day], unanswered[day]) for day in every),
            gaps=_most_frequent(gaps),
            shown=self._named(shown, asker),
            is_whole=looked_at <= MOST_LOOKED_AT,
        )

    def _named(self, shown: Counter[str], asker: Principal) -> tuple[Shown, ...]:
        if not asker.reads_documents:
            return ()
        live = self._catalog.documents.live_versions(sorted(shown), read_scope(asker))
        readable = Counter({id_: shown[id_] for id_ in live})
        return tuple(
            Shown(id_, live[id_].title, times) for id_, times in readable.most_common(_MOST)
        )


def _alike(question: str) -> str:
    """What questions that differ in capitals, accents and signs have in common."""
    return " ".join(re.findall(r"\w+", folded(question)))


def _most_frequent(gaps: dict[str, list[tuple[datetime, str]]]) -> tuple[Gap, ...]:
    found = [Gap(max(asked)[1], len(asked), max(asked)[0]) for asked in gaps.values()]
    return tuple(sorted(found, key=lambda gap: (-gap.times, -gap.last.timestamp()))[:_MOST])
