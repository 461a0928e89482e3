"""How a collection is laid out in Qdrant, and how a chunk becomes a point and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import TypeAdapter, ValidationError
from qdrant_client import models

from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.errors import StoreError
from sovereign_rag.store.fence import FIELD
from sovereign_rag.store.protocol import Hit, IndexedChunk, point_id
from sovereign_rag.store.sealed_texts import TextSealer, opened

DENSE: Final = "dense"
LEXICAL: Final = "bm25"

UPSERT_BATCH: Final = 128  # points a request: about 1 MB, far below a server's 32 MB
SEARCH_BATCH: Final = 64  # queries a request

# Made before the first point: Qdrant adds a graph's extra edges for those that exist while it
# builds it. Edges for the fields of every search alone; for the others they cost half the build.
PAYLOAD_INDEXES: Final[Mapping[str, models.PayloadSchemaParams]] = {
    "tenant": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    "readers": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
    "level": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=True, enable_hnsw=False
    ),
    "document_id": models.UuidIndexParams(type=models.UuidIndexType.UUID, enable_hnsw=False),
    "version": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "language": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "media_type": models.KeywordIndexParams(
        type=models.KeywordIndexType.KEYWORD, enable_hnsw=False
    ),
    "places": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "facts": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "modified": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=False, range=True, enable_hnsw=False
    ),
    FIELD: models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=True, enable_hnsw=False
    ),
}


@dataclass(frozen=True, slots=True)
class ServerLayout:
    """A collection on a Qdrant server or cluster."""

    shards: int | None = None
    replicas: int = 1

    @property
    def majority(self) -> int:
        """How many copies must take a write for it to count; see `majority`."""
        return majority(self.replicas)


def majority(copies: int) -> int:
    """More than half of the copies; of two, one: else either's absence would stop every write."""
    return 1 if copies <= 2 else copies // 2 + 1


def create_request(dimension: int, server: ServerLayout | None) -> models.CreateCollection:
    """The collection for vectors of `dimension` numbers; `server` None: the embedded engine.

    On a server the graph has links within a tenant too, small match sets are scanned exactly
    (40,000 KB, about 27,000 vectors of 384), 8-bit copies stay in memory beside originals on
    disk, and a write counts when most of the copies have it: who may read is looked up in the
    catalog for every hit, so a copy that lags behind shows nobody more. Strict mode refuses what
    no search of ours does, such as a filter on a field without an index. The embedded engine
    scans exactly and needs none of it.
    """
    dense = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
    lexical = models.SparseVectorParams(modifier=models.Modifier.IDF)
    if server is None:
        return models.CreateCollection(vectors={DENSE: dense}, sparse_vectors={LEXICAL: lexical})
    on_server = {
        "on_disk": True,
        "hnsw_config": models.HnswConfigDiff(
            m=16, payload_m=16, ef_construct=200, full_scan_threshold=40_000
        ),
        "quantization_config": models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=0.99, always_ram=True
            )
        ),
    }
    return models.CreateCollection(
        vectors={DENSE: dense.model_copy(update=on_server)},
        sparse_vectors={LEXICAL: lexical},
        shard_number=server.shards,
        replication_factor=server.replicas,
        write_consistency_factor=server.majority,
        on_disk_payload=True,
        strict_mode_config=models.StrictModeConfig(
            enabled=True,
            unindexed_filtering_retrieve=False,
            unindexed_filtering_update=False,
            max_query_limit=1_000,
            condition_max_size=10_000,
            filter_max_conditions=64,
            search_max_hnsw_ef=512,
            search_max_batchsize=SEARCH_BATCH,
            upsert_max_batchsize=2 * UPSERT_BATCH,
        ),
    )


def to_point(indexed: IndexedChunk, writing: int) -> models.PointStruct:
    """The point of a chunk, with the number of the writing that it is part of; see `fence`."""
    chunk = indexed.chunk
    payload: dict[str, object] = {
        "tenant": indexed.tenant,
        "readers": sorted(indexed.readers),
        "level": indexed.level,
        "document_id": chunk.document_id,
        "version": chunk.version,
        "index": chunk.index,
        "text": chunk.text,
        "spans": [[span.page, span.start, span.end] for span in chunk.spans],
        "kind": chunk.kind,
        FIELD: writing,
    }
    if chunk.heading_path:
        payload["headings"] = list(chunk.heading_path)
    if chunk.table_header:
        payload["table_header"] = chunk.table_header
    if chunk.language:
        payload["language"] = chunk.language
    origin = indexed.origin
    if origin.media_type:
        payload["media_type"] = origin.media_type
    if origin.uri:
        payload["places"] = sorted(origin.places)
    if origin.facts:
        payload["facts"] = sorted(origin.facts)
    if origin.modified is not None:
        payload["modified"] = int(origin.modified.timestamp())
    return models.PointStruct(
        id=point_id(chunk.document_id, chunk.version, chunk.index),
        vector={
            DENSE: indexed.dense.tolist(),
            # Also without a term: the number of points that have this vector is the N of the IDF.
            LEXICAL: models.SparseVector(
                indices=list(indexed.lexical.indices), values=list(indexed.lexical.values)
            ),
        },
        payload=payload,
    )


@dataclass(frozen=True, slots=True)
class _Payload:
    tenant: str
    readers: frozenset[str]
    level: int
    document_id: str
    version: str
    index: int
    text: str
    spans: tuple[tuple[int, int, int], ...]
    kind: str
    headings: tuple[str, ...] = ()
    table_header: str = ""
    language: str | None = None


_PAYLOAD: Final = TypeAdapter(_Payload)


def to_hit(point: models.ScoredPoint) -> Hit:
    """Raises StoreError: the point wasn't written by this product."""
    try:
        stored = _PAYLOAD.validate_python(point.payload)
    except ValidationError as error:
        fields = ", ".join(str(e["loc"][0]) for e in error.errors() if e["loc"])
        raise StoreError(
            f"The point {point.id} lacks what a chunk has ({fields}). Another program wrote to "
            "the collection: give this product one of its own (store.collection)."
        ) from error
    return Hit(
        id=str(point.id),
        chunk=Chunk(
            document_id=stored.document_id,
            version=stored.version,
            index=stored.index,
            text=stored.text,
            spans=tuple(PageSpan(*span) for span in stored.spans),
            heading_path=stored.headings,
            table_header=stored.table_header,
            language=stored.language,
            kind=stored.kind,
        ),
        score=point.score,
        tenant=stored.tenant,
        readers=stored.readers,
        level=stored.level,
    )


def from_point(point: models.ScoredPoint, sealer: TextSealer | None = None) -> IndexedChunk:
    """The chunk that `to_point` made a point of, without its origin; its vectors come along.

    Raises:
        StoreError: The point wasn't written by this product.
    """
    hit = opened(to_hit(point), sealer)
    vectors = point.vector if isinstance(point.vector, dict) else {}
    dense, lexical = vectors.get(DENSE), vectors.get(LEXICAL)
    if not isinstance(dense, list) or not isinstance(lexical, models.SparseVector):
        raise StoreError(f"The point {point.id} came without its vectors; ingest it again.")
    return IndexedChunk(
        chunk=hit.chunk,
        tenant=hit.tenant,
        readers=hit.readers,
        level=hit.level,
        dense=np.asarray(dense, dtype=np.float32),
        lexical=SparseVector(tuple(lexical.indices), tuple(lexical.values)),
    )
