"""The seam behind which the vector store lives."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import ReadScope
from sovereign_rag.domain import Chunk, SparseVector

POINT_LAYOUT = 2
"""What is stored of a chunk beside its vectors; raised when a search needs what older ones lack."""

FacetField = Literal["language", "media_type", "facts"]
"""What chunks can be counted by."""


@dataclass(frozen=True, slots=True)
class ChunkOrigin:
    """Where a chunk's document comes from: what integrators narrow a search by."""

    uri: str = ""
    media_type: str = ""
    modified: datetime | None = None  # with a time zone
    facts: frozenset[str] = frozenset()  # what was stated of it, see `metadata`

    @property
    def places(self) -> frozenset[str]:
        """Keys of the URI and of each folder it lies in; see `place_key`."""
        return frozenset(place_key(place) for place in _places(self.uri))


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with its vectors and its rights, as it is written."""

    chunk: Chunk
    tenant: str
    readers: frozenset[str]  # with the owner's label: access.stored_readers
    level: int
    dense: NDArray[np.float32]  # shape (dimension,), unit length
    lexical: SparseVector
    origin: ChunkOrigin = ChunkOrigin()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A document by the language that it is in, with all that its chunks are written with."""

    stated: str | None  # ISO 639-1 code of all its chunks; None: as each one tells
    found: str | None  # what the document tells, for chunks that are too short to
    readers: frozenset[str]  # with the owner's label
    level: int
    origin: ChunkOrigin


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """What a caller leaves out of what they may read; it can never add to it.

    Every condition given must hold, and all of them beside the scope's. None leaves a condition
    open; an empty set matches nothing. A chunk of which a condition's fact isn't known (an
    undated document, asked for by date) is left out.
    """

    documents: frozenset[str] | None = None
    chunks: frozenset[str] | None = None  # point ids, see `point_id`
    exclude_documents: frozenset[str] = frozenset()
    languages: frozenset[str] | None = None
    media_types: frozenset[str] | None = None
    sources: frozenset[str] | None = None  # URIs of documents, or of folders they lie in
    labels: frozenset[str] | None = None  # reader labels; one that isn't the caller's own: nothing
    modified_from: datetime | None = None  # with a time zone; documents of this moment or later
    modified_before: datetime | None = None  # with a time zone; documents of before this moment
    facts: tuple[frozenset[str], ...] = ()  # of each set the document has one

    @property
    def place_keys(self) -> frozenset[str] | None:
        """The keys that `ChunkOrigin.places` must meet; None: wherever."""
        if self.sources is None:
            return None
        folders = {source.rstrip("/") + "/" for source in self.sources}
        return frozenset(place_key(source) for source in self.sources | folders)


NO_FILTER = SearchFilter()


@dataclass(frozen=True, slots=True)
class DenseQuery:
    vector: NDArray[np.float32]  # shape (dimension,), unit length
    limit: int
    search_filter: SearchFilter = NO_FILTER


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    vector: SparseVector
    limit: int
    search_filter: SearchFilter = NO_FILTER


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

    def is_made(self) -> bool:
        """Whether the collection is there, whole; as `make` leaves it."""
        ...

    def make(self) -> None:
        """Make the collection, or what it lacks; nothing else does.

        On a cluster it may take a minute; who makes it holds the lease of `CollectionMaker`.
        """
        ...

    def check(self, *, writes: bool = False) -> None:
        """Raises StoreError: the engine is away, or the collection is not there or can't work.

        With `writes` also where it takes no write: a cluster that lost most copies still answers.
        """
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

    def stored(
        self, tenant: str, document_id: str, version: str, indexes: range
    ) -> list[IndexedChunk]:
        """The chunks of one version of a document as they were written, without their origin.

        Args:
            indexes: Which of them, by `Chunk.index`; at most a few hundred at a time. Those that
                are not there are left out.
        """
        ...

    def seal_texts(self, tenant: str, document_id: str, version: str, indexes: range) -> int:
        """Seal what chunks say by their tenant's newest key; how many were not. See `stored`."""
        ...

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        """Change who may read a document, visible to every search that starts afterwards."""
        ...

    def set_facts(
        self,
        tenant: str,
        document_id: str,
        *,
        facts: frozenset[str],
        modified: datetime | None,
    ) -> None:
        """Change what a search finds a document's chunks by; `modified` None: it stays."""
        ...

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        """Run queries in one round trip, each within the scope and its own filter.

        Returns:
            One list per query, best first; equal scores by point id. A lexical query returns
            only chunks that share a term with it. Its score is sum(idf * query * passage weight)
            with the statistics of the scope's tenant.
        """
        ...

    def search_and_weigh(
        self, queries: Sequence[DenseQuery | LexicalQuery], terms: Sequence[int], scope: ReadScope
    ) -> tuple[list[list[Hit]], Mapping[int, float]]:
        """What `search` and `idf` give, in one round trip."""
        ...

    def scores(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[Mapping[str, float]]:
        """As `search`, by point id the scores alone: of chunks that are at hand already."""
        ...

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        """Inverse document frequency of terms in the scope's tenant: ln(1 + (N-n+.5)/(n+.5)).

        A term that stands nowhere in the tenant gets the value for n = 0.
        """
        ...

    def count(self, scope: ReadScope, search_filter: SearchFilter = NO_FILTER) -> int:
        """Number of chunks that the scope may read, exactly."""
        ...

    def facet(
        self, field: FacetField, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
    ) -> Mapping[str, int]:
        """Number of chunks that the scope may read by the values of `field`, exactly.

        At most `MOST_FACETS` values, the most frequent first; a chunk without one isn't counted.
        """
        ...

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        ...

    def close(self) -> None: ...


class AllIndexes(Protocol):
    """The chunks of documents in each index that there is: their end, and their rights."""

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        """Delete a document's chunks but those of version `keep` (None: all). Durable."""
        ...

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        """Change who may read a document, visible to every search that starts afterwards.

        An index that is being built may be given the rights from before in between: it is
        written anew there, since its stamp is not the document's any more.
        """
        ...

    def set_facts(
        self,
        tenant: str,
        document_id: str,
        *,
        facts: frozenset[str],
        modified: datetime | None,
    ) -> None:
        """Change what a search finds a document's chunks by; `modified` None: it stays."""
        ...

    def set_language(self, tenant: str, document_id: str, spoken: Spoken) -> None:
        """Have a document's chunks found by words of the language that it is in."""
        ...

    def tidy(self, tenant: str, document_id: str) -> None:
        """Delete a document's chunks that no search returns, for whoever has it to itself."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        ...


MOST_FACETS = 100


def place_key(place: str) -> str:
    """A short key of a URI: the same one for the same text, 16 hexadecimal digits.

    Chunks carry one for every folder above them, which the texts themselves would swell.
    """
    return hashlib.blake2b(place.encode(), digest_size=8).hexdigest()


def _places(uri: str) -> Iterator[str]:
    """The URI, and every folder it lies in with its final slash: "file:///a/b" gives
    "file:///a/b", "file:///a/" and "file:///".
    """
    if uri:
        yield uri
    start = uri.find("://") + 3 if "://" in uri else 0
    yield from (uri[: place + 1] for place in range(start, len(uri)) if uri[place] == "/")


def point_id(document_id: str, version: str, index: int) -> str:
    """The id that a chunk is stored under: the same chunk written twice is stored once."""
    return str(uuid.uuid5(uuid.UUID(document_id), f"{version}:{index}"))
