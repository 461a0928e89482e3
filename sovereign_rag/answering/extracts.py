"""Passages -> the sentences that speak to the question, each scored.

The best sentence itself answers most factual questions, needs no language model, and its score
tells the answerable from the unanswerable. It is also what a model is given to read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.retrieval.retriever import Query
from sovereign_rag.text.sentences import sentences

_LETTERS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage: `passage.chunk.text[start:end]`."""

    passage: Passage
    start: int
    end: int
    score: float  # evidence that it answers; see EvidenceFinder.find
    cosine: float  # to the question, [-1, 1]
    coverage: float  # of the question's terms by the sentence, [0, 1]

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]


class EvidenceFinder:
    """Scores the sentences of passages against a question."""

    def __init__(
        self, *, embedder: Embedder, lexical: LexicalEncoder, dense_weight: float, sentences: int
    ) -> None:
        self._embedder, self._lexical = embedder, lexical
        self._dense_weight, self._most = dense_weight, sentences

    def find(self, query: Query, passages: Sequence[Passage]) -> list[Extract]:
        """The sentences of `passages`, best first.

        A sentence scores dense_weight * cosine + coverage, as a chunk does in the search, plus a
        share of its passage's own score: a sentence alone has lost what the paragraph was about.
        All are scored without the cosine first, which costs next to nothing; those that come first
        then are embedded, as many as the budget lets. What asks instead of stating, or speaks to
        a language model, is passed over.
        """
        places = [
            (passage, start, end)
            for passage in passages
            for start, end in sentences(passage.chunk.text, passage.chunk.language)
            if _can_state(passage.chunk.text[start:end], passage.chunk.language)
        ]
        if not places:
            return []
        texts = [passage.chunk.text[start:end] for passage, start, end in places]
        weights = self._lexical.encode_passages(texts, [p.chunk.language for p, _, _ in places])
        likely = [
            _Sentence(passage, start, end, query.coverage(_bm25(query, weight)))
            for (passage, start, end), weight in zip(places, weights, strict=True)
        ]
        likely.sort(key=lambda sentence: -sentence.score)
        likely = likely[: self._most]
        extracts = []
        for sentence, cosine in zip(likely, self._cosines(query, likely), strict=True):
            score = self._dense_weight * cosine + sentence.score
            extracts.append(
                Extract(
                    sentence.passage, sentence.start, sentence.end, score, cosine, sentence.coverage
                )
            )
        return sorted(extracts, key=lambda extract: -extract.score)

    def _cosines(self, query: Query, likely: "Sequence[_Sentence]") -> list[float]:
        question = self._embedder.embed_queries([query.whole])[0]
        texts = [_within(self._embedder, sentence) for sentence in likely]
        vectors = self._embedder.embed_passages(texts)
        return [float(cosine) for cosine in vectors @ question]


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence before it is embedded."""

    passage: Passage
    start: int
    end: int
    coverage: float

    @property
    def score(self) -> float:
        return self.coverage + PASSAGE_SHARE * self.passage.score


PASSAGE_SHARE = 0.5
"""Weight of the passage's score in its sentences'; chosen on the development questions."""


def _within(embedder: Embedder, sentence: _Sentence) -> str:
    """The sentence under its headings, as the chunk was embedded; cut where it is over-long."""
    chunk = sentence.passage.chunk
    text = chunk.text[sentence.start : sentence.end]
    if chunk.heading_path:
        text = f"{chunk.heading_path[-1]}\n{text}"
    while embedder.count_tokens([text])[0] > embedder.max_tokens:
        text = text[: int(len(text) * 0.8)]
    return text


def _can_state(sentence: str, language: str | None) -> bool:
    if len(_LETTERS.findall(sentence)) < 12 or sentence.rstrip().endswith("?"):
        return False
    return not speaks_to_a_model(sentence, language)


def _bm25(query: Query, weights: SparseVector) -> float:
    here = dict(zip(weights.indices, weights.values, strict=True))
    return sum(
        query.idf[term] * weight * here.get(term, 0.0)
        for term, weight in zip(query.terms.indices, query.terms.values, strict=True)
    )
