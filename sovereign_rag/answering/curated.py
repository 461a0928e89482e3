"""An answer that the house keeps for a question -> that answer, with its quotes as they stand now.

It is given to who may read every document that it leans on, while each of its quotes still stands
there; to anybody else the question is searched like any other. A question is another wording of
one that is kept where it has the same words, capitals, accents and marks aside, or means the same
by the embedding model, above a bound that was measured for that model.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.events import Found
from sovereign_rag.answering.made import Made, Steps
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.record import search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.turn import turn_at_the_cores
from sovereign_rag.domain import AnswerKind, Citation, HouseMark, Passage, Statement, Verdict
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.protocol import LexicalEncoder, Vectors
from sovereign_rag.retrieval.conversation import leans
from sovereign_rag.retrieval.retriever import LiveDocuments, Retriever
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.storage.curated_answers import CuratedAnswer
from sovereign_rag.store.protocol import NO_FILTER, SearchFilter
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text.folding import folded
from sovereign_rag.text.locale import nearest_locale

BOUNDS: Final[Mapping[str, float]] = {"multilingual-e5-small": 0.972}
"""Least cosine of two questions that ask for the same, by embedding model; another one's is a
setting, or its questions have to be worded alike.

Measured by benchmarks/curated/bound.py on questions in five languages: at 0.972 none of 93 that
ask for something else about the same subject passes (the likest has 0.9695), and 17 of 60 that ask
for the same in other words do; further wordings that are kept make up for the rest.
"""
_NEW_AT_ONCE: Final = 8  # answers whose wordings are embedded while somebody waits
_MOST_KEPT: Final = 1_000
_NUMBER: Final = re.compile(r"\d+")
_MARKS: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class QuoteFinder:
    """Says where a quote stands now, for whom."""

    retriever: Retriever
    pages: Callable[[Sequence[Passage], ReadScope], StoredPages]
    """Gives the stored text behind passages."""

    def find(
        self, quote: str, document: str, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
    ) -> tuple[Passage, Citation] | None:
        """The passage and the checked citation; None: it does not stand there for this scope."""
        there = self.retriever.holding(quote, document, scope, search_filter)
        if there is None:
            return None
        passage, start, end = there
        citation = cite(passage, start, end, self.pages([passage], scope))
        return (passage, citation) if citation.stands else None


class HouseAnswers(Protocol):
    """The answers of the house, by tenant."""

    def of_tenant(self, tenant: str) -> Sequence[CuratedAnswer]: ...


class Match(NamedTuple):
    answer: CuratedAnswer
    wording: str  # that the question is taken for
    is_exact: bool


@dataclass(slots=True)
class Wordings:
    """Vectors of the questions that are kept, for one embedding model; made as they are needed."""

    embedder: AnswerEmbedder
    bound: float | None
    _kept: dict[tuple[str, int], Vectors] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def nearest(self, question: str, answers: Sequence[CuratedAnswer]) -> Match | None:
        """The answer to the question that means the same as `question`, if there is one."""
        if self.bound is None:
            return None
        asked = self.embedder.ahead(question)
        best: tuple[float, Match] | None = None
        for answer, vectors in self._vectors(answers):
            for wording, likeness in zip(answer.wordings, vectors @ asked, strict=True):
                is_better = best is None or likeness > best[0]
                if likeness >= self.bound and is_better and _same_numbers(question, wording):
                    best = float(likeness), Match(answer, wording, False)
        if best is None:
            return None
        self.embedder.forget(question)
        return best[1]

    def _vectors(
        self, answers: Sequence[CuratedAnswer]
    ) -> Iterator[tuple[CuratedAnswer, NDArray[np.float32]]]:
        new = 0
        for answer in answers:
            key = (answer.id, answer.revision)
            vectors = self._kept.get(key)
            if vectors is None:
                if new == _NEW_AT_ONCE:
                    continue
                new += 1
                vectors = self.embedder.embed_wordings(answer.wordings)
                with self._guard:
                    while len(self._kept) >= _MOST_KEPT:
                        del self._kept[next(iter(self._kept))]
                    self._kept[key] = vectors
            yield answer, vectors


@dataclass(frozen=True, slots=True)
class FromTheHouse:
    """Answers from what admins wrote."""

    answers: HouseAnswers
    wordings: Wordings
    quotes: QuoteFinder
    live: LiveDocuments
    lexical: LexicalEncoder
    audit: AuditTrail
    admission: Admission

    def make(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """The house's answer; without one that the asker may be given, nothing."""
        if request.kind not in (None, "auto") or self._leans(request, language):
            return Made()
        open_ = self._open(scope)
        if not open_:
            return Made()
        match = worded_alike(request.question, open_)
        with turn_at_the_cores(self.admission, request, clock), clock("search"):
            match = match or self.wordings.nearest(request.question, open_)
            cited = self._cited(match.answer, request, scope) if match else None
        if match is None or cited is None:
            return Made()
        passages = tuple({passage.id: passage for passage, _ in cited}.values())
        self.audit.append(search_entry(request.question, request.principal, passages))
        yield Found(passages)
        spoken = _language(match, request.language or language)
        draft = _draft(match, [citation for _, citation in cited], spoken)
        return Made(draft, passages, language=spoken)

    def _leans(self, request: AnswerRequest, language: str) -> bool:
        return bool(request.history) and leans(request.question, language, self.lexical)

    def _open(self, scope: ReadScope) -> list[CuratedAnswer]:
        """The answers of whose sources the scope may read each one."""
        kept = [one for one in self.answers.of_tenant(scope.tenant) if one.sources and one.is_whole]
        if not kept:
            return []
        named = sorted({id_ for answer in kept for id_ in answer.documents})
        readable = self.live.live_versions(named, scope).keys()
        return [answer for answer in kept if answer.documents <= readable]

    def _cited(
        self, answer: CuratedAnswer, request: AnswerRequest, scope: ReadScope
    ) -> list[tuple[Passage, Citation]] | None:
        """Every quote as it stands now; None: one of them does not, or is filtered out."""
        found: list[tuple[Passage, Citation]] = []
        for source in answer.sources:
            there = self.quotes.find(
                source.quote or "", source.document_id, scope, request.search_filter
            )
            if there is None:
                return None
            found.append(there)
        return found


def worded_alike(question: str, answers: Sequence[CuratedAnswer]) -> Match | None:
    """The answer that is kept for this very question."""
    asked = _bare(question)
    for answer in answers:
        for wording in answer.wordings:
            if _bare(wording) == asked:
                return Match(answer, wording, True)
    return None


def bound_of(model_id: str, wanted: float | None) -> float | None:
    """The bound for an embedding model; None: its likeness tells nothing that was measured."""
    if wanted is not None:
        return wanted
    return next((bound for name, bound in BOUNDS.items() if model_id.startswith(name)), None)


def _draft(match: Match, citations: Sequence[Citation], language: str) -> Draft:
    answer, words = match.answer, nearest_locale(language)
    mark = HouseMark(
        id=answer.id,
        question=match.wording,
        by=answer.checked_by.removeprefix("user:"),
        checked=answer.checked.date(),
        due=answer.due,
    )
    said = [message("curated", language, date=words.date(mark.checked), name=mark.by)]
    if not match.is_exact:
        said.append(message("curated_for", language, question=mark.question))
    if answer.is_overdue(datetime.now(UTC).date()):
        said.append(message("curated_overdue", language, date=words.date(mark.due)))
    parts = [part.strip() for part in answer.texts[language].split("\n\n") if part.strip()]
    statements = [Statement(part, Verdict.STATED, ()) for part in parts[:-1]]
    statements.append(Statement(parts[-1], Verdict.STATED, tuple(citations)))
    return Draft(AnswerKind.CURATED, " ".join(said), statements=tuple(statements), house=mark)


def _language(match: Match, wanted: str) -> str:
    """The asker's, where the answer was written in it; else the first that it was written in."""
    texts = match.answer.texts
    return wanted if wanted in texts else next(iter(texts))


def _bare(question: str) -> str:
    return _MARKS.sub(" ", folded(question)).strip()


def _same_numbers(one: str, other: str) -> bool:
    """Whether both name the same: to a model "grade 7" means nearly what "grade 8" does."""
    return sorted(_NUMBER.findall(one)) == sorted(_NUMBER.findall(other))
