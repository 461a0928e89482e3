"""Passages -> the sentences that speak to the question, each scored.

The best sentence itself answers most factual questions, needs no language model, and its score
tells the answerable from the unanswerable. It is also what a model is given to read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.instructions import speaks_to_a_model
from sovereign_rag.retrieval import Query
from sovereign_rag.sentences import sentences

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
        The best passages are cut first; beyond the budget of sentences none is looked at. What
        asks instead of stating, or speaks to a language model, is passed over.
        """
        places = [
            (passage, start, end)
            for passage in passages
            for start, end in sentences(passage.chunk.text, passage.chunk.language)
            if _can_state(passage.chunk.text[start:end], passage.chunk.language)
        ][: self._most]
        if not places:
            return []
        texts = [passage.chunk.text[start:end] for passage, start, end in places]
        cosines = self._cosines(query, places)
        weights = self._lexical.encode_passages(texts, [p.chunk.language for p, _, _ in places])
        extracts = []
        for (passage, start, end), cosine, weight in zip(places, cosines, weights, strict=True):
            coverage = query.coverage(_bm25(query, weight))
            score = self._dense_weight * cosine + coverage + PASSAGE_SHARE * passage.score
            extracts.append(Extract(passage, start, end, score, cosine, coverage))
        return sorted(extracts, key=lambda extract: -extract.score)

    def _cosines(self, query: Query, places: Sequence[tuple[Passage, int, int]]) -> list[float]:
        question = self._embedder.embed_queries([query.whole])[0]
        texts = [_within(self._embedder, p, p.chunk.text[a:b]) for p, a, b in places]
        vectors = self._embedder.embed_passages(texts)
        return [float(cosine) for cosine in vectors @ question]


PASSAGE_SHARE = 0.5
"""Weight of the passage's score in its sentences'; chosen on the development questions."""


def _within(embedder: Embedder, passage: Passage, sentence: str) -> str:
    """The sentence under its headings, as the chunk was embedded; cut where it is over-long."""
    heading = passage.chunk.heading_path[-1] if passage.chunk.heading_path else ""
    text = f"{heading}\n{sentence}" if heading else sentence
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
