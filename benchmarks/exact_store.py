"""Exact search over a synthetic index, in numpy: what the engine's answers are held against."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from synthetic_index import DIMENSION, VERSION, SyntheticIndex

from sovereign_rag.access import ReadScope
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import DenseQuery, Hit, IndexedChunk, LexicalQuery, point_id


class ExactStore(MemoryStore):
    """The right answers over all vectors, and over the postings of the terms that are asked."""

    def __init__(self, index: SyntheticIndex, terms: set[int]) -> None:
        super().__init__(dimension=DIMENSION)
        self._index = index
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._postings: dict[int, list[tuple[int, float]]] = {term: [] for term in terms}
        self._arrays: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self._ends = np.cumsum([d.length for d in index.documents])
        self._lengths = [d.length for d in index.documents]
        self._readable_rows: dict[ReadScope, NDArray[np.bool_]] = {}

    def note(self, batch: Sequence[IndexedChunk]) -> None:
        """Learn of chunks, in the order of their rows."""
        for indexed in batch:
            row, chunk = len(self._ids), indexed.chunk
            self._ids.append(point_id(chunk.document_id, chunk.version, chunk.index))
            self._rows[self._ids[-1]] = row
            for term, weight in zip(indexed.lexical.indices, indexed.lexical.values, strict=True):
                if term in self._postings:
                    self._postings[term].append((row, weight))

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        return [self._exact(query, scope) for query in queries]

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        of_tenant = self._per_row([d.tenant == scope.tenant for d in self._index.documents])
        total = int(of_tenant.sum())
        counts = {term: int(of_tenant[self._holders(term)[0]].sum()) for term in terms}
        return {t: math.log(1 + (total - n + 0.5) / (n + 0.5)) for t, n in counts.items()}

    def readable(self, scope: ReadScope) -> NDArray[np.bool_]:
        """Shape (chunks,): whether the scope allows each."""
        if scope not in self._readable_rows:
            allowed = [
                scope.allows(tenant=d.tenant, readers=d.readers, level=d.level)
                for d in self._index.documents
            ]
            self._readable_rows[scope] = self._per_row(allowed)
        return self._readable_rows[scope]

    def _per_row(self, of_documents: list[bool]) -> NDArray[np.bool_]:
        return np.repeat(np.array(of_documents), self._lengths)

    def _exact(self, query: DenseQuery | LexicalQuery, scope: ReadScope) -> list[Hit]:
        readable = self.readable(scope)
        if query.search_filter.chunks is not None:
            named = np.zeros_like(readable)
            named[[self._rows[id_] for id_ in query.search_filter.chunks]] = True
            readable = readable & named
        if isinstance(query, DenseQuery):
            rows = np.flatnonzero(readable)
            scores = self._index.vectors[rows] @ query.vector
        else:
            sums = self._sums(query.vector, scope)
            rows = np.flatnonzero(readable & (sums > 0))
            scores = sums[rows]
        best = rows[np.argsort(-scores, kind="stable")[: query.limit]]
        order = np.sort(-scores, kind="stable")[: query.limit]
        return [self._hit(int(row), -float(score)) for row, score in zip(best, order, strict=True)]

    def _sums(self, asked: SparseVector, scope: ReadScope) -> NDArray[np.float64]:
        sums = np.zeros(len(self._ids))
        idf = self.idf(asked.indices, scope)
        for term, weight in zip(asked.indices, asked.values, strict=True):
            rows, stored = self._holders(term)
            sums[rows] += idf[term] * weight * stored
        return sums

    def _holders(self, term: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows that hold the term, each once, and its weights there."""
        if term not in self._arrays:
            found = self._postings[term]
            self._arrays[term] = (
                np.array([row for row, _ in found], dtype=np.int64),
                np.array([weight for _, weight in found], dtype=np.float64),
            )
        return self._arrays[term]

    def _hit(self, row: int, score: float) -> Hit:
        document = self._index.documents[int(np.searchsorted(self._ends, row, side="right"))]
        chunk = Chunk(
            document.id,
            VERSION,
            row - document.first,
            "",
            (PageSpan(1, 0, 0),),
            language=document.language,
        )
        readers = frozenset(document.readers)
        return Hit(self._ids[row], chunk, score, document.tenant, readers, document.level)
