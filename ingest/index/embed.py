"""Chunks -> indexed chunks; a text that has a vector already gets that one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import stored_readers
from sovereign_rag.domain import Chunk, ParsedDocument, SourceFile
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.embedding.vector_cache import VectorCache
from sovereign_rag.metadata import NOTHING_STATED
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import ChunkOrigin, IndexedChunk
from sovereign_rag.system.tracing import span


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file that has been read."""

    source: SourceFile
    parsed: ParsedDocument
    parser: str | None = None  # version of the text, where another parser than today's made it


class ChunkEmbedder:
    """Makes the vectors of one call of the pipeline; `computed` says how many were new."""

    def __init__(
        self,
        embedder: Embedder,
        lexical: LexicalEncoder,
        content: ContentStore,
        *,
        known: Iterable[str],
    ) -> None:
        """`known` are the hashes of contents whose vectors may be taken over."""
        self._embedder, self._lexical, self._content = embedder, lexical, content
        self._kept = [self._cache(content_hash) for content_hash in dict.fromkeys(known)]
        self.computed = 0

    def embed(self, batch: Sequence[tuple[ParsedFile, Chunk]], tenant: str) -> list[IndexedChunk]:
        """The chunks with their vectors and rights, in order."""
        texts = [part.embedded_text for _, part in batch]
        lexical = self._lexical.encode_passages(texts, [part.language for _, part in batch])
        return [
            IndexedChunk(
                chunk=part,
                tenant=tenant,
                readers=stored_readers(item.source.readers),
                level=item.source.level,
                dense=vector,
                lexical=terms,
                origin=_origin(item),
            )
            for (item, part), vector, terms in zip(batch, self._dense(batch), lexical, strict=True)
        ]

    def _dense(self, batch: Sequence[tuple[ParsedFile, Chunk]]) -> list[NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = {}
        missing: dict[str, str] = {}  # text -> the content that it is of
        for item, part in batch:
            text = part.embedded_text
            vector = self._find(text)
            if vector is None:
                missing.setdefault(text, item.source.content_hash)
            else:
                found[text] = vector
        texts = list(missing)
        with span("ingest.embed", texts=len(texts)):
            vectors = self._embedder.embed_passages(texts)
        found.update(zip(texts, vectors, strict=True))
        self.computed += len(texts)
        for content_hash in set(missing.values()):
            rows = [row for row, text in enumerate(texts) if missing[text] == content_hash]
            self._cache(content_hash).add([texts[row] for row in rows], vectors[rows])
        return [found[part.embedded_text] for _, part in batch]

    def _find(self, text: str) -> NDArray[np.float32] | None:
        return next((v for kept in self._kept if (v := kept.get(text)) is not None), None)

    def _cache(self, content_hash: str) -> VectorCache:
        path = self._content.vectors(content_hash, self._embedder.model_id)
        return VectorCache(path, self._embedder.dimension)


def _origin(item: ParsedFile) -> ChunkOrigin:
    source, said = item.source, item.source.stated or NOTHING_STATED
    return ChunkOrigin(source.uri, item.parsed.media_type, said.date or source.modified, said.facts)
