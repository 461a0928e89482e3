"""The read side put together: what the API, the page and the command line hold in hand.

Models and the store are opened when first needed, so a listing does not wait for a language
model. Every part may be used from several threads.
"""

import shutil
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sovereign_rag.answer import Answering
from sovereign_rag.audit import AuditLog
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.content import ContentStore
from sovereign_rag.documents import Documents, PageRenderer
from sovereign_rag.errors import ModelMissing, SovereignError
from sovereign_rag.evidence import EvidenceFinder
from sovereign_rag.jobs import JobDesk
from sovereign_rag.prompt import system_prompts
from sovereign_rag.rerank import CrossEncoderReranker
from sovereign_rag.retrieval import Retriever
from sovereign_rag.searching import Searching
from sovereign_rag.settings import Settings
from sovereign_rag.statements import StatementChecker

if TYPE_CHECKING:
    from sovereign_rag.embedding.lexical import Bm25Encoder
    from sovereign_rag.embedding.protocol import Embedder
    from sovereign_rag.generation.protocol import Generator
    from sovereign_rag.store.protocol import ChunkStore

Part = TypeVar("Part")


class Service:
    """All parts of the read side over one data folder; close it when done."""

    def __init__(
        self, settings: Settings, *, renderer: PageRenderer, embedder: "Embedder | None" = None
    ) -> None:
        """Opens catalog, stored texts and audit log; raises EnvironmentFault where it can't."""
        self.settings = settings
        self._renderer = renderer
        self._parts: dict[str, object] = {} if embedder is None else {"embedder": embedder}
        self._making = threading.RLock()
        self._close: list[Callable[[], None]] = []
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.content = ContentStore(settings.data_dir)
        self.audit = AuditLog(settings.data_dir)
        self.catalog = Catalog.open(settings)
        self._close.append(self.catalog.close)

    def _once(self, name: str, make: Callable[[], Part]) -> Part:
        """Make a part at its first use, once, whichever threads ask."""
        with self._making:
            if name not in self._parts:
                self._parts[name] = make()
            return self._parts[name]  # type: ignore[return-value]  # stored under its own name

    @property
    def embedder(self) -> "Embedder":
        return self._once("embedder", self._open_embedder)

    def _open_embedder(self) -> "Embedder":
        from sovereign_rag.embedding.dense import DenseEmbedder

        embedder = DenseEmbedder.open(self.settings)
        self._close.append(embedder.close)
        return embedder

    @property
    def lexical(self) -> "Bm25Encoder":
        return self._once("lexical", self._make_lexical)

    def _make_lexical(self) -> "Bm25Encoder":
        from sovereign_rag.embedding.compounds import CompoundSplitter
        from sovereign_rag.embedding.lexical import Bm25Encoder

        return Bm25Encoder(compounds=CompoundSplitter(self.settings.models_dir))

    @property
    def store(self) -> "ChunkStore":
        return self._once("store", self._open_store)

    def _open_store(self) -> "ChunkStore":
        from sovereign_rag.store.connect import open_store

        store = open_store(
            self.settings, model_id=self.embedder.model_id, dimension=self.embedder.dimension
        )
        self._close.append(store.close)
        return store

    def generator(self) -> "Generator | None":
        """The language model, loading nothing but its header; None: there is none."""
        return self._once("generator", self._open_generator)

    def _open_generator(self) -> "Generator | None":
        if self.settings.generation.endpoint.urls:
            from sovereign_rag.generation.endpoint import EndpointGenerator

            endpoint = EndpointGenerator.open(self.settings.generation)
            self._close.append(endpoint.close)
            return endpoint
        from sovereign_rag.generation.llama_cpp import LlamaCppGenerator

        try:
            generator = LlamaCppGenerator.open(self.settings, public_prompts=system_prompts())
        except ModelMissing:
            if self.settings.generation.model is not None:
                raise
            return None  # no model named and no package that ships one: extracts only
        self._close.append(generator.close)
        return generator

    @property
    def retriever(self) -> Retriever:
        return self._once("retriever", self._make_retriever)

    def _make_retriever(self) -> Retriever:
        self.embedder.warm_up()  # it loads while the store is opened: a question is coming
        return Retriever(
            embedder=self.embedder,
            lexical=self.lexical,
            store=self.store,
            live=self.catalog,
            settings=self.settings.retrieval,
            reranker=CrossEncoderReranker.open(self.settings),
        )

    @property
    def searching(self) -> Searching:
        return self._once(
            "searching",
            lambda: Searching(retriever=self.retriever, store=self.store, audit=self.audit),
        )

    @property
    def documents(self) -> Documents:
        return self._once(
            "documents",
            lambda: Documents(
                catalog=self.catalog,
                content=self.content,
                store=lambda: self.store,
                renderer=self._renderer,
                audit=self.audit,
            ),
        )

    @property
    def jobs(self) -> JobDesk:
        return self._once("jobs", lambda: JobDesk(catalog=self.catalog, audit=self.audit))

    @property
    def answering(self) -> Answering:
        return self._once("answering", self._make_answering)

    def _make_answering(self) -> Answering:
        return Answering(
            retriever=self.retriever,
            evidence=EvidenceFinder(
                embedder=self.embedder,
                lexical=self.lexical,
                dense_weight=self.settings.retrieval.dense_weight,
                sentences=self.settings.answer.sentences,
            ),
            checker=StatementChecker(embedder=self.embedder, lexical=self.lexical),
            generator=self.generator,
            content=self.content,
            catalog=self.catalog,
            audit=self.audit,
            index_version=self.store.collection,
            answer=self.settings.answer,
            generation=self.settings.generation,
        )

    def readiness(self) -> dict[str, str]:
        """Each component with "ok" or what is wrong with it."""
        checks: dict[str, Callable[[], object]] = {
            "catalog": lambda: self.catalog.jobs("default", limit=1),
            "embedding": lambda: self.embedder,
            "store": lambda: self.store.flush(),
            "generation": self.generator,
        }
        report = {name: _state(check) for name, check in checks.items()}
        free_mib = shutil.disk_usage(self.settings.data_dir).free >> 20
        report["disk"] = "ok" if free_mib > 256 else f"only {free_mib} MiB are free"
        return report

    def close(self) -> None:
        """Let go of everything; the last opened first."""
        with self._making:
            while self._close:
                self._close.pop()()
            self._parts.clear()


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except SovereignError as error:
        return str(error)
    return "ok"
