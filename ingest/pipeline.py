"""The life of a document: bytes -> elements -> chunks -> vectors -> store.

Every step may run twice, and a crash between any two loses nothing: the new chunks are written
beside the old ones, one transaction of the catalog switches over to them, then the old ones go.
A reader sees the old document or the new one, never both and never half.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from ingest.chunk import CHUNKER_VERSION, chunk
from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, document_id
from sovereign_rag.content import ContentStore
from sovereign_rag.domain import Chunk, ParsedDocument, SourceFile
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import NoText
from sovereign_rag.settings import ChunkSettings
from sovereign_rag.store.protocol import ChunkStore, IndexedChunk

_BATCH = 64  # chunks embedded and written at a time: memory stays flat however long a document is


class Parser(Protocol):
    """Reads files, in processes that may fail."""

    @property
    def key(self) -> str:
        """Version of the stored text that it makes."""
        ...

    def parse(self, path: Path, *, name: str, password: str | None = None) -> ParsedDocument: ...


class IngestionCatalog(Protocol):
    """What is asked of the catalog here."""

    def find(self, tenant: str, uri: str) -> DocumentRecord | None: ...

    def publish(self, record: DocumentRecord) -> None: ...

    def set_readers(
        self, tenant: str, document_id: str, readers: frozenset[str], level: int
    ) -> None: ...

    def content_in_use(self, content_hash: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a document."""

    record: DocumentRecord
    changed: bool  # False: it was there already, exactly so


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file that has been read."""

    source: SourceFile
    parsed: ParsedDocument


Item = TypeVar("Item")
Progress = Callable[[str], None]  # told "parsing", "embedding" as a document gets there


class Pipeline:
    """Takes documents in. What lives outside is given."""

    def __init__(
        self,
        *,
        parser: Parser,
        embedder: Embedder,
        lexical: LexicalEncoder,
        store: ChunkStore,
        catalog: IngestionCatalog,
        content: ContentStore,
        settings: ChunkSettings,
    ) -> None:
        self._parser, self._embedder, self._lexical = parser, embedder, lexical
        self._store, self._catalog, self._content = store, catalog, content
        self._settings = settings

    def take_in(
        self,
        source: SourceFile,
        tenant: str,
        *,
        password: str | None = None,
        progress: Progress = lambda stage: None,
    ) -> Ingested:
        """Make the index hold `source`, whose bytes are in the content store, and nothing older.

        Raises:
            DocumentError: The document can't be read; an older version of it stays as it was.
            EnvironmentFault: The machine is at fault; the same call may work later.
        """
        known = self._catalog.find(tenant, source.uri)
        version = self.version_of(source.content_hash)
        if known is not None and known.version == version:
            stored = self._store.versions(tenant, known.id)
            # Fewer where the store was lost, or is another one than the last time.
            if stored.get(version) == known.chunks:
                return self._unchanged(known, source, stored)
        progress("parsing")
        parsed = self._parse(source, password)
        progress("embedding")
        (record,) = self.index([Parsed(source, parsed)], tenant)
        return Ingested(record, changed=True)

    @property
    def parse_key(self) -> str:
        """Version of the stored texts that its parser makes."""
        return self._parser.key

    def version_of(self, content_hash: str) -> str:
        """Names what this pipeline makes of a content: another parser, chunker or model, another
        version. The same content is the same version, so a second run does nothing twice.
        """
        made_by = (
            content_hash,
            self._parser.key,
            CHUNKER_VERSION,
            str(self._settings.max_tokens),
            str(self._settings.min_tokens),
            self._embedder.model_id,
        )
        return hashlib.sha256("\n".join(made_by).encode()).hexdigest()[:16]

    def index(self, items: Sequence[Parsed], tenant: str) -> list[DocumentRecord]:
        """Chunk, embed, write and publish parsed documents; their older versions go afterwards.

        Several short documents at once fill the embedding model's batches; each is switched over
        by itself.

        Raises:
            NoText: A document has nothing that could be searched.
        """
        cut = [(item, self._chunk(item, tenant)) for item in items]
        for batch in _batches([(item, part) for item, parts in cut for part in parts]):
            self._store.put(self._vectorise(batch, tenant))
        self._store.flush()
        return [self._publish(item, tenant, len(parts)) for item, parts in cut]

    def _chunk(self, item: Parsed, tenant: str) -> list[Chunk]:
        chunks = chunk(
            document_id(tenant, item.source.uri),
            self.version_of(item.source.content_hash),
            item.parsed,
            count_tokens=self._embedder.count_tokens,
            settings=self._settings,
        )
        if not chunks:
            raise NoText(
                f"{item.source.name} has no text that could be searched. If it is a scan, install "
                "Tesseract (see `sovereign-rag doctor`)."
            )
        return chunks

    def _publish(self, item: Parsed, tenant: str, chunks: int) -> DocumentRecord:
        record = _record(
            item, tenant, self.version_of(item.source.content_hash), self._parser.key, chunks
        )
        known = self._catalog.find(tenant, item.source.uri)
        if known is not None:
            record = replace(record, created=known.created)
        self._catalog.publish(record)  # from here on searches return the new version
        self._store.prune(tenant, record.id, keep=record.version)
        if known is not None and known.content_hash != record.content_hash:
            self._forget(known.content_hash)
        return record

    def _parse(self, source: SourceFile, password: str | None) -> ParsedDocument:
        key = self._parser.key
        parsed = self._content.parsed(source.content_hash, key)
        if parsed is None:
            path = self._content.original(source.content_hash)
            parsed = self._parser.parse(path, name=source.name, password=password)
            self._content.put_parsed(source.content_hash, key, parsed)
        return parsed

    def _vectorise(self, batch: Sequence[tuple[Parsed, Chunk]], tenant: str) -> list[IndexedChunk]:
        texts = [part.embedded_text for _, part in batch]
        dense = self._embedder.embed_passages(texts)
        lexical = self._lexical.encode_passages(texts, [part.language for _, part in batch])
        return [
            IndexedChunk(
                chunk=part,
                tenant=tenant,
                readers=stored_readers(item.source.readers),
                level=item.source.level,
                dense=vector,
                lexical=terms,
            )
            for (item, part), vector, terms in zip(batch, dense, lexical, strict=True)
        ]

    def _unchanged(
        self, known: DocumentRecord, source: SourceFile, stored: Mapping[str, int]
    ) -> Ingested:
        """Nothing to parse or embed; a change of rights alone reaches the index at once."""
        if stored.keys() - {known.version}:  # a crash came before the old version had gone
            self._store.prune(known.tenant, known.id, keep=known.version)
        if (known.readers, known.level) == (source.readers, source.level):
            return Ingested(known, changed=False)
        self._store.set_access(
            known.tenant,
            known.id,
            readers=stored_readers(source.readers),
            level=source.level,
        )
        # The catalog last: until it agrees, the same call finds the same work to do again.
        self._catalog.set_readers(known.tenant, known.id, source.readers, source.level)
        return Ingested(replace(known, readers=source.readers, level=source.level), changed=True)

    def _forget(self, content_hash: str) -> None:
        if not self._catalog.content_in_use(content_hash):
            self._content.delete(content_hash)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _record(item: Parsed, tenant: str, version: str, parse_key: str, chunks: int) -> DocumentRecord:
    source, parsed, now = item.source, item.parsed, datetime.now(UTC)
    return DocumentRecord(
        id=document_id(tenant, source.uri),
        tenant=tenant,
        uri=source.uri,
        name=source.name,
        title=parsed.title or source.name,
        status=DocumentStatus.PARTIAL if parsed.warnings else DocumentStatus.INDEXED,
        reason="; ".join(parsed.warnings) or None,
        content_hash=source.content_hash,
        parse_key=parse_key,
        version=version,
        media_type=parsed.media_type,
        language=parsed.language,
        paged=parsed.paged,
        pages=len(parsed.pages),
        chunks=chunks,
        size=source.size,
        modified=source.modified,
        readers=source.readers,
        level=source.level,
        properties=parsed.properties,
        created=now,
        updated=now,
    )
