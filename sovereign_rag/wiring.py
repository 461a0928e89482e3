"""Settings -> objects; where concrete classes meet, and the one place that knows both sides."""

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.jobs import Ingestion, IngestProgress, IngestReport
from ingest.parse.worker import ParserPool
from ingest.pipeline import Pipeline
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.service import Service
from sovereign_rag.settings import Settings

__all__ = ["Application", "IngestProgress", "IngestReport", "Ingestion", "open_service"]


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
                pipeline=lambda: self.pipeline,
                settings=self.settings.ingest,
                workers=self.settings.parse.workers,
                max_bytes=self.settings.parse.max_file_mib << 20,
            ),
        )
