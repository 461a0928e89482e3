"""The exact reference: every chunk in memory, every search over all of them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from sovereign_rag.access import ReadScope
from sovereign_rag.domain import SparseVector
from sovereign_rag.errors import StoreError
from sovereign_rag.store.protocol import (
    MOST_FACETS,
    NO_FILTER,
    ChunkOrigin,
    DenseQuery,
    FacetField,
    Hit,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
    point_id,
)


class MemoryStore:
    """Says what the right answer is. For tests and small scratch indexes; forgets at the end."""

    def __init__(self, *, dimension: int, collection: str = "memory") -> None:
        self._dimension = dimension
        self._collection = collection
        self._chunks: dict[str, IndexedChunk] = {}

    @property
    def collection(self) -> str:
        return self._collection

    def is_made(self) -> bool:
        return True

    def make(self) -> None:
        """Memory is there."""

    def check(self, *, writes: bool = False) -> None:
        """Memory is there."""

    def put(self, chunks: Sequence[IndexedChunk]) -> None:
        for indexed in chunks:
            if indexed.dense.shape != (self._dimension,):
                raise StoreError(
                    f"A vector of shape {indexed.dense.shape} can't go into a collection of "
                    f"{self._dimension} numbers."
                )
        self._chunks.update({_id(indexed): indexed for indexed in chunks})

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        for key, indexed in self._of_document(tenant, document_id).items():
            if indexed.chunk.version != keep:
                del self._chunks[key]

    def versions(self, tenant: str, document_id: str) -> dict[str, int]:
        found = self._of_document(tenant, document_id).values()
        return dict(Counter(indexed.chunk.version for indexed in found))

    def stored(
        self, tenant: str, document_id: str, version: str, indexes: range
    ) -> list[IndexedChunk]:
        asked = (self._chunks.get(point_id(document_id, version, index)) for index in indexes)
        return [
            replace(c, origin=ChunkOrigin()) for c in asked if c is not None and c.tenant == tenant
        ]

    def seal_texts(self, tenant: str, document_id: str, version: str, indexes: range) -> int:
        return 0  # nothing of it is ever on a disk

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        for key, indexed in self._of_document(tenant, document_id).items():
            self._chunks[key] = replace(indexed, readers=readers, level=level)

    def set_facts(
        self,
        tenant: str,
        document_id: str,
        *,
        facts: frozenset[str],
        modified: datetime | None,
    ) -> None:
        for key, indexed in self._of_document(tenant, document_id).items():
            dated = modified or indexed.origin.modified
            origin = replace(indexed.origin, facts=facts, modified=dated)
            self._chunks[key] = replace(indexed, origin=origin)

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        return [self._search(query, scope) for query in queries]

    def search_and_weigh(
        self, queries: Sequence[DenseQuery | LexicalQuery], terms: Sequence[int], scope: ReadScope
    ) -> tuple[list[list[Hit]], Mapping[int, float]]:
        return self.search(queries, scope), self.idf(terms, scope)

    def scores(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[Mapping[str, float]]:
        return [{hit.id: hit.score for hit in hits} for hits in self.search(queries, scope)]

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        of_tenant = [c for c in self._chunks.values() if c.tenant == scope.tenant]
        holders = Counter(term for c in of_tenant for term in c.lexical.indices)
        total = len(of_tenant)
        return {
            term: math.log(1 + (total - holders[term] + 0.5) / (holders[term] + 0.5))
            for term in terms
        }

    def count(self, scope: ReadScope, search_filter: SearchFilter = NO_FILTER) -> int:
        return len(self._readable(scope, search_filter))

    def facet(
        self, field: FacetField, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
    ) -> Mapping[str, int]:
        chunks = self._readable(scope, search_filter).values()
        values = Counter(value for c in chunks for value in _facet(c, field) if value)
        ordered = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
        return dict(ordered[:MOST_FACETS])

    def flush(self) -> None:
        """Nothing: memory survives nothing."""

    def close(self) -> None:
        self._chunks.clear()

    def _search(self, query: DenseQuery | LexicalQuery, scope: ReadScope) -> list[Hit]:
        readable = self._readable(scope, query.search_filter)
        if isinstance(query, DenseQuery):
            scores = {k: float(np.dot(c.dense, query.vector)) for k, c in readable.items()}
        else:
            idf = self.idf(query.vector.indices, scope)
            sums = {k: _weighted_overlap(query.vector, c.lexical, idf) for k, c in readable.items()}
            scores = {key: score for key, score in sums.items() if score > 0}
        best = sorted(scores, key=lambda key: (-scores[key], key))[: query.limit]
        return [_hit(key, self._chunks[key], scores[key]) for key in best]

    def _readable(self, scope: ReadScope, search_filter: SearchFilter) -> dict[str, IndexedChunk]:
        return {
            key: c
            for key, c in self._chunks.items()
            if scope.allows(tenant=c.tenant, readers=c.readers, level=c.level)
            and (search_filter.chunks is None or key in search_filter.chunks)
            and _is_left(c, scope, search_filter)
        }

    def _of_document(self, tenant: str, document_id: str) -> dict[str, IndexedChunk]:
        return {
            key: c
            for key, c in self._chunks.items()
            if c.tenant == tenant and c.chunk.document_id == document_id
        }


def _is_left(c: IndexedChunk, scope: ReadScope, search_filter: SearchFilter) -> bool:
    n, origin = search_filter, c.origin
    return (
        (n.documents is None or c.chunk.document_id in n.documents)
        and c.chunk.document_id not in n.exclude_documents
        and (n.languages is None or c.chunk.language in n.languages)
        and (n.media_types is None or origin.media_type in n.media_types)
        and (n.place_keys is None or not n.place_keys.isdisjoint(origin.places))
        and (n.labels is None or not (n.labels & scope.labels).isdisjoint(c.readers))
        and all(not facts.isdisjoint(origin.facts) for facts in n.facts)
        and _is_dated(origin.modified, n)
    )


def _is_dated(modified: datetime | None, search_filter: SearchFilter) -> bool:
    begin, end = search_filter.modified_from, search_filter.modified_before
    if begin is None and end is None:
        return True
    if modified is None:
        return False
    second = int(modified.timestamp())
    return (begin is None or second >= begin.timestamp()) and (
        end is None or second < end.timestamp()
    )


def _facet(c: IndexedChunk, field: FacetField) -> Iterable[str]:
    if field == "facts":
        return c.origin.facts
    return [(c.chunk.language if field == "language" else c.origin.media_type) or ""]


def _id(indexed: IndexedChunk) -> str:
    chunk = indexed.chunk
    return point_id(chunk.document_id, chunk.version, chunk.index)


def _weighted_overlap(
    query: SparseVector, passage: SparseVector, idf: Mapping[int, float]
) -> float:
    weights = dict(zip(passage.indices, passage.values, strict=True))
    return sum(
        idf[term] * weight * weights.get(term, 0.0)
        for term, weight in zip(query.indices, query.values, strict=True)
    )


def _hit(key: str, indexed: IndexedChunk, score: float) -> Hit:
    return Hit(
        id=key,
        chunk=indexed.chunk,
        score=score,
        tenant=indexed.tenant,
        readers=indexed.readers,
        level=indexed.level,
    )
