"""The embedder as answers use it: ahead of any ingestion, and never twice for the same text."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.embedding.protocol import Embedder, Vectors

MOST_KEPT: Final = 50_000
"""Sentences; of 384 numbers in half precision that is some 40 MB."""
_MOST_ASKED: Final = 256  # questions whose evidence is still to come


class AnswerEmbedder:
    """An `Embedder` over another one.

    Sentences are embedded before whatever is being ingested, and their vectors are kept in half
    precision: the same passages are quoted again and again. A question's vector serves the search
    and then the evidence, and is forgotten: nobody shall learn from the clock what others asked.
    """

    def __init__(self, embedder: Embedder, *, most: int = MOST_KEPT) -> None:
        self._embedder, self._most = embedder, most
        self._kept: OrderedDict[bytes, NDArray[np.float16]] = OrderedDict()
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
        """As the protocol says; what was embedded before comes from memory."""
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        missing: list[int] = []
        with self._guard:
            for row, key in enumerate(keys):
                known = self._kept.get(key)
                if known is None:
                    missing.append(row)
                else:
                    self._kept.move_to_end(key)
                    vectors[row] = known
        if missing:
            made = self._embedder.embed_passages([texts[row] for row in missing], urgent=urgent)
            vectors[missing] = made
            self._keep([keys[row] for row in missing], made)
        return vectors

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

    def _keep(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        with self._guard:
            for key, vector in zip(keys, vectors, strict=True):
                self._kept[key] = vector.astype(np.float16)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
