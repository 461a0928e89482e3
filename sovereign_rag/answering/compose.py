"""What was weighed -> the draft of an answer: quotes, a model's words, or nothing.

Where no model is trusted, the search's confidence alone says whether anything answers. A trusted
one is asked of all that is worth reading, and what it makes of that is weighed together with the
search; see `decision`.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from sovereign_rag.answering.citations import StoredPages
from sovereign_rag.answering.decision import (
    WORTH_READING,
    Decision,
    citations,
    decide,
    draws_on_another,
    quotes_say_more,
)
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.events import DraftToken, Quoted
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.model_limits import high_water
from sovereign_rag.answering.quotes import EXTRACT_MARGIN, left_out, quotes, with_cited
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.verification import Rarity
from sovereign_rag.answering.weigh import Judgement, Weighed, in_turn, judge
from sovereign_rag.answering.write import AnswerWriter, Author, Evidence
from sovereign_rag.domain import AnswerKind, Statement
from sovereign_rag.settings import AnswerSettings
from sovereign_rag.system.stopwatch import Stopwatch

GATHERED: Final = 4
"""Times `answer.max_extracts`: so much is quoted where all that there is of something is asked for;
how many more there are is said."""
GATHERED_NEAR: Final = 2
"""The same of passages that may not answer at all."""
GATHERING: Final = 2
"""Times `EXTRACT_MARGIN`: so far below the best one another quote may score there."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes the draft of an answer from what the search found."""

    writer: AnswerWriter
    settings: AnswerSettings

    def compose(
        self,
        request: AnswerRequest,
        question: str,
        language: str,
        weighed: Sequence[Weighed],
        pages: StoredPages,
        rarity: Rarity,
        clock: Stopwatch,
    ) -> Generator[Quoted | DraftToken, None, tuple[Draft, Judgement]]:
        """Yield quotes and a model's words as they come; return the draft and how sure it is.

        Args:
            question: Made whole, where it leaned on the conversation.
            language: Of the answer, ISO 639-1.

        Raises:
            Busy, GenerationError: The model failed, and the request asks for its words alone.
        """
        judged = judge(weighed, self.settings)
        statements = self._quotes(judged, pages)
        yield from map(Quoted, statements)
        read = [passage for each in weighed for passage in each.passages]
        author = self.writer.author(request, language, high_water(read, request.history))
        more = self._left_out(judged)
        evidence = Evidence(question, language, judged.extracts, statements, pages, rarity, more)
        worth = [w.extracts for w in weighed if w.extracts and w.confidence >= WORTH_READING]
        if author.decides and worth:
            evidence = replace(evidence, extracts=in_turn(worth))
            return (yield from self._decided(request, evidence, judged, author, clock))
        if judged.certainty == "sure" and author.writes:
            draft = yield from self.writer.write(request, evidence, author, clock)
            return self.writer.shown(draft, language), judged
        if judged.certainty == "none":
            return Draft(AnswerKind.NONE), judged
        return self._by_the_search(evidence, judged, author.why_extracts), judged

    def _quotes(self, judged: Judgement, pages: StoredPages) -> tuple[Statement, ...]:
        """The best extracts of each question, as statements that quote themselves."""
        rows = (
            quotes(one.extracts, pages, most=most, margin=margin)
            for one, most, margin in self._bounds(judged)
        )
        return tuple(dict.fromkeys(chain.from_iterable(rows)))

    def _left_out(self, judged: Judgement) -> int:
        """How many quotes there are beyond those, of questions for all that there is."""
        return sum(
            left_out(one.extracts, most=most, margin=margin)
            for one, most, margin in self._bounds(judged)
            if one.question.gathers and judged.certainty == "sure"
        )

    def _bounds(self, judged: Judgement) -> Iterator[tuple[Weighed, int, float]]:
        """How many quotes of each question, and how far below the best they may score.

        One of a side of a comparison; more of a question for all that there is.
        """
        most = self.settings.max_extracts
        for one in judged.shown:
            if one.question.side:
                yield one, 1, EXTRACT_MARGIN
            elif one.question.gathers:
                times = GATHERED if judged.certainty == "sure" else GATHERED_NEAR
                yield one, times * most, GATHERING * EXTRACT_MARGIN
            else:
                yield one, most, EXTRACT_MARGIN

    def _by_the_search(self, evidence: Evidence, judged: Judgement, why: str) -> Draft:
        """Quotes, as sure as the search is; nothing where it isn't."""
        if judged.certainty == "none":
            return Draft(AnswerKind.NONE)
        return evidence.as_answer(
            message("near", evidence.language) if judged.certainty == "near" else why
        )

    def _decided(
        self,
        request: AnswerRequest,
        evidence: Evidence,
        judged: Judgement,
        author: Author,
        clock: Stopwatch,
    ) -> Generator[DraftToken, None, tuple[Draft, Judgement]]:
        """What a trusted model made of the evidence, and how surely that answers."""
        draft = yield from self.writer.write(request, evidence, author, clock)
        if draft.kind is AnswerKind.EXTRACTS:  # it failed, and the draft's notice says so
            return self._by_the_search(evidence, judged, draft.notice), judged
        decision = decide(
            judged.confidence,
            draft,
            evidence.extracts[0],
            evidence.question,
            evidence.language,
            self.settings,
        )
        judged = replace(
            judged,
            certainty=decision.certainty,
            confidence=decision.confidence,
            signals={**judged.signals, **decision.signals},
        )
        return self._settled(draft, evidence, decision, author), judged

    def _settled(
        self, draft: Draft, evidence: Evidence, decision: Decision, author: Author
    ) -> Draft:
        """The draft where it is surely the answer, else the quotes, or nothing."""
        nothing = replace(draft, kind=AnswerKind.NONE, notice="", statements=())
        says_nothing = draft.kind is AnswerKind.NONE or decision.certainty == "none"
        if author.kind == "generated":
            return nothing if says_nothing else self.writer.shown(draft, evidence.language)
        if decision.certainty == "none":
            return nothing
        supported = any(statement.supported for statement in draft.statements)
        if decision.certainty == "sure" and supported:
            likeliest, question = evidence.extracts[0], evidence.question
            # Where the search would have shown another passage, both are quoted.
            disputed = bool(evidence.statements) and draws_on_another(draft, likeliest)
            if not disputed and not quotes_say_more(draft, likeliest, question, evidence.language):
                return self.writer.shown(draft, evidence.language)
        most = self.settings.max_extracts
        best = evidence.statements or quotes(evidence.extracts, evidence.pages, most=most)
        return replace(
            draft,
            kind=AnswerKind.EXTRACTS,
            notice=evidence.noticed(
                message(_why_quotes(decision, supported), evidence.language, model=author.name)
            ),
            statements=with_cited(citations(draft), best, most=max(most, len(best))),
        )


def _why_quotes(decision: Decision, supported: bool) -> str:
    if decision.certainty == "near":
        return "near"
    return "extracts_say_more" if supported else "extracts_no_support"
