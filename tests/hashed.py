"""An embedding model that is none: for tests that look at what surrounds one."""

import hashlib
from collections.abc import Sequence

import numpy as np

from sovereign_rag.embedding.protocol import Vectors

DIMENSION = 256


class HashEmbedder:
    """Texts that share words lie close together."""

    model_id = "hash"
    dimension = DIMENSION
    max_tokens = 512

    def warm_up(self) -> None:
        pass

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        vectors = np.full((len(texts), DIMENSION), 0.01, np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().replace("?", "").replace(".", "").split():
                place = hashlib.sha256(word.encode()).digest()[0] % DIMENSION
                vectors[row, place] += 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_passages(texts)
