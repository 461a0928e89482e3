"""Passages found for each question -> what is shown of them, and how sure that answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TypeVar

from sovereign_rag.answering.confidence import confidence, signals
from sovereign_rag.answering.extracts import EvidenceFinder, Extract
from sovereign_rag.answering.understand import Question
from sovereign_rag.domain import Certainty, Passage
from sovereign_rag.settings import AnswerSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Weighed:
    """What speaks to one question."""

    question: Question
    passages: tuple[Passage, ...]  # that with the best extract first
    extracts: tuple[Extract, ...]
    signals: dict[str, float]
    confidence: float  # in [0, 1], that the extracts answer


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is shown for all questions of a text."""

    shown: tuple[Weighed, ...]  # those whose passages come near enough, in the order asked
    missing: tuple[str, ...]  # the others, in the asker's words
    certainty: Certainty
    confidence: float  # of the least sure that is shown; of the surest where none is
    signals: dict[str, float]  # of that one

    @property
    def extracts(self) -> tuple[Extract, ...]:
        """The best of each question first."""
        return in_turn([weighed.extracts for weighed in self.shown])


def weigh(question: Question, passages: Sequence[Passage], evidence: EvidenceFinder) -> Weighed:
    """The extracts of what was found for a question, and the probability that they answer."""
    extracts = evidence.find(question.query, passages, widened=question.widened)
    found = signals(question.query, passages, extracts, question.cited)
    return Weighed(question, _ranked(passages, extracts), tuple(extracts), found, confidence(found))


def judge(weighed: Sequence[Weighed], settings: AnswerSettings) -> Judgement:
    """Which of the questions are answered, and how surely; at least one question.

    From `min_confidence` on passages answer; from `near_confidence` on they are shown as what
    comes nearest; below that there is nothing. A comparison is answered where the whole is, or
    both of its sides are.
    """
    least_shown = min(settings.near_confidence, settings.min_confidence)
    shown = tuple(w for w in weighed if w.extracts and w.confidence >= least_shown)
    compared = _compared(weighed)
    if not shown or (compared and compared.confidence < least_shown):
        best = max(weighed, key=lambda w: w.confidence)
        return Judgement((), (), "none", best.confidence, best.signals)
    least = compared or min(shown, key=lambda w: w.confidence)
    certainty: Certainty = "sure" if least.confidence >= settings.min_confidence else "near"
    missing = tuple(w.question.asked for w in weighed if w not in shown)
    return Judgement(shown, missing, certainty, least.confidence, least.signals)


def _compared(weighed: Sequence[Weighed]) -> Weighed | None:
    """What tells how surely a comparison is answered; None: nothing is compared."""
    sides = [w for w in weighed if w.question.side]
    if not sides:
        return None
    whole = next(w for w in weighed if not w.question.side)
    return max(whole, min(sides, key=lambda w: w.confidence), key=lambda w: w.confidence)


def _ranked(passages: Sequence[Passage], extracts: Sequence[Extract]) -> tuple[Passage, ...]:
    """Passages by their best extract; those without one behind, as the search has them."""
    place = {extract.passage.id: -rank for rank, extract in enumerate(reversed(extracts))}
    return tuple(sorted(passages, key=lambda passage: place.get(passage.id, 1)))


def in_turn(rows: Sequence[Sequence[T]]) -> tuple[T, ...]:
    """The first of each row, then the second of each, ..."""
    return tuple(item for item in chain.from_iterable(zip_longest(*rows)) if item is not None)
