"""The sentences that a draft was written from, as what its statements are held against."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from sovereign_rag.answering.expected_answer import expected_answer_type, holds
from sovereign_rag.domain import Passage
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.text.blocks import blocks
from sovereign_rag.text.lexicon import whole_words
from sovereign_rag.text.quantities import Values, values
from sovereign_rag.text.sentences import sentences

Terms = frozenset[int]

_NEIGHBOURHOOD: Final = 3
"""So many sentences that fit a claim best may hold a value that its own sentence lacks."""
_BARE: Final = 6
"""At most so many terms are an answer that leaves out what it answers."""
_BARE_SENTENCE: Final = 3
"""The same where it is closed like a sentence: more may be one, in words of its own."""
_RESTATED: Final = 0.25
"""At most this share of its terms are the question's."""
_WHOLE: Final = 0.65
"""Least share of its terms that its sentence holds: a name stands there whole."""
_FIT: Final = 0.25
"""What the sentence of a short answer may hold less of the question, in shares of it, than that
which holds most. Chosen on labelled answers against other answers of the same paragraph."""
_LONGEST_LIST: Final = 1_200
"""Characters; a longer list is many subjects, and holds the words of anything."""
_PAIR: Final = 2  # neighbours, which are held against a statement anyway
_BEFORE: Final = 0.5
"""What the sentence before counts for in that: it often names what a pronoun stands for."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of a draft."""

    text: str
    language: str
    terms: Terms
    clauses: tuple[Terms, ...]  # of each clause long enough to say something by itself
    weights: Mapping[int, float]  # of each of its terms at least

    @property
    def values(self) -> Values:
        return values(self.text, self.language)

    def adds_to(self, held: Terms) -> bool:
        """Whether a whole clause of it is not spoken of: it hides behind the rest."""
        return any(not clause & held for clause in self.clauses)

    def share_in(self, held: Terms) -> float:
        """The share of its terms, by their weight, that are among `held`."""
        whole = sum(self.weights[term] for term in self.terms)
        return sum(self.weights[term] for term in self.terms & held) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence of a passage, two neighbours, or a list with what introduces it."""

    passage: Passage
    sentences: tuple[tuple[int, int], ...]
    held: tuple[Terms, ...]  # the terms of each sentence
    fit: float  # the share of the question that it holds, at most that of its best sentence

    @property
    def terms(self) -> Terms:
        return self.held[0].union(*self.held[1:])

    def nearest(self, claim: Claim) -> str:
        """The sentence that holds most of a claim: of two, a "not" in the other is not about it."""
        parts = [
            (claim.share_in(held), part) for held, part in zip(self.held, self.parts, strict=True)
        ]
        return max(parts, key=lambda part: part[0])[1]

    @property
    def start(self) -> int:
        return self.sentences[0][0]

    @property
    def end(self) -> int:
        return self.sentences[-1][1]

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]

    @property
    def parts(self) -> list[str]:
        return [self.passage.chunk.text[start:end] for start, end in self.sentences]


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that a draft answers; empty where it is not known."""

    text: str
    language: str
    terms: Terms

    def is_only_repeated(self, claim: Claim) -> bool:
        """Whether a claim adds no word and no value to a question that asks for one.

        A question that yes or no answers is answered by its own words.
        """
        if not self.text or not claim.terms <= self.terms or not self._asks_for_something:
            return False
        return not values(self.text, self.language).lacking(claim.values)

    @property
    def _asks_for_something(self) -> bool:
        words = whole_words(self.language, "asked", "asks_for_something")
        return bool(words and words.search(self.text))

    def wants_other(self, claim: Claim) -> bool:
        """Whether it asks for a time or an amount, and a claim has none."""
        kind = expected_answer_type(self.text, self.language) if self.text else None
        return kind is not None and not holds(
            kind, claim.text, claim.language, self.text, self.language
        )


class SourceSentences:
    """Each sentence of the passages, each two neighbours that stand on one page, each list."""

    def __init__(
        self,
        passages: Sequence[Passage],
        lexical: LexicalEncoder,
        language: str,
        question: str,
        *,
        skip: Callable[[str], bool],
    ) -> None:
        """
        Args:
            language: Of the draft and of its question; sentences are cut into its terms, for it is
                with its that they are compared.
            skip: What is no source: an order to a language model.
        """
        self._lexical, self._language = lexical, language
        self.asked = Asked(question, language, self._terms(question) if question else frozenset())
        self._spans = [_stating(passage, skip) for passage in passages]
        self._passages = passages

    def _terms(self, text: str) -> Terms:
        return frozenset(self._lexical.encode_query(text, self._language).indices)

    @cached_property
    def candidates(self) -> list[Candidate]:
        found = []
        weights = self._question_weights
        for passage, spans, terms in zip(self._passages, self._spans, self._held, strict=True):
            text = passage.chunk.text
            fits = [
                _fit(here, before, weights) for before, here in pairwise([frozenset[int](), *terms])
            ]
            found += [
                Candidate(passage, (span,), (held,), fit)
                for span, held, fit in zip(spans, terms, fits, strict=True)
            ]
            for at, (left, right) in enumerate(pairwise(spans)):
                if not text[left[1] : right[0]].strip(" "):
                    held = (terms[at], terms[at + 1])
                    found.append(Candidate(passage, (left, right), held, max(fits[at : at + 2])))
            found += [
                Candidate(passage, tuple(spans[at:end]), tuple(terms[at:end]), max(fits[at:end]))
                for at, end in _lists(passage, spans)
            ]
        return found

    @cached_property
    def _held(self) -> list[list[Terms]]:
        """The terms of each sentence, passage by passage."""
        return [
            [self._terms(passage.chunk.text[start:end]) for start, end in spans]
            for passage, spans in zip(self._passages, self._spans, strict=True)
        ]

    @cached_property
    def _question_weights(self) -> Mapping[int, float]:
        """How rare each term of the question is among the sentences; of those that stand there."""
        count = Counter(
            term for terms in self._held for held in terms for term in held & self.asked.terms
        )
        most = sum(map(len, self._held))
        return {term: math.log(1 + most / stands) for term, stands in count.items()}

    def hold_values(self, claim: Claim, candidate: Candidate) -> bool:
        """Whether a candidate holds all values of a claim, or what is beside it holds the rest.

        Beside it are its headings and title, and the sentences that fit the claim best. A number
        that the question names may lie in a range: a limit for £300 is one for £100 to £500.
        """
        chunk = candidate.passage.chunk
        spoken = chunk.language or claim.language
        there = values(candidate.text, spoken)
        if self._counts_other(claim, candidate, there):
            return False
        if not there.lacking(claim.values):
            return True
        around = [*chunk.heading_path, candidate.passage.title, candidate.text]
        around += [near.text for near in self._closest(claim)]
        wide = values("\n".join(around), spoken)
        return not wide.lacking(claim.values, given=values(self.asked.text, self._language))

    def _counts_other(self, claim: Claim, candidate: Candidate, there: Values) -> bool:
        """Whether a claim's number is there, but of other things: 30 days, not 30 rooms."""
        if candidate.passage.chunk.language not in (claim.language, None):
            return False
        for number in claim.values.numbers:
            if number.spelled or number.is_year:
                continue
            things = self._terms(number.noun) if number.noun else frozenset()
            same = [other for other in there.numbers if number.agrees(other)]
            if not same or not things or things & candidate.terms:
                continue
            if all(other.unit or self._terms(other.noun) - claim.terms for other in same):
                return True
        return False

    def _closest(self, claim: Claim) -> list[Candidate]:
        single = [c for c in self.candidates if len(c.sentences) == 1]
        return sorted(single, key=lambda c: -claim.share_in(c.terms))[:_NEIGHBOURHOOD]

    def is_bare(self, claim: Claim) -> bool:
        """Whether a claim is an answer without the words of its question: "19 °C"."""
        if not self.asked.text or not claim.terms:
            return False
        is_sentence = claim.text.rstrip().endswith((".", "!", "…", ":", ";"))
        if len(claim.terms) > (_BARE_SENTENCE if is_sentence else _BARE):
            return False
        return len(claim.terms & self.asked.terms) <= _RESTATED * len(claim.terms)

    def answer(self, claim: Claim, candidate: Candidate) -> bool:
        """Whether a bare answer stands where the question's words do, and is of the kind asked."""
        if len(candidate.sentences) > 1 or self.asked.wants_other(claim):
            return False
        if claim.share_in(candidate.terms) < _WHOLE:
            return False
        return candidate.fit >= max(c.fit for c in self.candidates) - _FIT


def _stating(passage: Passage, skip: Callable[[str], bool]) -> list[tuple[int, int]]:
    text, language = passage.chunk.text, passage.chunk.language
    return [(start, end) for start, end in sentences(text, language) if not skip(text[start:end])]


def _lists(passage: Passage, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Which of the sentences at `spans` are one list, as half-open ranges of them.

    What sums up a list says what no two of its items say.
    """
    if passage.chunk.kind != "text":
        return
    for block in blocks(passage.chunk.text):
        within = [
            at for at, (start, end) in enumerate(spans) if block.start <= start < end <= block.end
        ]
        if len(within) > _PAIR and block.end - block.start <= _LONGEST_LIST:
            yield within[0], within[-1] + 1


def _fit(here: Terms, before: Terms, weights: Mapping[int, float]) -> float:
    """The share of the question in a sentence, and with less weight in the one before it."""
    whole = sum(weights.values())
    if not whole:
        return 0.0
    own = sum(weight for term, weight in weights.items() if term in here)
    near = sum(weight for term, weight in weights.items() if term in before and term not in here)
    return (own + _BEFORE * near) / whole
