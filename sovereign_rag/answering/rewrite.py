"""A question that leans on the conversation -> a question that stands by itself, by the model.

A capable model says what "it" and "there" stand for better than rules can. What it writes is held
against the conversation and dropped where it brings in something of its own; then, and where no
capable model is at hand, the rules of `followup` apply.
"""

import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.access import Principal
from sovereign_rag.answering.fence import harmless
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.answering.model_limits import ModelLimits
from sovereign_rag.answering.prompt import FOLLOW_UP, wording
from sovereign_rag.answering.sanitize import plain
from sovereign_rag.answering.trust import TrustPolicy
from sovereign_rag.domain import FollowUp
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.errors import BadInput, Busy, GenerationError
from sovereign_rag.generation.protocol import CompletionRequest, LanguageModel, Message
from sovereign_rag.retrieval.conversation import Turn, leans
from sovereign_rag.text.sentences import sentences

log = logging.getLogger(__name__)

_TURNS: Final = 4  # that a model reads: the last ones
_ANSWER: Final = 400  # characters of each answer: each prompt token costs time
_TOKENS: Final = 96  # of the rewritten question
_LONGEST: Final = 500  # characters; more is no question
_FROM_THE_CONVERSATION: Final = 0.5
"""Least share of the content words that have to stem from the conversation."""

_FENCE = "conversation"
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Lets the language model rewrite, where it is a capable one."""

    language_model: Callable[[], LanguageModel | None]
    lexical: LexicalEncoder
    trust: TrustPolicy
    limits: ModelLimits

    def rewrite(
        self,
        question: str,
        language: str,
        history: Sequence[Turn],
        principal: Principal,
        *,
        cancel: threading.Event | None = None,
    ) -> FollowUp | None:
        """The question made whole; None: it stands by itself, or the rules have to do.

        Args:
            language: Of the question, ISO 639-1.
            history: What was asked and answered before, oldest first.
            principal: Whose turn it is at the model.
            cancel: Set it to stop the model's writing.
        """
        asked = [turn for turn in history if turn.question.strip()][-_TURNS:]
        if not asked or not leans(question, language, self.lexical):
            return None
        levels = [turn.level for turn in asked if turn.answer]
        if not all(self.limits.may_see(level) for level in levels):
            return None
        language_model = self.language_model()
        if language_model is None or not self.trust.judge(language_model, language).trusted:
            return None
        texts = wording(language, FOLLOW_UP)
        told = "\n".join(_told(turn, language) for turn in asked)
        user = texts.user.format(
            conversation=harmless(told, _FENCE), question=harmless(question, _FENCE)
        )
        try:
            pieces = language_model.stream(
                CompletionRequest(
                    (Message("system", texts.system), Message("user", user)),
                    tenant=principal.tenant,
                    person=principal.user,
                    max_tokens=_TOKENS,
                    endpoints=self.limits.endpoints(*levels),
                    cancel=cancel,
                )
            )
            written = _question("".join(piece.text for piece in pieces))
        except (BadInput, Busy, GenerationError) as error:
            log.warning("Left a follow-up question to the rules: %s", error)
            return None
        if not self._is_of(f"{told}\n{question}", written, language):
            return None
        if question.rstrip().endswith("?") and not written.endswith("?"):
            return None  # it answers, or tells what was asked before
        return FollowUp(written, "model", texts.version)

    def _is_of(self, conversation: str, written: str, language: str) -> bool:
        """Whether what was written is a question of this conversation, with its numbers."""
        if not 0 < len(written) <= _LONGEST or speaks_to_a_model(written):
            return False
        if not set(_NUMBER.findall(written)) <= set(_NUMBER.findall(conversation)):
            return False
        terms = set(self.lexical.encode_query(written, language).indices)
        known = set(self.lexical.encode_query(conversation, language).indices)
        return len(terms & known) >= _FROM_THE_CONVERSATION * len(terms) > 0


def _told(turn: Turn, language: str) -> str:
    """A turn as the model reads it, without sentences that give it orders."""
    answer = "".join(
        turn.answer[start:end] + " "
        for start, end in sentences(turn.answer[:_ANSWER], language)
        if not speaks_to_a_model(turn.answer[start:end])
    ).strip()
    return f"- {turn.question.strip()}" + (f"\n  {answer}" if answer else "")


def _question(written: str) -> str:
    """The first line that says something, without the quotation marks around it."""
    lines = (line.strip().strip("\"'«»„“”").strip() for line in plain(written).splitlines())
    return next((line for line in lines if line), "")
