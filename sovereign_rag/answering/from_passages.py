"""A question -> passages -> extracts -> an answer: the step that most questions come to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.citations import StoredPages
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.events import Found, Quoted
from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.answering.made import Made, Steps
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.quotes import quotes
from sovereign_rag.answering.record import search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.understand import Question, Understanding
from sovereign_rag.answering.weigh import Judgement, in_turn, judge, weigh
from sovereign_rag.answering.write import AnswerWriter, Evidence
from sovereign_rag.domain import AnswerKind, Passage, Statement
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import AnswerSettings
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class FromPassages:
    """Searches, weighs what is found, and quotes or writes."""

    retriever: Retriever
    understanding: Understanding
    evidence: EvidenceFinder
    writer: AnswerWriter
    settings: AnswerSettings
    audit: AuditTrail
    pages: Callable[[Sequence[Passage], ReadScope], StoredPages]
    """Gives the stored text behind passages."""
    admission: Admission

    def make(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """Everything else is searched for, weighed, and quoted or written."""
        understood = self.understanding.understand(request, language, scope, clock)
        with self._turn(request, clock), clock("search"):
            found = [self._search(asked, request, scope) for asked in understood.questions]
            passages = in_turn(found)
            passages = tuple({passage.id: passage for passage in passages}.values())
            pages = self.pages(passages, scope)
        self.audit.append(search_entry(request.question, request.principal, passages))
        yield Found(passages)

        with self._turn(request, clock), clock("evidence"):
            judged = judge(
                [
                    weigh(asked, own, self.evidence)
                    for asked, own in zip(understood.questions, found, strict=True)
                ],
                self.settings,
            )
        draft = Draft(AnswerKind.NONE)
        if judged.shown:
            statements = self._quote(judged, pages)
            yield from map(Quoted, statements)
            evidence = Evidence(
                understood.text,
                language,
                judged.extracts,
                statements,
                pages,
                self.retriever.rarity(scope),
            )
            if judged.certainty == "near":
                draft = evidence.as_answer(message("near", language))
            else:
                draft = yield from self.writer.write(request, evidence, clock)
        return Made(draft, passages, understood, judged)

    @contextmanager
    def _turn(self, request: AnswerRequest, clock: Stopwatch) -> Iterator[None]:
        """A turn at the cores, among everybody who asks. Raises Busy, CallerLeft."""
        principal = request.principal
        with ExitStack() as stack:
            with clock("wait"):
                turn = self.admission.turn(principal.tenant, principal.user, request.cancel)
                stack.enter_context(turn)
            yield

    def _search(self, asked: Question, request: AnswerRequest, scope: ReadScope) -> list[Passage]:
        return self.retriever.context(
            asked.query,
            scope,
            mode=request.mode,
            search_filter=request.search_filter,
            earlier=asked.cited,
        )

    def _quote(self, judged: Judgement, pages: StoredPages) -> tuple[Statement, ...]:
        """The best extracts of each question, as statements that quote themselves."""
        most = self.settings.max_extracts
        rows = (quotes(weighed.extracts, pages, most=most) for weighed in judged.shown)
        return tuple(dict.fromkeys(chain.from_iterable(rows)))
