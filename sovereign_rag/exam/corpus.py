"""The exam's passages as an index in memory: all that answering asks for beside models."""

import uuid
from collections.abc import Mapping, Sequence

from sovereign_rag.access import EVERYONE, Principal, ReadScope, stored_readers
from sovereign_rag.catalog.records import AuditEntry, LiveDocument
from sovereign_rag.domain import Chunk, PageSpan, PageText, ParsedDocument
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.exam.question_set import ExamPassage, Paper
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import IndexedChunk

EXAMINEE = Principal("exam", tenant="exam")
_VERSION = "1"
_KEY = "exam"


class ExamLibrary:
    """Store, catalog, stored texts and audit of an exam; forgets at the end."""

    def __init__(self, paper: Paper, *, embedder: Embedder, lexical: LexicalEncoder) -> None:
        self.store = MemoryStore(dimension=embedder.dimension, collection=f"exam-{paper.version}")
        self._documents = {_id(passage): passage for passage in paper.passages}
        chunks = [_chunk(passage) for passage in paper.passages]
        dense = embedder.embed_passages([chunk.embedded_text for chunk in chunks])
        weights = lexical.encode_passages(
            [chunk.embedded_text for chunk in chunks], [chunk.language for chunk in chunks]
        )
        self.store.put(
            [
                IndexedChunk(chunk, EXAMINEE.tenant, stored_readers({EVERYONE}), 0, vector, weight)
                for chunk, vector, weight in zip(chunks, dense, weights, strict=True)
            ]
        )

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]:
        del scope  # the exam's passages are nobody's
        return {id_: _live(id_, self._documents[id_]) for id_ in document_ids}

    def parsed(self, content_hash: str, key: str) -> ParsedDocument | None:
        """The page of a passage; its id stands for the hash."""
        del key
        passage = self._documents[content_hash]
        return ParsedDocument(
            media_type="text/plain", pages=(PageText(1, passage.text),), elements=(), paged=False
        )

    def append(self, entry: AuditEntry) -> None:
        """Nothing: no document of anybody is disclosed."""


def _id(passage: ExamPassage) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"exam:{passage.id}"))


def _chunk(passage: ExamPassage) -> Chunk:
    return Chunk(
        document_id=_id(passage),
        version=_VERSION,
        index=0,
        text=passage.text,
        spans=(PageSpan(1, 0, len(passage.text)),),
        heading_path=(passage.title,),
        language=passage.language,
    )


def _live(id_: str, passage: ExamPassage) -> LiveDocument:
    return LiveDocument(
        id=id_,
        version=_VERSION,
        title=passage.title,
        uri=f"exam:{passage.id}",
        paged=False,
        content_hash=id_,
        parse_key=_KEY,
    )
