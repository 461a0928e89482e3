"""A question -> what is searched for: taken apart, made whole from the conversation, weighed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.corpus_question import corpus_question
from sovereign_rag.answering.parts import Part, parts
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.answering.small_talk import small_talk
from sovereign_rag.domain import FollowUp
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.retrieval.conversation import Turn, leans, newest, points_back
from sovereign_rag.retrieval.query import Query
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.retrieval.spelling import respelled
from sovereign_rag.settings import AnswerSettings
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages
from sovereign_rag.text.lexicon import pattern

GATHERED: Final = 2
"""How many times as much is looked at where all that there is of something is asked for."""
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """One of the questions that a text asks."""

    asked: str  # in the asker's words
    query: Query
    corrected: tuple[str, ...] = ()  # words as they are searched for, where they were misspelt
    cited: tuple[str, ...] = ()  # passages that the conversation cited, newest first
    side: bool = False  # one side of a comparison, behind the whole

    @property
    def gathers(self) -> bool:
        """Whether all that there is of something is asked for, wherever it stands."""
        return bool(pattern(self.query.language, "questions", "gathers").search(self.asked))

    @property
    def widened(self) -> int:
        """How many times as many passages and sentences as usual are looked at."""
        return GATHERED if self.gathers else 1


@dataclass(frozen=True, slots=True)
class Understood:
    """A text as it is searched for."""

    text: str  # what was asked, made whole where it leaned on the conversation
    questions: tuple[Question, ...]  # at least one
    follow_up: FollowUp | None  # what it was understood as, where it leaned on the conversation
    turns_dropped: int  # of the conversation, for its length

    @property
    def posed(self) -> str:
        """What a model is asked: of a pasted mail its questions alone, with what they lean on."""
        asked = " ".join(q.query.text for q in self.questions if not q.side)
        return asked if len(asked) < len(self.text) / 2 else self.text

    @property
    def corrected(self) -> tuple[str, ...]:
        return tuple(word for question in self.questions for word in question.corrected)

    @property
    def meant(self) -> tuple[tuple[str, str], ...]:
        """Acronyms of the house's list, with what they were taken to mean."""
        return tuple(dict.fromkeys(m for question in self.questions for m in question.query.meant))


@dataclass(frozen=True, slots=True)
class Understanding:
    """Makes a question whole: by a trusted model, else by rules."""

    retriever: Retriever
    rewriter: Rewriter
    lexical: LexicalEncoder
    settings: AnswerSettings

    def language(self, request: AnswerRequest, scope: ReadScope) -> str:
        """The language that is asked in. Raises StoreError.

        Where a few words don't tell it, it is the conversation's, else the page's, else that of
        most of what the asker may read.
        """
        if languages.is_told(request.question):
            return languages.of_question(request.question)
        spoken = [languages.of_question(turn.question) for turn in request.history[-1:]]
        likely = [*spoken, *([request.reads] if request.reads else [])]
        return languages.of_question(request.question, likely or self.retriever.languages(scope))

    def understand(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Understood:
        """What `request` asks for. Raises StoreError, ModelError."""
        turns, dropped = newest(request.history)
        history = [turn for turn in turns if small_talk(turn.question, (language,)) is None]
        with clock("follow_up"):
            follow_up = self._rewritten(request, language, history)
        text = follow_up.question if follow_up else request.question
        with clock("search"):
            questions = tuple(
                self._question(part, request, language, scope, history, follow_up)
                for part in parts(text, language, lambda half: leans(half, language, self.lexical))
            )
        leaning = next((q.query for q in questions if q.query.subject), None)
        if leaning is not None:
            follow_up = FollowUp(leaning.whole, "rules")
        whole = follow_up.question if follow_up else request.question
        return Understood(whole, questions, follow_up, dropped)

    def _question(
        self,
        part: Part,
        request: AnswerRequest,
        language: str,
        scope: ReadScope,
        history: Sequence[Turn],
        rewritten: FollowUp | None,
    ) -> Question:
        turns = () if rewritten or part.side or _stands(part.text, language) else history
        query = self.retriever.query(part.text, language, scope, history=turns)
        meant = respelled(query, self.retriever, self.lexical, scope, request.search_filter)
        if meant:
            text = _WORD.sub(lambda word: meant.get(word[0], word[0]), part.text)
            query = self.retriever.query(text, language, scope, history=turns)
        # What was cited last comes first: "the second point" is a point of the last answer.
        leaning = rewritten is not None or bool(query.subject)
        cited = tuple(id_ for turn in reversed(history) for id_ in turn.cited) if leaning else ()
        return Question(part.asked, query, tuple(meant.values()), cited, part.side)

    def _rewritten(
        self, request: AnswerRequest, language: str, history: Sequence[Turn]
    ) -> FollowUp | None:
        if self.settings.follow_up != "auto" or request.kind == "extracts":
            return None
        return self.rewriter.rewrite(
            request.question, language, history, request.principal, cancel=request.cancel
        )


def _stands(text: str, language: str) -> bool:
    """Whether a question about documents says itself what they are about."""
    asked = corpus_question(text, language)
    return asked is not None and bool(asked.topic) and not points_back(asked.topic, language)
