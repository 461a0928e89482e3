"""Chunks that are in another language than was thought: their words are weighed anew.

Texts and dense vectors stay as they are; a chunk that is in its language already stays whole.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sovereign_rag.errors import StoreError
from sovereign_rag.text.language import of_passage

if TYPE_CHECKING:
    from sovereign_rag.embedding.protocol import LexicalEncoder
    from sovereign_rag.store.protocol import ChunkStore, IndexedChunk, Spoken

_BATCH: Final = 64  # chunks read and written at a time


def respeak(
    store: "ChunkStore",
    lexical: "LexicalEncoder",
    tenant: str,
    document_id: str,
    version: str,
    spoken: "Spoken",
) -> int:
    """Write the chunks of a version whose language is not the one it is to be; returns how many.

    Raises:
        StoreError: The store is away, or gives fewer chunks than it counts.
    """
    changed = 0
    total = store.versions(tenant, document_id).get(version, 0)
    for begin in range(0, total, _BATCH):
        indexes = range(begin, min(begin + _BATCH, total))
        stored = store.stored(tenant, document_id, version, indexes)
        if len(stored) < len(indexes):
            raise StoreError("Not all chunks of a document could be read; it is tried again.")
        others = [one for one in stored if one.chunk.language != _language(one, spoken)]
        if others:
            store.put(_spoken(others, lexical, spoken))
            changed += len(others)
    return changed


def _language(indexed: "IndexedChunk", spoken: "Spoken") -> str | None:
    return spoken.stated or of_passage(indexed.chunk.text, spoken.found)


def _spoken(
    stored: "list[IndexedChunk]", lexical: "LexicalEncoder", spoken: "Spoken"
) -> "list[IndexedChunk]":
    chunks = [replace(one.chunk, language=_language(one, spoken)) for one in stored]
    texts, languages = [one.embedded_text for one in chunks], [one.language for one in chunks]
    return [
        replace(
            one,
            chunk=chunk,
            lexical=terms,
            readers=spoken.readers,
            level=spoken.level,
            origin=spoken.origin,
        )
        for one, chunk, terms in zip(
            stored, chunks, lexical.encode_passages(texts, languages), strict=True
        )
    ]
