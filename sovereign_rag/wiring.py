"""Settings -> objects; where concrete classes meet, and the one place that knows both sides."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ingest.index.lifecycle import DocumentLifecycle
from ingest.jobs.archives import Expander
from ingest.jobs.ingestion import Ingestion, IngestProgress, IngestReport
from ingest.jobs.unpack import Unpacker
from ingest.leases.heartbeat import LeaseHeartbeat
from ingest.parse.process.pool import ParserPool
from ingest.pipeline import Pipeline
from ingest.reindex.build import BuildProgress, Built, Reindexing
from ingest.reindex.plan import ReindexEstimate, estimate
from ingest.reindex.work import index_work
from ingest.sources.beside import WrongFile, said_beside
from ingest.sources.build import NamedSource
from ingest.sources.folder import find_files
from ingest.sync.plan import Step
from ingest.sync.preview import SyncPreviewer
from ingest.sync.sync import Sync, SyncReport, SyncRequest
from ingest.sync.watch import Watcher
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.indexes.open_indexes import OpenIndex
from sovereign_rag.models.recognition import RecognitionGuard
from sovereign_rag.services.container import Service
from sovereign_rag.services.maintenance import Handler, MaintenanceWork
from sovereign_rag.services.model_work import model_work
from sovereign_rag.services.parts import part
from sovereign_rag.services.stated import read_stated
from sovereign_rag.settings import Settings
from sovereign_rag.storage.password_box import Seal
from sovereign_rag.store.protocol import ChunkStore

__all__ = [
    "Application",
    "BuildProgress",
    "Built",
    "IngestProgress",
    "IngestReport",
    "Ingestion",
    "LeaseHeartbeat",
    "NamedSource",
    "ReindexEstimate",
    "Step",
    "Sync",
    "SyncReport",
    "SyncRequest",
    "Watcher",
    "WrongFile",
    "find_files",
    "open_service",
    "said_beside",
]


@contextmanager
def open_service(
    settings: Settings, *, embedder: Embedder | None = None, index: int | None = None
) -> Iterator["Application"]:
    """The whole product over one data folder; everything is let go of at the end.

    `embedder` is given where several data folders share the one that is loaded already, `index`
    where another one than the live one is to be asked.
    """
    application = Application(settings, embedder=embedder, index=index)
    try:
        yield application
    finally:
        application.close()


class Application(Service):
    """The read side, with the write side beside it."""

    def __init__(
        self, settings: Settings, *, embedder: Embedder | None = None, index: int | None = None
    ) -> None:
        self._parser = ParserPool(
            settings.parse,
            scratch_dir=settings.parse.scratch_dir,
            data_dir=settings.data_dir,
            recognition_refused=RecognitionGuard(settings).refusal,
        )
        self._pipelines: dict[int, Pipeline] = {}  # by index
        super().__init__(settings, renderer=self._parser, embedder=embedder, index=index)
        self._close.append(self._parser.close)

    @property
    def parser(self) -> ParserPool:
        return self._parser

    @property
    def pipeline(self) -> Pipeline:
        """Into the index that is live at this moment."""
        return self.pipeline_of(self.indexes.newest())

    def pipeline_of(self, index: OpenIndex) -> Pipeline:
        """Into one index, made as that is made; settings that are wanted since are another's."""
        with self.making:
            if index.record.id not in self._pipelines:
                self._pipelines[index.record.id] = Pipeline(
                    parser=self._parser,
                    embedder=index.embedder,
                    lexical=self.lexical_of(index),
                    store=index.store,
                    all_indexes=self.all_indexes,
                    documents=self.catalog.at(index.record.id).documents,
                    erasure=self.erasure,
                    content=self.content,
                    settings=index.spec.chunking,
                    reuse_across_tenants=self.settings.ingest.reuse_across_tenants,
                )
            return self._pipelines[index.record.id]

    @part
    def reindexing(self) -> Reindexing:
        return Reindexing(
            catalog=self.catalog,
            content=self.content,
            audit=self.audit,
            indexes=self.indexes,
            pipeline=self.pipeline_of,
            free=lambda: shutil.disk_usage(self.settings.data_dir).free,
            settings=self.settings,
        )

    def maintenance(self, **more: Handler) -> MaintenanceWork:
        """Does what admins asked for on the console; `more` kinds are another layer's."""
        indexes = index_work(lambda: self.reindexing, self.catalog, self.indexes.wanted)
        handlers = {**model_work(lambda: self.settings), **indexes, **more}
        return MaintenanceWork(catalog=self.catalog, operations=self.operations, handlers=handlers)

    def estimate(self, wanted: IndexSpec, begun: IndexRecord | None) -> ReindexEstimate:
        """What is still to be done for an index, and what it takes; see `reindex_plan`."""
        return estimate(
            wanted,
            begun,
            catalog=self.catalog,
            content=self.content,
            embedder=self.indexes.embedder_of(wanted),
            data_dir=self.settings.data_dir,
        )

    @part
    def ingestion(self) -> Ingestion:
        return Ingestion(
            catalog=self.catalog,
            content=self.content,
            submission=self.submission,
            operations=self.operations,
            erasure=self.erasure,
            seal=Seal(self.sealer),
            pipeline=lambda: self.pipeline,
            unpacker=self._unpacker(),
            store_check=lambda: self.indexes.store(self.catalog.indexes.live()).check(writes=True),
            read_beside=partial(read_stated, kinds=self.settings.metadata.fields),
            settings=self.settings.ingest,
            workers=self.settings.parse.workers,
            max_bytes=self.settings.parse.max_file_mib << 20,
        )

    def _unpacker(self) -> Unpacker:
        most = self.settings.parse.max_file_mib << 20
        return Unpacker(
            catalog=self.catalog,
            content=self.content,
            audit=self.audit,
            erasure=self.erasure,
            expander=Expander(self.content, self._parser, self.settings.archives, max_bytes=most),
        )

    def _lifecycle(self) -> DocumentLifecycle:
        def live() -> tuple[Documents, ChunkStore]:
            record = self.catalog.indexes.live()
            return self.catalog.at(record.id).documents, self.indexes.store(record)

        return DocumentLifecycle(live=live, erasure=self.erasure)

    @part
    def sync(self) -> Sync:
        return Sync(
            catalog=self.catalog,
            content=self.content,
            audit=self.audit,
            operations=self.operations,
            lifecycle=self._lifecycle(),
            erasure=self.erasure,
            pipeline=lambda: self.pipeline,
            ingestion=self.ingestion,
            settings=self.settings,
            remote=self.remote_sources,
        )

    def source_previewer(self) -> SyncPreviewer:
        return SyncPreviewer(self.sync)

    @part
    def watcher(self) -> Watcher:
        return Watcher(sync=self.sync, catalog=self.catalog, settings=self.settings)
