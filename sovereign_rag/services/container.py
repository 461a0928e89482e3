"""The read side put together: what the API, the page and the command line hold in hand.

Models and the store are opened when first needed, so a listing does not wait for a language
model. Every part may be used from several threads.
"""

import shutil
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sovereign_rag.answer import AnswerService
from sovereign_rag.answering.prompt import system_prompts
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import ModelMissing, SovereignError
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.protocol import LanguageModel, Watched
from sovereign_rag.indexes.all_indexes import EveryIndexStore, OpenIndex, OpenIndexes
from sovereign_rag.retrieval.rerank import CrossEncoderReranker
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.services.documents import DocumentService, PageRenderer
from sovereign_rag.services.jobs import JobService
from sovereign_rag.services.search import SearchService
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.content import ContentStore

if TYPE_CHECKING:
    from sovereign_rag.embedding.lexical import Bm25Encoder
    from sovereign_rag.embedding.protocol import Embedder
    from sovereign_rag.store.protocol import ChunkStore

_Part = TypeVar("_Part")


class Service:
    """All parts of the read side over one data folder; close it when done."""

    def __init__(
        self,
        settings: Settings,
        *,
        renderer: PageRenderer,
        embedder: "Embedder | None" = None,
        index: int | None = None,
    ) -> None:
        """Opens catalog, stored texts and audit log; raises EnvironmentFault where it can't.

        `index` is the one to ask, whichever is live; None: the live one at each time.
        """
        self.settings = settings
        self._renderer = renderer
        self._parts: dict[str, object] = {}
        self._of: dict[str, tuple[int, object]] = {}  # parts of the index in use, with its number
        self._making = threading.RLock()
        self._close: list[Callable[[], None]] = []
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.content = ContentStore(settings.data_dir)
        self.audit = AuditLog(settings.data_dir)
        opened = Catalog.open(settings)
        self._close.append(opened.close)
        self.catalog = opened if index is None else opened.at(index)
        self.indexes = OpenIndexes(
            settings, self.catalog, lexical=lambda: self.lexical.key, embedder=embedder, only=index
        )
        self._close.append(self.indexes.close)

    def _once(self, name: str, make: Callable[[], _Part]) -> _Part:
        """Make a part at its first use, once, whichever threads ask."""
        with self._making:
            if name not in self._parts:
                self._parts[name] = make()
            return self._parts[name]  # type: ignore[return-value]  # stored under its own name

    def _of_index(self, name: str, make: "Callable[[OpenIndex], _Part]") -> _Part:
        """A part that belongs to the index in use: a request that took it keeps to that index."""
        index = self.indexes.current()
        with self._making:
            known = self._of.get(name)
            if known is None or known[0] != index.record.id:
                known = self._of[name] = (index.record.id, make(index))
            return known[1]  # type: ignore[return-value]  # stored under its own name

    @property
    def embedder(self) -> "Embedder":
        """The model of the index in use."""
        return self.indexes.current().embedder

    @property
    def store(self) -> "ChunkStore":
        """The chunks of the index in use."""
        return self.indexes.current().store

    @property
    def lexical(self) -> "Bm25Encoder":
        return self._once("lexical", self._make_lexical)

    def _make_lexical(self) -> "Bm25Encoder":
        from sovereign_rag.embedding.compounds import CompoundSplitter
        from sovereign_rag.embedding.lexical import Bm25Encoder

        return Bm25Encoder(compounds=CompoundSplitter(self.settings.models_dir))

    def language_model(self) -> LanguageModel | None:
        """The language model, loading nothing but its header; None: there is none."""
        return self._once("generator", self._open_generator)

    def _open_generator(self) -> LanguageModel | None:
        if self.settings.generation.endpoint.urls:
            from sovereign_rag.generation.endpoint import EndpointModel

            endpoint = EndpointModel.open(self.settings.generation)
            self._close.append(endpoint.close)
            return endpoint
        from sovereign_rag.generation.llama_cpp import LlamaCppModel

        try:
            language_model = LlamaCppModel.open(self.settings, public_prompts=system_prompts())
        except ModelMissing:
            if self.settings.generation.model is not None:
                raise
            return None  # no model named and no package that ships one: extracts only
        self._close.append(language_model.close)
        return language_model

    @property
    def reranker(self) -> "CrossEncoderReranker | None":
        return self._once("reranker", lambda: CrossEncoderReranker.open(self.settings))

    @property
    def retriever(self) -> Retriever:
        return self._of_index("retriever", self._make_retriever)

    def _make_retriever(self, index: OpenIndex) -> Retriever:
        index.embedder.warm_up()  # it loads while the store is opened: a question is coming
        return Retriever(
            embedder=index.embedder,
            lexical=self.lexical,
            store=index.store,
            live=self.catalog.at(index.record.id).documents,
            settings=self.settings.retrieval,
            reranker=self.reranker,
        )

    @property
    def searching(self) -> SearchService:
        return self._of_index(
            "searching",
            lambda index: SearchService(
                retriever=self._make_retriever(index), store=index.store, audit=self.audit
            ),
        )

    @property
    def everywhere(self) -> EveryIndexStore:
        """The chunks of documents in every index that there is."""
        return self._once("everywhere", lambda: EveryIndexStore(self.indexes, self.catalog))

    @property
    def documents(self) -> DocumentService:
        return self._once(
            "documents",
            lambda: DocumentService(
                catalog=self.catalog,
                content=self.content,
                store=lambda: self.everywhere,
                renderer=self._renderer,
                audit=self.audit,
            ),
        )

    @property
    def jobs(self) -> JobService:
        return self._once("jobs", lambda: JobService(catalog=self.catalog, audit=self.audit))

    @property
    def answers(self) -> AnswerService:
        return self._of_index("answers", self._make_answering)

    def _make_answering(self, index: OpenIndex) -> AnswerService:
        return AnswerService(
            retriever=self._make_retriever(index),
            embedder=index.embedder,
            lexical=self.lexical,
            language_model=self.language_model,
            content=self.content,
            catalog=self.catalog.at(index.record.id).documents,
            audit=self.audit,
            index_version=index.store.collection,
            retrieval=self.settings.retrieval,
            answer=self.settings.answer,
            generation=self.settings.generation,
            trust=self.examiner,
            documents=self.catalog.at(index.record.id).documents,
        )

    @property
    def examiner(self) -> Examiner:
        """Says whether the language model is trusted."""
        return self._once("examiner", self._make_examiner)

    def _make_examiner(self) -> Examiner:
        made = Examiner(self.settings, embedder=lambda: self.embedder, lexical=self.lexical)
        self._close.append(made.close)
        return made

    def readiness(self) -> dict[str, str]:
        """Each component with "ok", or what is wrong with it.

        What begins with "limited" does not keep the service from working: where the language
        model fails, answers are composed of extracts, and searches go on; where the settings want
        another index than the live one, that one is used.
        """
        checks: dict[str, Callable[[], object]] = {
            "catalog": lambda: self.catalog.jobs.recent("default", limit=1),
            "embedding": lambda: self.embedder,
            "store": lambda: self.store.flush(),
            "generation": self.language_model,
        }
        report = {name: _state(check) for name, check in checks.items()}
        if report["generation"] == "ok":
            language_model = self.language_model()
            trouble = language_model.trouble() if isinstance(language_model, Watched) else None
            report["generation"] = f"limited: {trouble}" if trouble else "ok"
        report["index"] = self._index_state()
        free_mib = shutil.disk_usage(self.settings.data_dir).free >> 20
        report["disk"] = "ok" if free_mib > 256 else f"only {free_mib} MiB are free"
        return report

    def _index_state(self) -> str:
        try:
            if self.indexes.trouble is not None:
                return self.indexes.trouble
            if self.indexes.differences():
                return "limited: the settings want another one; run `sovereign-rag reindex`"
        except SovereignError as error:  # the wanted model is not here; the one in use may be
            return f"limited: {error}"
        return "ok"

    def close(self) -> None:
        """Let go of everything; the last opened first."""
        with self._making:
            while self._close:
                self._close.pop()()
            self._parts.clear()
            self._of.clear()


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except SovereignError as error:
        return str(error)
    return "ok"
