"""Writers that follow a script, and results as if an exam had given them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.errors import GenerationError
from sovereign_rag.exam.question_set import ExamQuestion, Paper, the_paper
from sovereign_rag.exam.result import ExamResult, Mark
from sovereign_rag.exam.results_file import Exams, exam_key
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message, ModelInfo
from sovereign_rag.settings import Settings

INFO = ModelInfo(
    name="scripted",
    sha256="5" * 64,
    architecture="none",
    parameters=1,
    context_tokens=8_192,
    licence=None,
)

Answer = Callable[[ExamQuestion, str], str]


def knowing(question: ExamQuestion, prompt: str) -> str:
    """What a good model writes."""
    del prompt
    return question.example or "NOT FOUND"


def copying(question: ExamQuestion, prompt: str) -> str:
    """What a model writes that copies out all that it was given."""
    del question
    fenced = prompt.split("<passages>", 1)[1].split("</passages>", 1)[0]
    return " ".join(line for line in fenced.splitlines() if not line.startswith(("<", " ")))


def asked(prompt: str) -> ExamQuestion:
    """The question of the exam that a prompt ends with."""
    return next(q for q in the_paper().questions if prompt.rstrip().endswith(q.text))


class ScriptedModel:
    """Answers the exam's questions, and keeps which it was asked."""

    def __init__(self, answer: Answer = knowing, *, info: ModelInfo = INFO) -> None:
        self.info, self._answer = info, answer
        self.asked: list[str] = []
        self.holds: set[int] = set()  # numbers of requests, from 0, that go on until cancelled
        self.writing = threading.Semaphore(0)
        self.fails = False

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages) // 3

    def stream(self, request: CompletionRequest) -> Iterator[Delta]:
        if self.fails:
            raise GenerationError("The engine is gone. Ask again.")
        prompt = request.messages[-1].content
        question, number = asked(prompt), len(self.asked)
        self.asked.append(question.id)
        self.writing.release()
        if number in self.holds:
            assert request.cancel is not None
            assert request.cancel.wait(300), "nobody cancelled it"
            yield Delta("", "cancelled")
            return
        yield Delta(self._answer(question, prompt))
        yield Delta("", "stop", prompt_tokens=100, completion_tokens=10)

    def close(self) -> None:
        """Nothing is held."""


def short(*ids: str) -> Paper:
    """The exam with some of its questions."""
    paper = the_paper()
    return replace(paper, questions=tuple(q for q in paper.questions if q.id in ids))


def result_of(
    right: int, extracts: int, *, of: int = 5, **languages: tuple[int, int]
) -> ExamResult:
    """As many right in each language, by the model and by the extracts; other counts by name."""
    marks: list[Mark] = []
    for language in LANGUAGES:
        own, best = languages.get(language, (right, extracts))
        marks += [
            Mark(f"{language}-{n}", language, True, n < own, n < best, 100, 10, 1.0, 0.1)
            for n in range(of)
        ]
    return ExamResult("scripted@555555555555", "2026-01-02T03:04:05+00:00", tuple(marks))


def examined(settings: Settings, result: ExamResult, *, sha256: str) -> Settings:
    """The settings, over a models folder where the model's exam had this result."""
    key = exam_key(settings.generation.endpoint.model, sha256, settings.generation, the_paper())
    folder: Path = settings.models_dir
    folder.mkdir(parents=True, exist_ok=True)
    assert Exams(folder).keep(key, result)
    return settings
