"""The read side put together: what the API, the page and the command line hold in hand.

Models and the store are opened when first needed, so a listing does not wait for a language
model. Every part may be used from several threads.
"""

import shutil
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sovereign_rag.answer import AnswerService
from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.answering.prompt import system_prompts
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.errors import ModelMissing, SovereignError
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.opening import open_language_model
from sovereign_rag.generation.protocol import LanguageModel, Watched
from sovereign_rag.indexes.all_indexes import EveryIndexStore
from sovereign_rag.indexes.open_indexes import OpenIndex, OpenIndexes
from sovereign_rag.retrieval.rerank import CrossEncoderReranker
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.services.documents import DocumentService, PageRenderer
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.jobs import JobService
from sovereign_rag.services.parts import part, part_of_index
from sovereign_rag.services.search import SearchService
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import anchors_of
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.cpu import physical_cores

if TYPE_CHECKING:
    from sovereign_rag.embedding.lexical import Bm25Encoder
    from sovereign_rag.embedding.protocol import Embedder
    from sovereign_rag.store.protocol import ChunkStore


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
        self.making = threading.RLock()
        self._close: list[Callable[[], None]] = []
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.content = ContentStore(settings.data_dir)
        opened = Catalog.open(settings)
        self._close.append(opened.close)
        self.audit = AuditLog(settings.data_dir, anchors=anchors_of(settings, opened))
        self._close.append(self.audit.close)
        self.catalog = opened if index is None else opened.at(index)
        server = settings.server
        self.admission = Admission(
            places=server.concurrent or physical_cores() + 1, queue=server.queue
        )
        self.indexes = OpenIndexes(
            settings, self.catalog, lexical=lambda: self.lexical.key, embedder=embedder, only=index
        )
        self._close.append(self.indexes.close)

    @property
    def embedder(self) -> "Embedder":
        """The model of the index in use."""
        return self.indexes.current().embedder

    @property
    def store(self) -> "ChunkStore":
        """The chunks of the index in use."""
        return self.indexes.current().store

    @part
    def lexical(self) -> "Bm25Encoder":
        from sovereign_rag.embedding.lexical import Bm25Encoder

        return Bm25Encoder.open(self.settings)

    def lexical_of(self, index: OpenIndex) -> "Bm25Encoder":
        """The encoder of an index: its terms are those of when it was made."""
        return self.lexical.as_made(index.spec.lexical)

    def language_model(self) -> LanguageModel | None:
        """The language model, loading nothing but its header; None: there is none."""
        return self._language_model

    @part
    def _language_model(self) -> LanguageModel | None:
        try:
            opened = open_language_model(self.settings, public_prompts=system_prompts())
        except ModelMissing:
            if self.settings.generation.model is not None:
                raise
            return None  # no model named and no package that ships one: extracts only
        self._close.append(opened.close)
        return opened

    @part
    def reranker(self) -> CrossEncoderReranker | None:
        return CrossEncoderReranker.open(self.settings)

    @part_of_index
    def retriever(self, index: OpenIndex) -> Retriever:
        return self._retriever_of(index)

    @part_of_index
    def answer_embedder(self, index: OpenIndex) -> AnswerEmbedder:
        """The model of the index in use, ahead of any ingestion and with what it has made."""
        index.embedder.warm_up()  # it loads while the store is opened: a question is coming
        return AnswerEmbedder(index.embedder)

    def _retriever_of(self, index: OpenIndex) -> Retriever:
        return Retriever(
            embedder=self.answer_embedder,
            lexical=self.lexical_of(index),
            store=index.store,
            live=self.catalog.at(index.record.id).documents,
            settings=self.settings.retrieval,
            reranker=self.reranker,
        )

    @part_of_index
    def searching(self, index: OpenIndex) -> SearchService:
        return SearchService(
            retriever=self._retriever_of(index),
            store=index.store,
            audit=self.audit,
            admission=self.admission,
        )

    @part
    def all_indexes(self) -> EveryIndexStore:
        """The chunks of documents in every index that there is."""
        return EveryIndexStore(self.indexes, self.catalog)

    @part
    def erasure(self) -> Erasure:
        return Erasure(
            documents=self.catalog.documents, content=self.content, all_indexes=self.all_indexes
        )

    @part
    def documents(self) -> DocumentService:
        return DocumentService(
            catalog=self.catalog,
            content=self.content,
            erasure=self.erasure,
            renderer=self._renderer,
            audit=self.audit,
        )

    @part
    def jobs(self) -> JobService:
        return JobService(catalog=self.catalog, audit=self.audit)

    @part_of_index
    def answers(self, index: OpenIndex) -> AnswerService:
        return AnswerService(
            retriever=self._retriever_of(index),
            embedder=self.answer_embedder,
            lexical=self.lexical_of(index),
            language_model=self.language_model,
            content=self.content,
            catalog=self.catalog.at(index.record.id).documents,
            audit=self.audit,
            index_version=index.store.collection,
            retrieval=self.settings.retrieval,
            answer=self.settings.answer,
            generation=self.settings.generation,
            trust=self.examiner,
            admission=self.admission,
            documents=self.catalog.at(index.record.id).documents,
            page_check=self.page_check,
        )

    @part
    def page_check(self) -> PageCheck:
        """Holds quotes against the originals that they are from."""
        return PageCheck(self.content, self._renderer)

    @part
    def examiner(self) -> Examiner:
        """Says whether the language model is trusted."""
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
        with self.making:
            while self._close:
                self._close.pop()()


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except SovereignError as error:
        return str(error)
    return "ok"
