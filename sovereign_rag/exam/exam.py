"""An exam is sat: each question takes the way that answers take, twice.

Once the model writes, once the best sentences are quoted, from the same passages. What both have
before them alike is left out: no question is refused for want of confidence, so only the model
itself can say that nothing answers.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sovereign_rag.answer import AnswerService
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.trust import Unexamined
from sovereign_rag.domain import Answer, RequestedKind, Verdict
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import CallerLeft
from sovereign_rag.exam.corpus import EXAMINEE, ExamLibrary
from sovereign_rag.exam.question_set import ExamQuestion, Paper
from sovereign_rag.exam.result import ExamResult, Mark
from sovereign_rag.exam.results_file import MOST_TOKENS
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import (
    AnswerSettings,
    GenerationSettings,
    LabelSettings,
    RetrievalSettings,
)
from sovereign_rag.system.admission import Admission
from sovereign_rag.text.answer_match import contains_answer

Progress = Callable[[int, int], None]
"""Called with the questions done and the questions in all."""

MOST_STATEMENTS: Final = AnswerSettings().max_extracts
"""Statements within which the answer has to stand: as many as extracts have, so that whoever
copies the whole passage out gains nothing by it."""


class Exam:
    """One model before one paper."""

    def __init__(
        self,
        paper: Paper,
        language_model: LanguageModel,
        generation: GenerationSettings,
        *,
        embedder: Embedder,
        lexical: LexicalEncoder,
    ) -> None:
        """`generation` is what the model is used with; all else is as it is unless set."""
        self._paper, self._language_model = paper, language_model
        library = ExamLibrary(paper, embedder=embedder, lexical=lexical)
        retrieval, answer = RetrievalSettings(), AnswerSettings(min_confidence=0)
        most = min(generation.max_tokens, MOST_TOKENS)
        generation = generation.model_copy(update={"max_tokens": most})
        trust = Unexamined(generation)
        self._answering = AnswerService(
            retriever=Retriever(
                embedder=embedder,
                lexical=lexical,
                store=library.store,
                live=library,
                settings=retrieval,
            ),
            embedder=AnswerEmbedder(embedder),
            lexical=lexical,
            language_model=lambda: language_model,
            content=library,
            catalog=library,
            audit=library,
            index_version=library.store.collection,
            retrieval=retrieval,
            answer=answer,
            generation=generation,
            trust=trust,
            labels=LabelSettings(),  # its passages are everybody's
            admission=Admission(places=1, queue=1),  # one question after the other
        )

    @property
    def questions(self) -> tuple[ExamQuestion, ...]:
        return self._paper.questions

    def ask(self, question: ExamQuestion, cancel: threading.Event | None = None) -> Mark | None:
        """Ask one question; None: it was cancelled, and no mark is given.

        Raises:
            Busy, GenerationError: The model did not answer.
        """
        try:
            extracts = self._answer(question, "extracts", cancel)
            written = self._answer(question, "generated", cancel)
        except CallerLeft:
            return None
        if cancel is not None and cancel.is_set():
            return None
        return Mark(
            question=question.id,
            language=question.language,
            answerable=bool(question.answers),
            right=is_right(question, written),
            extracts_right=is_right(question, extracts),
            prompt_tokens=written.usage.get("prompt_tokens", 0),
            completion_tokens=written.usage.get("completion_tokens", 0),
            seconds=_seconds(written),
            extracts_seconds=_seconds(extracts),
        )

    def result(self, marks: list[Mark]) -> ExamResult:
        """Of the marks of all questions."""
        taken = datetime.now(UTC).isoformat(timespec="seconds")
        return ExamResult(self._language_model.info.id, taken, tuple(marks))

    def sit(self, *, on_progress: Progress = lambda done, total: None) -> ExamResult:
        """Ask all questions, one after the other.

        Raises:
            Busy, GenerationError: The model did not answer; there is no result then.
        """
        marks: list[Mark] = []
        for question in self.questions:
            mark = self.ask(question)
            assert mark is not None, "nothing cancels it"
            marks.append(mark)
            on_progress(len(marks), len(self.questions))
        return self.result(marks)

    def _answer(
        self, question: ExamQuestion, kind: RequestedKind, cancel: threading.Event | None
    ) -> Answer:
        return self._answering.answer(
            AnswerRequest(
                question.text, EXAMINEE, language=question.language, kind=kind, cancel=cancel
            )
        )


def is_right(question: ExamQuestion, answer: Answer) -> bool:
    """Whether an answer is what a reader needs.

    Where nothing answers the question: that it says so. Else one of the labelled answers has to
    stand in what the passages support, within the first statements, and nothing that it states
    may be without any support.
    """
    if not question.answers:
        return answer.abstained
    if any(statement.verdict is Verdict.UNSUPPORTED for statement in answer.statements):
        return False
    first = answer.statements[:MOST_STATEMENTS]
    said = " ".join(statement.text for statement in first if statement.supported)
    return contains_answer(said, question.answers, question.language)


def _seconds(answer: Answer) -> float:
    return answer.timings_ms.get("total", 0.0) / 1000
