"""The life of a document: bytes -> elements -> chunks -> vectors -> store.

Every step may run twice, and a crash between any two loses nothing: the new chunks are written
beside the old ones, one transaction of the catalog switches over to them, then the old ones go.
A reader sees the old document or the new one, never both and never half.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Protocol, TypeVar

from ingest.chunk import chunk
from ingest.index.embed import ChunkEmbedder, ParsedFile
from ingest.index.record import record_of, source_of, title_of, titled
from ingest.index.timing_guard import ContentLocks, StageTimer
from ingest.index.version import version_of
from ingest.leases.lease import DocumentLease
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.records import DocumentRecord, TaskState, document_id
from sovereign_rag.domain import Chunk, ParsedDocument, SourceFile
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import DocumentError, NoText, StoreError
from sovereign_rag.services.documents import PROTECTED
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.uploads import UPLOAD
from sovereign_rag.settings import ChunkSettings
from sovereign_rag.storage.content import ContentStore, Effort
from sovereign_rag.store.protocol import AllIndexes, ChunkStore

_BATCH = 32  # chunks embedded and written at a time: memory stays flat however long a document is
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class Parser(Protocol):
    """Reads files, in processes that may fail."""

    @property
    def key(self) -> str:
        """Version of the stored text that it makes."""
        ...

    def parse(
        self,
        path: Path,
        *,
        name: str,
        password: str | None = None,
        cancel: threading.Event | None = None,
    ) -> ParsedDocument:
        """Read a file; once `cancel` is set it ends at once, with a DocumentError."""
        ...


class PipelineIndexes(AllIndexes, Protocol):
    """The index that documents are taken into, and those beside it: being built, or kept."""

    def prune_others(
        self, tenant: str, document_id: str, *, keep: Callable[[IndexSpec], str]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a document."""

    record: DocumentRecord
    changed: bool  # False: it was there already, exactly so


_Item = TypeVar("_Item")


class Pipeline:
    """Takes documents in. What lives outside is given."""

    def __init__(
        self,
        *,
        parser: Parser,
        embedder: Embedder,
        lexical: LexicalEncoder,
        store: ChunkStore,
        all_indexes: PipelineIndexes,
        documents: Documents,
        erasure: Erasure,
        content: ContentStore,
        settings: ChunkSettings,
        reuse_across_tenants: bool = True,
    ) -> None:
        """Embedder, store, documents and settings are those of the index to take documents into."""
        self._parser, self._embedder, self._lexical = parser, embedder, lexical
        self._store, self._all_indexes = store, all_indexes
        self._documents, self._content, self._erasure = documents, content, erasure
        self._settings, self._reuse_across_tenants = settings, reuse_across_tenants
        self._contents = ContentLocks()

    def take_in(
        self,
        source: SourceFile,
        tenant: str,
        *,
        lease: DocumentLease,
        password: str | None = None,
    ) -> Ingested:
        """Make the index hold `source`, whose bytes are in the content store, and nothing older.

        Raises:
            LeaseLost: `lease` ended; what searches return is as it was.
            DocumentError: The document can't be read; an older version of it stays as it was.
            EnvironmentFault: The machine is at fault; the same call may work later.
        """
        known = self._documents.find(tenant, source.uri)
        if known is not None and source.stated is None:
            source = replace(source, stated=known.stated)
        version = self.version_of(source.content_hash)
        is_locked = known is not None and PROTECTED in known.properties
        # Who hands a locked file in has to know its password each time, also under the same name:
        # else who guessed would get its text, or give it to others.
        asks_again = is_locked and (password is not None or source.uri.startswith(UPLOAD))
        if known is not None and known.version == version and not asks_again:
            stored = self._store.versions(tenant, known.id)
            # Fewer where the store was lost, or is another one than the last time.
            if stored.get(version) == known.chunks:
                unchanged = self._unchanged(known, source, stored, lease)
                if unchanged is not None:
                    return unchanged
                known, asks_again = None, False
        lease.reached(TaskState.PARSING)
        stage = StageTimer()
        with self._contents.locked(source.content_hash, lease.ended):
            return self._take_in(source, tenant, known, password, asks_again, lease, stage)

    def _take_in(
        self,
        source: SourceFile,
        tenant: str,
        known: DocumentRecord | None,
        password: str | None,
        asks_again: bool,
        lease: DocumentLease,
        parsing: StageTimer,
    ) -> Ingested:
        content, version = source.content_hash, self.version_of(source.content_hash)
        of_others = self._documents.is_held_by_others_alone(tenant, content)
        # What others made is taken over where it is known how long it would take: see `effort`.
        shown = self._content.effort(content, version) if of_others else None
        reuse = not of_others or (self._reuse_across_tenants and shown is not None)
        was_read = known is not None and known.content_hash == content and not asks_again
        stored = self._stored(source, was_read=was_read) if reuse else None
        parsed = stored or self._parse(source, password, lease)
        if reuse and shown is not None:
            parsing.wait_until(shown.parsing_s, lease.ended)
        parsing_s = parsing.seconds
        lease.reached(TaskState.EMBEDDING, pages=len(parsed.pages))
        embedding, item = StageTimer(), ParsedFile(source, titled(parsed, source.name))
        before = [known.content_hash] if known is not None else []
        chunk_embedder = self._chunk_embedder([content, *before] if reuse else before)
        chunks = self._write(chunk_embedder, [item], tenant, lease)[0]
        if stored is None and chunk_embedder.computed == chunks:
            effort = Effort(parsing_s, embedding.seconds)
            self._content.put_effort(content, version, effort)
        if reuse and shown is not None:
            embedding.wait_until(shown.embedding_s, lease.ended)
        return Ingested(self._publish(item, tenant, chunks, lease), changed=True)

    def parse_key(self, name: str) -> str:
        """Version of the stored text of a file; its format may hang on the suffix of its name."""
        suffix = PurePath(name).suffix.lower()
        return f"{self._parser.key}-{suffix[1:]}" if _SUFFIX.fullmatch(suffix) else self._parser.key

    def version_of(self, content_hash: str, parser: str | None = None) -> str:
        """Names what this pipeline makes of a content; see `version`.

        Args:
            content_hash: Of the bytes.
            parser: Version of the stored text; None: as the parser makes it today.
        """
        return version_of(
            content_hash,
            parser=parser or self._parser.key,
            chunking=self._settings,
            model_id=self._embedder.model_id,
            lexical=self._lexical.key,
        )

    def tidy(self, tenant: str, document_id: str) -> None:
        """Remove the chunks of a document that searches do not return.

        For whoever has the document to itself: what was written and not published goes.
        """
        live = self._documents.live_version(tenant, document_id)
        if live is None:  # nor is it in an index beside this one, where a switch may have left it
            self._all_indexes.prune(tenant, document_id, keep=None)
        else:
            self._store.prune(tenant, document_id, keep=live)
        self._all_indexes.flush()

    def state(self, tenant: str, document_id: str, lease: DocumentLease) -> None:
        """Say of a document what its task says of it."""
        self._erasure.state_by_task(tenant, document_id, lease.fence)

    def forget(self, content_hash: str) -> None:
        """Remove a content that nothing needs any more."""
        self._erasure.erase_content(content_hash)

    def index(
        self, items: Sequence[ParsedFile], tenant: str, lease: DocumentLease
    ) -> list[DocumentRecord]:
        """Chunk, embed, write and publish parsed documents; their older versions go afterwards.

        Several short documents at once fill the embedding model's batches; each is switched over
        by itself.

        Raises:
            NoText: A document has nothing that could be searched.
            LeaseLost: `lease` ended.
        """
        chunk_embedder = self._chunk_embedder([item.source.content_hash for item in items])
        chunks = self._write(chunk_embedder, items, tenant, lease)
        return [
            self._publish(item, tenant, count, lease)
            for item, count in zip(items, chunks, strict=True)
        ]

    def copy(
        self,
        documents: Sequence[DocumentRecord],
        texts: Sequence[ParsedDocument],
        lease: DocumentLease,
    ) -> list[tuple[str, int]]:
        """Write documents of one tenant, which another index holds, from their stored texts.

        Returns:
            Version and number of chunks of each. Nothing is published.
        """
        items = [
            ParsedFile(source_of(document), titled(text, document.name), self._made_by(document))
            for document, text in zip(documents, texts, strict=True)
        ]
        chunk_embedder = self._chunk_embedder([item.source.content_hash for item in items])
        chunks = self._write(chunk_embedder, items, documents[0].tenant, lease)
        versions = [self.version_of(item.source.content_hash, item.parser) for item in items]
        return list(zip(versions, chunks, strict=True))

    def _made_by(self, document: DocumentRecord) -> str | None:
        key = self._parser.key
        is_of_today = document.parse_key == key or document.parse_key.startswith(f"{key}-")
        return None if is_of_today else document.parse_key

    def _chunk_embedder(self, known: Sequence[str]) -> ChunkEmbedder:
        return ChunkEmbedder(self._embedder, self._lexical, self._content, known=known)

    def _write(
        self,
        chunk_embedder: ChunkEmbedder,
        items: Sequence[ParsedFile],
        tenant: str,
        lease: DocumentLease,
    ) -> list[int]:
        """Write the chunks, which no search returns yet; returns how many each document has.

        Where the store is away the rest is embedded all the same, and kept: the next try has
        nothing left to do but to write.

        Raises:
            StoreError: Something could not be written.
        """
        away: StoreError | None = None
        cut = [(item, self._chunk(item, tenant)) for item in items]
        for batch in _batches([(item, part) for item, parts in cut for part in parts]):
            _check(lease)
            embedded = chunk_embedder.embed(batch, tenant)
            _check(lease)
            if away is None:
                try:
                    self._store.put(embedded)
                except StoreError as error:
                    away = error
        if chunk_embedder.computed:
            for item in items:
                self._content.share_vectors(item.source.content_hash, self._embedder.model_id)
        if away is not None:
            raise away
        self._store.flush()
        return [len(parts) for _, parts in cut]

    def _chunk(self, item: ParsedFile, tenant: str) -> list[Chunk]:
        chunks = chunk(
            document_id(tenant, item.source.uri),
            self.version_of(item.source.content_hash, item.parser),
            item.parsed,
            count_tokens=self._embedder.count_tokens,
            settings=self._settings,
            language=item.source.stated.spoken if item.source.stated else None,
        )
        if not chunks:
            raise NoText(
                f"{item.source.name} has no text that could be searched. If it is a scan, install "
                "Tesseract (see `sovereign-rag doctor`)."
            )
        return chunks

    def _publish(
        self, item: ParsedFile, tenant: str, chunks: int, lease: DocumentLease
    ) -> DocumentRecord:
        version, key = self.version_of(item.source.content_hash), self.parse_key(item.source.name)
        record = record_of(item, tenant, version, key, chunks)
        known = self._documents.find(tenant, item.source.uri)
        if known is not None:
            record = replace(record, created=known.created)
        # From here on searches return the new version; the catalog refuses it without the lease.
        published = self._documents.publish(record, lease.fence)
        _check(lease)
        if published != record:
            # Other rights since it was read, or something stated: its chunks are without.
            self._erasure.follow_up(record.id, lease.fence)
            record = published
        self._store.prune(tenant, record.id, keep=record.version)
        if known is not None and known.content_hash != record.content_hash:
            self._all_indexes.prune_others(
                tenant, record.id, keep=partial(self._version_in, record)
            )
            self.forget(known.content_hash)
        return record

    def _version_in(self, record: DocumentRecord, spec: IndexSpec) -> str:
        """The version that another index will have of a document, or has been given already."""
        return version_of(
            record.content_hash,
            parser=self._parser.key,
            chunking=spec.chunking,
            model_id=spec.model_id,
            lexical=self._lexical.key,
        )

    def _stored(self, source: SourceFile, *, was_read: bool) -> ParsedDocument | None:
        """What was read from this content before.

        `was_read`: it was this very document. Who hands in the same locked file otherwise has to
        know its password, too.
        """
        parsed = self._content.parsed(source.content_hash, self.parse_key(source.name))
        if parsed is not None and (was_read or PROTECTED not in parsed.properties):
            return parsed
        return None

    def _parse(
        self, source: SourceFile, password: str | None, lease: DocumentLease
    ) -> ParsedDocument:
        path, name = self._content.original(source.content_hash), source.name
        try:
            parsed = self._parser.parse(path, name=name, cancel=lease.ended)
        except DocumentError as error:
            if password is None or error.reason != "encrypted":
                raise
            parsed = self._parser.parse(path, name=name, password=password, cancel=lease.ended)
            parsed = replace(parsed, properties={**parsed.properties, PROTECTED: "password"})
        if parsed.title == title_of(name):
            # A name is not of the content: another document with the same has its own.
            parsed = replace(parsed, title=None)
        self._content.put_parsed(source.content_hash, self.parse_key(name), parsed)
        return parsed

    def _unchanged(
        self,
        known: DocumentRecord,
        source: SourceFile,
        stored: Mapping[str, int],
        lease: DocumentLease,
    ) -> Ingested | None:
        """Nothing to parse or embed; a change of rights alone reaches the index at once.

        None: the document was deleted meanwhile.
        """
        _check(lease)
        if stored.keys() - {known.version}:  # a crash came before the old version had gone
            self._store.prune(known.tenant, known.id, keep=known.version)
        if (known.readers, known.level) == (source.readers, source.level):
            return Ingested(known, changed=False)
        wanted = (source.readers, source.level)
        if not self._erasure.change_readers(known.tenant, known.id, *wanted, lease.fence):
            return None
        return Ingested(replace(known, readers=source.readers, level=source.level), changed=True)


def _check(lease: DocumentLease) -> None:
    if lease.ended.is_set():
        raise LeaseLost("The right to write the document has ended.")


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
