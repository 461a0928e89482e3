"""What was typed -> the questions in it, each to be searched and answered by itself.

A pasted mail asks in one or two of its sentences, and the rest would drown them; "how long is it
and what does it cost?" asks for two things that stand in two places. By rules, in five languages;
a text in which no question is found is searched as it is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from sovereign_rag.text.lexicon import expression, pattern
from sovereign_rag.text.sentences import sentences

_LONG: Final = 220  # characters; from here on what asks is looked for among what tells
_MOST: Final = 4  # questions that are answered; a longer list is cut
_FEWEST_WORDS: Final = 2  # of a half that can be searched alone
_CONTEXT: Final = 200  # characters of the sentence before a question that are read with it
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Part:
    """One of the questions that a text asks."""

    text: str  # as it is searched, with what it needs to be understood
    asked: str  # in the asker's words, to be named beside its answer
    side: bool = False  # one side of a comparison; the whole is asked before it


def parts(text: str, language: str, leans: Callable[[str], bool]) -> tuple[Part, ...]:
    """The questions of `text`, in order, at most four; `text` itself where it asks one thing.

    One that compares two things is asked as a whole, and each of its sides is.

    Args:
        leans: Whether a question needs what was said before it to be understood.
    """
    said = [text[start:end] for start, end in sentences(text, language)]
    asking = [place for place, sentence in enumerate(said) if _asks(sentence, language)]
    several = sum(sentence.rstrip().endswith("?") for sentence in said) > 1
    if not asking or (len(text) <= _LONG and not several):
        said, asking = [text.strip()], [0]
    sides = _sides(said[asking[0]], language) if len(asking) == 1 else ()
    if sides:
        whole = said[asking[0]]
        return (Part(whole, whole), *(Part(side, side, side=True) for side in sides))
    found: list[Part] = []
    for place in asking:
        before = _before(said, place, asking)
        for half in _halves(_request(said[place], language), language):
            given = found[-1].text if found and not before else before
            found.append(Part(f"{given} {half}".strip() if leans(half) else half, half))
    return tuple(found[:_MOST])


def _sides(question: str, language: str) -> tuple[str, ...]:
    """The two things that a question compares; none where it compares nothing."""
    plain = question.strip(" ?¿!.\n\u00a0\u202f")
    found = re.fullmatch(expression(language, "questions", "compares"), plain, re.IGNORECASE)
    if found is None:
        return ()
    return tuple(side.strip(" '\"«»„“”") for side in found.groupdict().values() if side)


def _asks(sentence: str, language: str) -> bool:
    if sentence.rstrip().endswith("?"):
        return len(_WORD.findall(sentence)) >= _FEWEST_WORDS
    return bool(pattern(language, "questions", "requests").search(sentence))


def _request(sentence: str, language: str) -> str:
    """The sentence from "I would like to know" on; what precedes that is politeness."""
    found = pattern(language, "questions", "requests").search(sentence)
    rest = sentence[found.end() :].lstrip(" ,:;") if found else ""
    return rest if len(_WORD.findall(rest)) >= _FEWEST_WORDS else sentence


def _before(said: Sequence[str], place: int, asking: Sequence[int]) -> str:
    """What was told just before a question, unless that asks itself."""
    if place == 0 or place - 1 in asking or len(said[place - 1]) > _CONTEXT:
        return ""
    return said[place - 1]


def _halves(question: str, language: str) -> list[str]:
    """A question of two things cut before the second: "how long is it | what does it cost?"."""
    cuts = [0, *(found.end() for found in _joint(language).finditer(question)), len(question)]
    halves = [
        _joint_left(language).sub("", question[start:end]).strip(" ,;")
        for start, end in pairwise(cuts)
    ]
    alone = all(len(_WORD.findall(half)) > _FEWEST_WORDS for half in halves)
    opens = _opening(language).match(question)
    return halves if len(halves) > 1 and alone and opens else [question]


@cache
def _joint(language: str) -> re.Pattern[str]:
    """Where another question begins within a sentence."""
    joins, opens = (expression(language, "questions", key) for key in ("joins", "opens"))
    return re.compile(rf"(?:,\s*|\s){joins}\s+(?={opens}\b)", re.IGNORECASE)


@cache
def _joint_left(language: str) -> re.Pattern[str]:
    joins = expression(language, "questions", "joins")
    return re.compile(rf"(?:,\s*|\s){joins}\s*$", re.IGNORECASE)


@cache
def _opening(language: str) -> re.Pattern[str]:
    return re.compile(rf"\W*{expression(language, 'questions', 'opens')}\b", re.IGNORECASE)
