"""Small talk -> a sentence of help: the step of an answer for which nothing is searched."""

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.made import Made, Steps
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.small_talk import small_talk
from sovereign_rag.domain import AnswerKind
from sovereign_rag.system.stopwatch import Stopwatch


def answer_small_talk(
    request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
) -> Steps:
    """A greeting gets a sentence of help; anything else is left to the next step."""
    yield from ()
    talk = small_talk(request.question, (language,))
    if talk is None:
        return Made()
    spoken = request.language or talk.language
    draft = Draft(AnswerKind.TALK, text=message(f"talk_{talk.kind}", spoken))
    return Made(draft, language=spoken)
