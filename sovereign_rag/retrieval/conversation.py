"""A question and what was asked before it -> the question made whole, before anything is searched.

By rules, in five languages: a question that leans on the conversation ("and in 2023?", "how is
that calculated?", "spousal support") is searched together with what the conversation is about,
its first question and the one before. A question that stands by itself is left alone: what was
asked before would only pull the search back to it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sovereign_rag.domain import Answer
from sovereign_rag.embedding.protocol import LexicalEncoder

MOST_TURNS: Final = 20
MOST_CHARACTERS: Final = 40_000
"""What of a conversation is taken in: so many turns, so many characters of questions and answers,
the newest first.
"""

_FEW_TERMS = 2  # content words; "any awards?", "spousal support" name no subject of their own

# Words that point back, and openings that go on from something.
_POINTS_BACK: Final = {
    "en": r"it|its|they|them|their|theirs|those|these|this|that|he|she|him|her|his|hers|one|ones|"
    r"there|others?|same|such|former|latter|mean|meant",
    "fr": r"il|ils|elle|elles|lui|leur|leurs|celui|celle|ceux|celles|celui-ci|celle-ci|cela|ça|"
    r"ceci|cet?|cette|ces|en|y|autres?|même|mêmes|son|sa|ses|là",
    "de": r"er|sie|es|ihn|ihm|ihr|ihre[nmrs]?|ihnen|sein|seine[nmrs]?|dies|diese[nmrs]?|"
    r"jene[nmrs]?|dessen|deren|dafür|davon|dazu|damit|daran|darin|darüber|darum|dabei|daraus|dort|"
    r"solche[nmrs]?|andere[nmrs]?|gleiche[nmrs]?|selbe[nmrs]?",
    "es": r"él|ella|ellos|ellas|ello|eso|esto|aquello|ese|esa|esos|esas|este|esta|estos|estas|le|"
    r"les|lo|su|sus|otros?|otras?|mismo|misma|mismos|mismas|ahí|allí",
    "it": r"lui|lei|esso|essa|essi|esse|loro|ciò|questo|questa|questi|queste|quello|quella|quelli|"
    r"quelle|suo|sua|suoi|sue|ne|ci|lo|altr[ieoa]|stess[ieoa]|lì|là",
}
_GOES_ON: Final = {
    "en": r"and|so|then|what about|how about|why|no|yes|also|any|or|but|tell me more|more",
    "fr": r"et|alors|donc|qu'en est-il|pourquoi|non|oui|aussi|ou|mais|sinon|dans ce cas|plus de",
    "de": r"und|dann|also|wie (?:ist|sieht|steht) es mit|was ist mit|warum|wieso|nein|ja|auch|oder|"
    r"aber|sonst|mehr",
    "es": r"y|e|entonces|qué hay de|qué pasa con|por qué|no|sí|también|o|pero|más",
    "it": r"e|ed|allora|quindi|che ne è di|perché|no|sì|anche|o|ma|invece|di più|altro",
}
_LEANS: Final = {
    language: re.compile(
        rf"\b(?:{_POINTS_BACK[language]})\b|^\W*(?:{_GOES_ON[language]})\b", re.IGNORECASE
    )
    for language in _POINTS_BACK
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of the conversation so far, and what was answered."""

    question: str
    answer: str = ""
    cited: tuple[str, ...] = ()  # the passages that the answer quoted, by id
    level: int | None = None  # of the answer; None: not known, as in what a client hands in

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """A turn of what was asked and answered."""
        cited = dict.fromkeys(c.passage_id for c in answer.citations if c.passage_id)
        return cls(answer.question, answer.text, tuple(cited), answer.level)


def newest(history: Sequence[Turn]) -> tuple[tuple[Turn, ...], int]:
    """The turns that are taken in, oldest first, and how many older ones were dropped.

    The newest one is always taken in, whatever its length.
    """
    taken: list[Turn] = []
    left = MOST_CHARACTERS
    for turn in reversed(history[-MOST_TURNS:]):
        left -= len(turn.question) + len(turn.answer)
        if left < 0 and taken:
            break
        taken.append(turn)
    return tuple(reversed(taken)), len(history) - len(taken)


def turns_of(messages: Iterable[tuple[str, str]]) -> tuple[Turn, ...]:
    """The turns in messages of a chat, each a role and a text, oldest first.

    Each message of the `user` begins one, what the `assistant` says next is its answer. Others (of
    the system, of tools) are left out, and so is an answer without a question.
    """
    turns: list[Turn] = []
    for role, text in messages:
        if role == "user":
            turns.append(Turn(text))
        elif role == "assistant" and turns:
            turns[-1] = Turn(turns[-1].question, f"{turns[-1].answer} {text}".strip())
    return tuple(turns)


def points_back(text: str, language: str) -> bool:
    """Whether a text has words that stand for something said before, or goes on from it."""
    return bool(_LEANS.get(language, _LEANS["en"]).search(text.replace("’", "'")))


def leans(question: str, language: str, lexical: LexicalEncoder) -> bool:
    """Whether `question` can't be understood without what was said before it.

    It points back ("how is that calculated?"), goes on ("and in 2023?"), or has so few words of
    its own ("any awards?") that it can't say what it is about. Measured on 132 follow-up
    questions, see docs/quality.md; to take a question for leaning that stands alone costs little,
    since what was asked before counts for a third.
    """
    if points_back(question, language):
        return True
    return len(lexical.encode_query(question, language).indices) <= _FEW_TERMS


def subject(
    question: str, language: str, history: Sequence[Turn], lexical: LexicalEncoder
) -> tuple[str, ...]:
    """The earlier questions that `question` is searched with: the last one, then the first.

    None for a question that stands by itself, or that begins the conversation. The answers given
    are left out: they hold many words, and searching with them was measured to find less.
    """
    asked = [turn.question.strip() for turn in history if turn.question.strip()]
    if not asked or not leans(question, language, lexical):
        return ()
    return tuple(dict.fromkeys((asked[-1], asked[0])))
