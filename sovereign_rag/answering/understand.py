"""A question -> what is searched for: made whole from the conversation, its terms weighed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.domain import FollowUp
from sovereign_rag.retrieval.conversation import Turn, newest
from sovereign_rag.retrieval.retriever import Query, Retriever
from sovereign_rag.settings import AnswerSettings
from sovereign_rag.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it is searched for."""

    query: Query
    follow_up: FollowUp | None  # what it was understood as, where it leaned on the conversation
    cited: tuple[str, ...]  # passages that the conversation cited, newest first
    turns_dropped: int  # of the conversation, for its length


@dataclass(frozen=True, slots=True)
class Understanding:
    """Makes a question whole: by a trusted model, else by rules."""

    retriever: Retriever
    rewriter: Rewriter
    settings: AnswerSettings

    def understand(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Understood:
        """What `request` asks for. Raises StoreError, ModelError."""
        history, dropped = newest(request.history)
        with clock("follow_up"):
            follow_up = self._rewritten(request, language, history)
        with clock("search"):
            if follow_up is None:
                query = self.retriever.query(request.question, language, scope, history=history)
                follow_up = FollowUp(query.whole, "rules") if query.subject else None
            else:
                query = self.retriever.query(follow_up.question, language, scope)
        # What was cited last comes first: "the second point" is a point of the last answer.
        cited = tuple(id_ for turn in reversed(history) for id_ in turn.cited) if follow_up else ()
        return Understood(query, follow_up, cited, dropped)

    def _rewritten(
        self, request: AnswerRequest, language: str, history: Sequence[Turn]
    ) -> FollowUp | None:
        if self.settings.follow_up != "auto" or request.kind == "extracts":
            return None
        return self.rewriter.rewrite(
            request.question, language, history, request.principal, cancel=request.cancel
        )
