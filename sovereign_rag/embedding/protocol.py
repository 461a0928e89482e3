"""The seams behind which the embedding models live."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.domain import SparseVector

Vectors = NDArray[np.float32]
"""float32, shape (n, d); rows have unit length."""


class Embedder(Protocol):
    """Turns texts into dense vectors on this machine."""

    @property
    def model_id(self) -> str:
        """Short stable name with a hash of the weights, e.g. "multilingual-e5-small-1a2b3c4d"."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """The model's window, its prefix and special tokens already taken off."""
        ...

    def warm_up(self) -> None:
        """Begin to load the model, without waiting for it; a failure shows at the first use."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many of the model's tokens each text has, special tokens not counted."""
        ...

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Embed `texts`, in order, as passages.

        Args:
            urgent: Somebody waits for an answer: ahead of whatever is being ingested.

        Returns:
            float32 array of shape (len(texts), dimension); each row has unit length, so a dot
            product of two rows is their cosine. No texts give (0, dimension).

        Raises:
            ValueError: A text exceeds the model's window. Nothing is cut silently.
        """
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed `texts` as questions; the same shape. A text beyond the window is cut."""
        ...


class LexicalEncoder(Protocol):
    """Turns texts into BM25 term weights; the store supplies the inverse document frequency."""

    @property
    def key(self) -> str:
        """Names how passages are encoded: another key, another version of every document."""
        ...

    @property
    def max_term_weight(self) -> float:
        """The upper bound of a passage weight: k1 + 1."""
        ...

    def encode_passages(
        self, texts: Sequence[str], languages: Sequence[str | None]
    ) -> list[SparseVector]:
        """Weights tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)) by term."""
        ...

    def encode_query(self, text: str, language: str | None) -> SparseVector:
        """Each distinct term of the question, by its language's stemmer, with its weight."""
        ...
