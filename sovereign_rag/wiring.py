"""Settings -> objects; where concrete classes meet, and the one place that knows both sides."""

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.archives import Expander
from ingest.jobs import Ingestion, IngestProgress, IngestReport
from ingest.moving import Standing
from ingest.parse.worker import ParserPool
from ingest.pipeline import Pipeline
from ingest.sources.build import NamedSource
from ingest.sync import Sync, SyncReport, SyncRequest
from ingest.sync_plan import Step
from ingest.unpacking import Unpacker
from ingest.watch import Watcher
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.sealing import Seal
from sovereign_rag.service import Service
from sovereign_rag.settings import Settings

__all__ = [
    "Application",
    "IngestProgress",
    "IngestReport",
    "Ingestion",
    "NamedSource",
    "Step",
    "Sync",
    "SyncReport",
    "SyncRequest",
    "Watcher",
    "open_service",
]


@contextmanager
def open_service(
    settings: Settings, *, embedder: Embedder | None = None
) -> Iterator["Application"]:
    """The whole product over one data folder; everything is let go of at the end.

    `embedder` is given where several data folders share the one that is loaded already.
    """
    application = Application(settings, embedder=embedder)
    try:
        yield application
    finally:
        application.close()


class Application(Service):
    """The read side, with the write side beside it."""

    def __init__(self, settings: Settings, *, embedder: Embedder | None = None) -> None:
        self._parser = ParserPool(settings.parse)
        super().__init__(settings, renderer=self._parser, embedder=embedder)
        self._close.append(self._parser.close)

    @property
    def parser(self) -> ParserPool:
        return self._parser

    @property
    def pipeline(self) -> Pipeline:
        return self._once(
            "pipeline",
            lambda: Pipeline(
                parser=self._parser,
                embedder=self.embedder,
                lexical=self.lexical,
                store=self.store,
                catalog=self.catalog,
                content=self.content,
                settings=self.settings.chunk,
                reuse_across_tenants=self.settings.ingest.reuse_across_tenants,
            ),
        )

    @property
    def ingestion(self) -> Ingestion:
        return self._once(
            "ingestion",
            lambda: Ingestion(
                catalog=self.catalog,
                content=self.content,
                audit=self.audit,
                seal=Seal(self.settings.data_dir),
                pipeline=lambda: self.pipeline,
                unpacker=self._unpacker(),
                settings=self.settings.ingest,
                workers=self.settings.parse.workers,
                max_bytes=self.settings.parse.max_file_mib << 20,
            ),
        )

    def _unpacker(self) -> Unpacker:
        most = self.settings.parse.max_file_mib << 20
        return Unpacker(
            catalog=self.catalog,
            content=self.content,
            standing=self._standing(),
            expander=Expander(self.content, self.settings.archives, max_bytes=most),
        )

    def _standing(self) -> Standing:
        return Standing(catalog=self.catalog, content=self.content, store=lambda: self.store)

    @property
    def sync(self) -> Sync:
        return self._once(
            "sync",
            lambda: Sync(
                catalog=self.catalog,
                content=self.content,
                audit=self.audit,
                standing=self._standing(),
                pipeline=lambda: self.pipeline,
                ingestion=self.ingestion,
                settings=self.settings,
            ),
        )

    @property
    def watcher(self) -> Watcher:
        return self._once(
            "watcher",
            lambda: Watcher(sync=self.sync, catalog=self.catalog, settings=self.settings),
        )
