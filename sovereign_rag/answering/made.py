"""What a step of an answer hands on."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.events import AnswerEvent
from sovereign_rag.answering.messages import counted, message
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.understand import Understood
from sovereign_rag.answering.weigh import Judgement
from sovereign_rag.domain import AnswerKind, Certainty, OtherVersion, Passage
from sovereign_rag.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made of a question; without a draft the next one is asked."""

    draft: Draft | None = None
    passages: tuple[Passage, ...] = ()
    understood: Understood | None = None
    judged: Judgement | None = None
    language: str | None = None  # of the answer, where that isn't the question's
    other_versions: tuple[OtherVersion, ...] = ()

    @property
    def certainty(self) -> Certainty:
        return self.judged.certainty if self.judged else "sure"


Steps = Generator[AnswerEvent, None, Made]
Step = Callable[[AnswerRequest, str, ReadScope, Stopwatch], Steps]
"""A request, its language, whose scope it is in, and the clock -> what is made of it."""


def notice(draft: Draft, made: Made, language: str) -> str:
    """The draft's notice, then what was not found, and how much of the conversation was dropped."""
    said = [draft.notice]
    if made.understood and made.understood.corrected:
        words = ", ".join(made.understood.corrected)
        said.append(message("searched_for", language, words=words))
    if made.understood and made.understood.meant:
        said.extend(f"{acronym}: {meaning}." for acronym, meaning in made.understood.meant)
    if made.judged and made.judged.missing and draft.kind is not AnswerKind.NONE:
        said.append(message("parts_missing", language, questions="; ".join(made.judged.missing)))
    if made.understood and made.understood.turns_dropped:
        said.append(counted("turns_dropped", language, made.understood.turns_dropped))
    return " ".join(part for part in said if part)
