"""What an exam gave, and what follows from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from sovereign_rag.answering.trust import Trust

SLACK: Final = 1
"""Questions by which a model may lie behind in one language and still be trusted in it, where it
is at least as good in all: of the few questions of one language, one is chance."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of one question: by the model, and by the best sentences of the passages."""

    question: str  # its id
    language: str
    answerable: bool
    right: bool
    extracts_right: bool
    prompt_tokens: int
    completion_tokens: int
    seconds: float  # of the model's answer
    extracts_seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """The sum over some marks."""

    questions: int
    right: int
    extracts_right: int
    refused: int  # of the questions that nothing answers
    unanswerable: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    extracts_seconds: float


@dataclass(frozen=True, slots=True)
class ExamResult:
    """A whole exam of one model; there is none of a part."""

    model: str  # as answers name it
    taken: str  # ISO 8601, UTC
    marks: tuple[Mark, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(mark.language for mark in self.marks))

    def score(self, language: str | None = None) -> Score:
        """Of one language's questions; None: of all."""
        marks = [mark for mark in self.marks if language in (None, mark.language)]
        return Score(
            questions=len(marks),
            right=sum(mark.right for mark in marks),
            extracts_right=sum(mark.extracts_right for mark in marks),
            refused=sum(mark.right for mark in marks if not mark.answerable),
            unanswerable=sum(not mark.answerable for mark in marks),
            prompt_tokens=sum(mark.prompt_tokens for mark in marks),
            completion_tokens=sum(mark.completion_tokens for mark in marks),
            seconds=sum(mark.seconds for mark in marks),
            extracts_seconds=sum(mark.extracts_seconds for mark in marks),
        )

    def trust(self, language: str | None = None) -> Trust:
        """Whether the model's words are at least as good as the extracts.

        In all languages together; and in the language asked, where the exam has it, by no more
        than `SLACK` questions worse. The counts are those that decided.
        """
        whole, own = self.score(), self.score(language)
        if whole.right < whole.extracts_right or language not in self.languages:
            return _trust(whole, whole.right >= whole.extracts_right)
        if own.right < own.extracts_right - SLACK:
            return _trust(own, False)
        return _trust(whole, True)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError: it is not what `to_json` gave."""
        marks = tuple(Mark(**mark) for mark in content["marks"])
        if not marks:
            raise ValueError("an exam without questions")
        return cls(str(content["model"]), str(content["taken"]), marks)


def _trust(score: Score, trusted: bool) -> Trust:
    return Trust(trusted, "exam", score.questions, score.right, score.extracts_right)
