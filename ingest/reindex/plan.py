"""What building an index will take, measured on a few of the documents."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.chunk import chunk
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.embedding.vector_cache import VectorCache
from sovereign_rag.storage.content import ContentStore

_SAMPLE = 8  # documents; their ids are hashes, so the first ones are as good as drawn
_TEXTS = 16  # embedded to see how long one takes
_WRITING_S = 0.004  # a chunk, with its share of the engine's work
_BESIDE_TEXT = 700  # bytes a chunk takes in the store beside its text, twice, and its vector
_NOT_YET = -1  # the number of no index


@dataclass(frozen=True, slots=True)
class ReindexEstimate:
    """What is to be done, and about what it takes."""

    documents: int  # to be written
    present: int  # that the index holds already, up to date
    chunks: int
    seconds: float
    disk: int  # bytes
    free: int  # bytes


def estimate(
    wanted: IndexSpec,
    begun: IndexRecord | None,
    *,
    catalog: Catalog,
    content: ContentStore,
    embedder: Embedder,
    data_dir: Path,
) -> ReindexEstimate:
    """Cut a few documents and embed some of their chunks, without keeping anything.

    Args:
        wanted: How the index is made.
        begun: The one that a build was begun of; None: there is none yet.
        catalog: What documents there are.
        content: Their stored texts.
        embedder: The model of `wanted`.
        data_dir: The disk whose room is told.
    """
    number = _NOT_YET if begun is None else begun.id
    coverage = catalog.indexes.coverage(number)
    documents = coverage.documents - coverage.current
    free = shutil.disk_usage(data_dir).free
    sample = catalog.indexes.outdated(number, limit=_SAMPLE)
    before, texts, kept = 0, list[str](), 0
    for found in sample:
        record = found.record
        parsed = content.parsed(record.content_hash, record.parse_key)
        if parsed is None:
            continue
        parts = chunk(
            record.id,
            "",
            parsed,
            count_tokens=embedder.count_tokens,
            settings=wanted.chunking,
        )
        before += record.chunks
        vectors = VectorCache(
            content.vectors(record.content_hash, embedder.model_id), embedder.dimension
        )
        of_it = [part.embedded_text for part in parts]
        kept += sum(vectors.get(text) is not None for text in of_it)
        texts += of_it
    if not texts or not documents:
        return ReindexEstimate(documents, coverage.current, 0, 0.0, 0, free)
    left = coverage.chunks * documents / max(1, coverage.documents)
    chunks = max(documents, round(left * len(texts) / max(1, before)))
    new = 1 - kept / len(texts)
    seconds = chunks * (new * (_seconds_each(texts, embedder) if new else 0.0) + _WRITING_S)
    length = sum(len(text.encode()) for text in texts) / len(texts)
    vector = 4 * wanted.dimension
    disk = round(chunks * (vector + new * vector + 2 * length + _BESIDE_TEXT))
    return ReindexEstimate(documents, coverage.current, chunks, round(seconds, 1), disk, free)


def _seconds_each(texts: Sequence[str], embedder: Embedder) -> float:
    step = max(1, len(texts) // _TEXTS)
    some = texts[::step][:_TEXTS]
    embedder.embed_passages(some[:1])  # the model is loaded by the first
    begin = time.perf_counter()
    embedder.embed_passages(some)
    return (time.perf_counter() - begin) / len(some)
