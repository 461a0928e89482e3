"""The parts that a document passes through, over nodes that fail; time passes when it is told to.

Everything is the product's but what reads files (words, from texts) and what makes vectors.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

from qdrant_client import QdrantClient

from ingest.jobs.archives import Expander
from ingest.jobs.unpack import Unpacker
from ingest.jobs.worker import Worker
from ingest.parse.archive import ArchiveLimits, Contents
from ingest.pipeline import Pipeline
from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.records import NewTask, document_id
from sovereign_rag.domain import Element, ElementKind, PageText, ParsedDocument
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.indexes.languages import respeak
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.submission import Submission
from sovereign_rag.settings import ChunkSettings, IngestSettings, Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.password_box import Seal
from sovereign_rag.storage.sealing import Sealer
from sovereign_rag.store.protocol import DenseQuery, Spoken
from sovereign_rag.store.qdrant import QdrantStore
from tests.catalog.conftest import SetClock
from tests.faults import FaultProxy
from tests.hashed import DIMENSION, HashEmbedder
from tests.store.nodes import Clock, over

NAMES: Final = ("gate.txt", "canteen.txt")
QUESTION: Final = "word"
_PATIENCE_S: Final = 0.3  # where a node hangs
_FAR_TOO_LONG_S: Final = 600.0
_COLLECTION: Final = "hashed"
_LONG: Final = 40  # paragraphs, a chunk each: more than one batch of the pipeline


class Killed(BaseException):
    """The process is no more."""


class Words:
    """Reads a text file: a paragraph each line."""

    key = "words"

    def parse(
        self,
        path: Path,
        *,
        name: str,
        password: str | None = None,
        cancel: threading.Event | None = None,
    ) -> ParsedDocument:
        text = path.read_text()
        elements, start = [], 0
        for line in text.splitlines(keepends=True):
            end = start + len(line.rstrip())
            elements.append(Element(ElementKind.PARAGRAPH, 1, start, end))
            start += len(line)
        return ParsedDocument("text/plain", (PageText(1, text),), tuple(elements), paged=False)

    def unpack(
        self,
        path: Path,
        *,
        name: str,
        limits: ArchiveLimits,
        cancel: threading.Event | None = None,
    ) -> AbstractContextManager[tuple[Path, Contents | None]]:
        raise AssertionError("there are no archives here")


class MortalEmbedder(HashEmbedder):
    """Its process is killed at a batch, where it is told to be."""

    killed_at: int | None = None

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        if self.killed_at is not None:
            self.killed_at -= 1
            if self.killed_at < 0:
                raise Killed
        return super().embed_passages(texts, urgent=urgent)


class AtOnce(threading.Event):
    """Of a worker that doesn't wait before it tries again."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class OneIndex:
    """The one index that there is, as the product's `EveryIndexStore` has them all."""

    def __init__(self, store: QdrantStore, catalog: Catalog) -> None:
        self._store, self._catalog = store, catalog
        self.prune, self.flush = store.prune, store.flush
        self.set_access, self.set_facts = store.set_access, store.set_facts

    def set_language(self, tenant: str, document_id: str, spoken: Spoken) -> None:
        version = self._catalog.documents.live_version(tenant, document_id) or ""
        respeak(self._store, Bm25Encoder(), tenant, document_id, version, spoken)

    def tidy(self, tenant: str, document_id: str) -> None:
        live = self._catalog.documents.live_version(tenant, document_id)
        self._store.prune(tenant, document_id, keep=live)

    def prune_others(
        self, tenant: str, document_id: str, *, keep: Callable[[IndexSpec], str]
    ) -> None:
        """There are none."""


class House:
    """One machine over the nodes, and a look past them at what the engine has."""

    def __init__(self, folder: Path, nodes: list[FaultProxy], port: int, *, tenant: str) -> None:
        self.nodes, self.tenant = nodes, tenant
        self._folder, self._files = folder, iter(range(1_000_000))
        self.moment = SetClock()
        self._settings = Settings(
            data_dir=folder,
            chunk=ChunkSettings(max_tokens=64, min_tokens=0),
            ingest=IngestSettings(max_attempts=1_000),
        )
        self.catalog = Catalog.open(self._settings, clock=self.moment)
        self._clock = Clock()
        self.sound = over_engine(port)
        self.sound.make()
        self._audit, self._content = AuditLog(folder), ContentStore(folder)
        self._embedder = MortalEmbedder()
        self._open(_PATIENCE_S)

    def _open(self, patience_s: float) -> None:
        self.store = over(
            self.nodes,
            self._clock,
            patience_s=patience_s,
            note_late=self.catalog.late_writes.note,
            collection=_COLLECTION,
            dimension=DIMENSION,
        )
        all_indexes = OneIndex(self.store, self.catalog)
        self.erasure = Erasure(
            documents=self.catalog.documents,
            follow_ups=self.catalog.follow_ups,
            content=self._content,
            all_indexes=all_indexes,
        )
        operations = OperationRecorder(catalog=self.catalog, audit=self._audit, resume={})
        self._submission = Submission(
            catalog=self.catalog, audit=self._audit, operations=operations
        )
        self._pipeline = Pipeline(
            parser=Words(),
            embedder=self._embedder,
            lexical=Bm25Encoder(compounds=None),
            store=self.store,
            all_indexes=all_indexes,
            documents=self.catalog.documents,
            erasure=self.erasure,
            content=self._content,
            settings=self._settings.chunk,
        )
        self._unpacker = Unpacker(
            catalog=self.catalog,
            content=self._content,
            audit=self._audit,
            erasure=self.erasure,
            expander=Expander(self._content, Words(), self._settings.archives, max_bytes=1 << 20),
        )

    def close(self) -> None:
        self.heal()
        for name in NAMES:  # else each course searches past all those before it
            self.sound.prune(self.tenant, self._id(name), keep=None)
        self.erasure.close()
        self.store.close()
        self.sound.close()
        self._audit.close()
        self.catalog.close()

    def hand_in(self, name: str, word: str, readers: frozenset[str], *, is_long: bool) -> None:
        path = self._folder / f"{next(self._files)}.txt"
        lines = (f"The word of paragraph {n} is {word}." for n in range(_LONG if is_long else 1))
        path.write_text("\n".join(lines))
        task = NewTask(uri_of(name), name, readers, 0, path=str(path))
        self._submission.submit([task], self._owner)

    def change_readers(self, name: str, readers: frozenset[str]) -> bool:
        """False: there is no such document."""
        return self.erasure.change_readers(self.tenant, self._id(name), readers, 0)

    def delete(self, name: str) -> bool:
        """False: there is no such document."""
        known = self.catalog.documents.known(self.tenant, self._id(name))
        if known is not None:
            self.erasure.erase(self.tenant, known.id, known.content_hash)
        return known is not None

    def work(self, *, killed_at: int | None = None) -> None:
        """What a worker does until nothing can be done.

        Args:
            killed_at: In which batch of texts its process is killed; None: in none.
        """
        worker = Worker(
            catalog=self.catalog,
            content=self._content,
            seal=Seal(Sealer(self._folder)),
            pipeline=lambda: self._pipeline,
            unpacker=self._unpacker,
            store_check=self.store.check,
            settings=self._settings.ingest,
            max_bytes=1 << 20,
        )
        self._embedder.killed_at = killed_at
        try:
            worker.run(AtOnce(), more=lambda: False)
        except Killed:
            self.catalog.leases.free(worker.name)
        else:
            self.catalog.late_writes.follow_up()
            self.erasure.follow_up_all()
        finally:
            self._embedder.killed_at = None

    def pass_time(self, seconds: float) -> None:
        self.moment.move(seconds=seconds)
        self._clock.ahead_s += seconds

    def heal(self) -> None:
        """Each node is back, and has done what it was asked while it stood still."""
        give_up = time.monotonic() + _FAR_TOO_LONG_S
        for node in self.nodes:
            node.fault = "none"
        while any(node.hanging for node in self.nodes):
            assert time.monotonic() < give_up
            time.sleep(0.002)

    def settle(self) -> None:
        """Nothing fails any more, the process is started anew and waits patiently; days pass."""
        self.heal()
        self.erasure.close()
        self.store.close()
        self._open(_FAR_TOO_LONG_S)
        give_up = time.monotonic() + _FAR_TOO_LONG_S
        while not self._is_settled():
            assert time.monotonic() < give_up
            self.pass_time(4 * 24 * 3_600)
            self.work()

    def found_by(self, name: str, groups: frozenset[str]) -> dict[str, set[str]]:
        """The words that somebody finds, by document: as a search has them, past the nodes."""
        scope = read_scope(Principal(name, groups, tenant=self.tenant))
        (vector,) = self._embedder.embed_queries([QUESTION])
        (hits,) = self.sound.search([DenseQuery(vector, 1_000)], scope)
        ids = {hit.chunk.document_id for hit in hits}
        live = self.catalog.documents.live_versions(sorted(ids), scope)
        found: dict[str, set[str]] = {}
        for hit in hits:
            document = live.get(hit.chunk.document_id)
            if document is not None and document.version == hit.chunk.version:
                word = hit.chunk.text.rstrip(".").rpartition(" ")[2]
                found.setdefault(document.uri.rpartition("/")[2], set()).add(word)
        return found

    def stored(self) -> tuple[dict[str, dict[str, int]], int]:
        """Chunks by document and version, and how many points the tenant has in all."""
        ids = [self._id(name) for name in NAMES]
        found = {id_: self.sound.versions(self.tenant, id_) for id_ in ids}
        return {k: v for k, v in found.items() if v}, self.sound.count(read_scope(self._owner))

    def catalogued(self) -> tuple[dict[str, dict[str, int]], int]:
        """The same, as the catalog has it."""
        records = self.catalog.documents.readable(read_scope(self._owner), limit=1_000)
        return {r.id: {r.version: r.chunks} for r in records}, sum(r.chunks for r in records)

    @property
    def _owner(self) -> Principal:
        return replace(local_owner(), tenant=self.tenant)

    def _id(self, name: str) -> str:
        return document_id(self.tenant, uri_of(name))

    def _is_settled(self) -> bool:
        return not (
            any(job.finished is None for job in self.catalog.jobs.recent(self.tenant, 1_000))
            or self.catalog.follow_ups.pending(self.tenant)
            or self.catalog.late_writes.awaited()
            or self.catalog.outages.current()
        )


def uri_of(name: str) -> str:
    return f"file:///{name}"


def over_engine(port: int) -> QdrantStore:
    """The engine itself, without a node before it."""
    client = QdrantClient(
        url=f"http://127.0.0.1:{port}", check_compatibility=False, trust_env=False, timeout=60
    )
    return QdrantStore(client, collection=_COLLECTION, dimension=DIMENSION)
