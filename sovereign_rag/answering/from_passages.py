"""A question -> passages -> extracts -> an answer: the step that most questions come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.citations import StoredPages
from sovereign_rag.answering.compose import Composer
from sovereign_rag.answering.events import Found
from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.answering.made import Made, Steps
from sovereign_rag.answering.other_versions import other_versions
from sovereign_rag.answering.record import search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.turn import turn_at_the_cores
from sovereign_rag.answering.understand import Question, Understanding
from sovereign_rag.answering.weigh import in_turn, weigh
from sovereign_rag.domain import Passage
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class FromPassages:
    """Searches, weighs what is found, and quotes or writes."""

    retriever: Retriever
    understanding: Understanding
    evidence: EvidenceFinder
    composer: Composer
    audit: AuditTrail
    pages: Callable[[Sequence[Passage], ReadScope], StoredPages]
    """Gives the stored text behind passages."""
    admission: Admission

    def make(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """Everything else is searched for, weighed, and quoted or written."""
        understood = self.understanding.understand(request, language, scope, clock)
        with turn_at_the_cores(self.admission, request, clock), clock("search"):
            found = [self._search(asked, request, scope) for asked in understood.questions]
            passages = _distinct(in_turn(found))
            pages = self.pages(passages, scope)
        self.audit.append(search_entry(request.question, request.principal, passages))
        yield Found(passages)

        with turn_at_the_cores(self.admission, request, clock), clock("evidence"):
            weighed = [
                weigh(asked, own, self.evidence)
                for asked, own in zip(understood.questions, found, strict=True)
            ]
            passages = _distinct(in_turn([each.passages for each in weighed]))
        draft, judged = yield from self.composer.compose(
            request,
            understood.posed,
            language,
            weighed,
            pages,
            self.retriever.rarity(scope),
            clock,
        )
        quoted = [w.extracts[0] for w in judged.shown]
        versions = other_versions(quoted, passages, pages)
        return Made(draft, passages, understood, judged, other_versions=versions)

    def _search(self, asked: Question, request: AnswerRequest, scope: ReadScope) -> list[Passage]:
        return self.retriever.context(
            asked.query,
            scope,
            mode=request.mode,
            search_filter=request.search_filter,
            earlier=asked.cited,
            widened=asked.widened,
        )


def _distinct(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    return tuple({passage.id: passage for passage in passages}.values())
