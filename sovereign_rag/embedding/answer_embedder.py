"""The embedder as answers use it: ahead of any ingestion, and never twice for the same text."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.embedding.protocol import Embedder, Vectors
from sovereign_rag.embedding.vector_cache import KeptVectors, RoundedVectorCache, rounded

MOST_OF_A_DOCUMENT: Final = 4_096
"""Sentences of one content whose vectors are kept; of 384 numbers that is some 3 MB."""
_MOST_ASKED: Final = 256  # questions whose evidence is still to come

Places = Callable[[Mapping[str, str]], Mapping[str, KeptVectors]]
"""Document ids with their versions -> the file of sentences of each that still is that version."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it is embedded, and where it is from."""

    text: str
    document_id: str
    version: str


class AnswerEmbedder:
    """An `Embedder` over another one.

    Sentences are embedded before whatever is being ingested, and their vectors are kept in a file
    beside their document: the same passages are quoted again and again. Nothing of them stays in
    memory, so they are gone when the document is. A question's vector serves the search and then
    the evidence, and is forgotten: nobody shall learn from the clock what others asked.
    """

    def __init__(self, embedder: Embedder, places: Places | None = None) -> None:
        """Without `places` every sentence is embedded each time."""
        self._embedder = embedder
        self._places: Places = places or (lambda versions: {})
        self._guard = threading.Lock()
        self._asked: dict[str, NDArray[np.float32]] = {}
        self._nothing = np.empty((0, embedder.dimension), np.float32)

    @property
    def model_id(self) -> str:
        return self._embedder.model_id

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def warm_up(self) -> None:
        self._embedder.warm_up()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = True) -> Vectors:
        return self._embedder.embed_passages(texts, urgent=urgent)

    def embed_sentences(self, sentences: Sequence[Sentence]) -> Vectors:
        """Vectors of sentences, in order, shape (sentences, dimension).

        Whether a vector is new or was kept, it is the same, rounded to half precision.
        """
        versions = {sentence.document_id: sentence.version for sentence in sentences}
        kept = {
            document_id: RoundedVectorCache(place, self.dimension, most=MOST_OF_A_DOCUMENT)
            for document_id, place in self._places(versions).items()
        }
        vectors = np.empty((len(sentences), self.dimension), np.float32)
        missing: list[int] = []
        for row, sentence in enumerate(sentences):
            of_document = kept.get(sentence.document_id)
            known = of_document.get(sentence.text) if of_document else None
            if known is None:
                missing.append(row)
            else:
                vectors[row] = known
        if missing:
            made = self.embed_passages([sentences[row].text for row in missing])
            vectors[missing] = rounded(made)
            new = dict(zip(missing, made, strict=True))
            for document_id, file in kept.items():
                rows = _first_of_each(
                    (sentences[row].text, row)
                    for row in missing
                    if sentences[row].document_id == document_id
                )
                if rows:
                    file.add(list(rows), np.stack([new[row] for row in rows.values()]))
        return vectors

    def ahead(self, question: str) -> NDArray[np.float32]:
        """The vector of a question about to be searched, shape (dimension,): kept for that."""
        vector: NDArray[np.float32] = self.embed_queries([question])[0]
        with self._guard:
            self._asked[question] = vector
        return vector

    def embed_wordings(self, questions: Sequence[str]) -> Vectors:
        """Vectors of questions that nobody asks just now: nothing is kept of them."""
        return self._embedder.embed_queries(questions)

    def forget(self, question: str) -> None:
        """Nobody searches for a question after all."""
        with self._guard:
            self._asked.pop(question, None)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As the protocol says; a question that was just embedded is not embedded again, once."""
        rows: dict[str, NDArray[np.float32]] = {}
        with self._guard:
            for text in texts:
                if text not in rows and (known := self._asked.pop(text, None)) is not None:
                    rows[text] = known
        missing = [text for text in dict.fromkeys(texts) if text not in rows]
        if missing:
            made = dict(zip(missing, self._embedder.embed_queries(missing), strict=True))
            with self._guard:
                self._asked |= made
                while len(self._asked) > _MOST_ASKED:
                    del self._asked[next(iter(self._asked))]
            rows |= made
        return np.stack([rows[text] for text in texts]) if texts else self._nothing


def _first_of_each(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The row of each text; a sentence that stands twice is kept once."""
    rows: dict[str, int] = {}
    for text, row in pairs:
        rows.setdefault(text, row)
    return rows
