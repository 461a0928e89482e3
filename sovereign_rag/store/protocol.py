"""The seam behind which the vector store lives."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import ReadScope
from sovereign_rag.domain import Chunk, SparseVector


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with its vectors and its rights, as it is written."""

    chunk: Chunk
    tenant: str
    readers: frozenset[str]  # with the owner's label: access.stored_readers
    level: int
    dense: NDArray[np.float32]  # shape (dimension,), unit length
    lexical: SparseVector


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a caller leaves out of what they may read; it can never add to it.

    Every condition given must hold. None leaves a condition open; an empty set matches nothing.
    """

    documents: frozenset[str] | None = None
    chunks: frozenset[str] | None = None  # point ids, see `point_id`
    exclude_documents: frozenset[str] = frozenset()
    languages: frozenset[str] | None = None


NO_NARROWING = Narrowing()


@dataclass(frozen=True, slots=True)
class DenseQuery:
    vector: NDArray[np.float32]  # shape (dimension,), unit length
    limit: int
    narrowing: Narrowing = NO_NARROWING


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    vector: SparseVector
    limit: int
    narrowing: Narrowing = NO_NARROWING


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a query found, with the rights that it was found under."""

    id: str  # point id
    chunk: Chunk
    score: float  # cosine in [-1, 1], or the BM25 sum, 0 or more
    tenant: str
    readers: frozenset[str]
    level: int


class ChunkStore(Protocol):
    """Chunks with their vectors and rights, searched within a scope.

    Every method raises `StoreError` when the engine can't be reached or refuses.
    """

    @property
    def collection(self) -> str:
        """Which collection answers; part of an answer's provenance."""
        ...

    def put(self, chunks: Sequence[IndexedChunk]) -> None:
        """Write chunks; a chunk of the same document, version and index is replaced.

        Durable when it returns. Other versions of the document stay until `prune`.
        """
        ...

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        """Delete a document's chunks but those of version `keep` (None: all). Durable."""
        ...

    def versions(self, tenant: str, document_id: str) -> dict[str, int]:
        """Number of stored chunks of a document by version."""
        ...

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        """Change who may read a document, visible to every search that starts afterwards."""
        ...

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        """Run queries in one round trip, each within the scope and its own narrowing.

        Returns:
            One list per query, best first; equal scores by point id. A lexical query returns
            only chunks that share a term with it. Its score is sum(idf * query * passage weight)
            with the statistics of the scope's tenant.
        """
        ...

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        """Inverse document frequency of terms in the scope's tenant: ln(1 + (N-n+.5)/(n+.5)).

        A term that stands nowhere in the tenant gets the value for n = 0.
        """
        ...

    def count(self, scope: ReadScope, narrowing: Narrowing = NO_NARROWING) -> int:
        """Number of chunks that the scope may read, exactly."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        ...

    def close(self) -> None: ...


def point_id(document_id: str, version: str, index: int) -> str:
    """The id that a chunk is stored under: the same chunk written twice is stored once."""
    return str(uuid.uuid5(uuid.UUID(document_id), f"{version}:{index}"))
