"""The read side put together: what the API, the page and the command line hold in hand.

Models and the store are opened when first needed, so a listing does not wait for a language
model. Every part may be used from several threads.
"""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sovereign_rag.answer import AnswerService
from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.operations import Operation
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.vector_cache import KeptVectors
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.indexes.all_indexes import EveryIndexStore
from sovereign_rag.indexes.open_indexes import OpenIndex, OpenIndexes
from sovereign_rag.retrieval.rerank_endpoint import OpenedReranker, open_reranker
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.services.attempts import FailedAttempts
from sovereign_rag.services.console import Console
from sovereign_rag.services.contents import DocumentContents
from sovereign_rag.services.conversations import ConversationService
from sovereign_rag.services.documents import DocumentService, PageRenderer
from sovereign_rag.services.editing import DocumentEditor
from sovereign_rag.services.embedding import EmbeddingService
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.explanation import AccessExplainer
from sovereign_rag.services.first_look import FirstLookService
from sovereign_rag.services.identities import Identities
from sovereign_rag.services.jobs import JobService
from sovereign_rag.services.keys import KeyService
from sovereign_rag.services.language_model import ModelInUse
from sovereign_rag.services.operations import DELETE, EDIT, OperationRecorder
from sovereign_rag.services.oversight import Oversight
from sovereign_rag.services.parts import part, part_of_index
from sovereign_rag.services.readiness import readiness_of
from sovereign_rag.services.remote_sources import RemoteSources
from sovereign_rag.services.rereading import Rereading
from sovereign_rag.services.running_settings import FollowsSettings, RunningSettings
from sovereign_rag.services.search import SearchService
from sovereign_rag.services.sign_in import SignInService
from sovereign_rag.services.source_desk import SourcePreviewer
from sovereign_rag.services.submission import Submission
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import anchors_of
from sovereign_rag.storage.curated_answers import CuratedAnswers
from sovereign_rag.storage.sealing import Sealer
from sovereign_rag.storage.shared_content import open_content, sealing_keys_of
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.cpu import physical_cores

if TYPE_CHECKING:
    from sovereign_rag.embedding.lexical import Bm25Encoder
    from sovereign_rag.embedding.protocol import Embedder
    from sovereign_rag.store.protocol import ChunkStore


class Service(FollowsSettings):
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
        self._renderer = renderer
        self.making = threading.RLock()
        self._close: list[Callable[[], None]] = []
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.content = open_content(settings)
        self._close.append(self.content.close)
        opened = Catalog.open(settings)
        self._close.append(opened.close)
        self.running = RunningSettings(settings, opened.setting_values)
        self.audit = AuditLog(settings.data_dir, anchors=anchors_of(settings, opened))
        self._close.append(self.audit.close)
        self.catalog = opened if index is None else opened.at(index)
        places = settings.server.concurrent or physical_cores() + 1
        self.admission = Admission(places=places, queue=settings.server.queue)
        self.indexes = OpenIndexes(
            settings,
            self.catalog,
            lexical=lambda: self.lexical.key,
            embedder=embedder,
            only=index,
            sealer=self.sealer,
        )
        self._close.append(self.indexes.close)

    def take_up_settings(self) -> None:
        with self.making:
            for made in ("conversations", "_answers_of_index"):
                vars(self).pop(made, None)
            if "model_in_use" in vars(self):
                self.model_in_use.follow()
            if "oversight" in vars(self):
                self.oversight.limiter.follow(self.settings.limits)

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
        return self.model_in_use.get()

    @part
    def model_in_use(self) -> ModelInUse:
        made = ModelInUse(lambda: self.settings, examiner=self._examiner_of)
        self._close.append(made.close)
        return made

    def _examiner_of(self, settings: Settings) -> Examiner:
        return Examiner(settings, embedder=lambda: self.embedder, lexical=self.lexical)

    @property
    def examiner(self) -> Examiner:
        return self.model_in_use.examiner

    @part
    def reranker(self) -> OpenedReranker | None:
        opened = open_reranker(self.settings)
        if opened is not None:
            self._close.append(opened.close)
        return opened

    @part_of_index
    def retriever(self, index: OpenIndex) -> Retriever:
        return self._retriever_of(index)

    @part_of_index
    def answer_embedder(self, index: OpenIndex) -> AnswerEmbedder:
        """The model of the index in use, ahead of any ingestion and with what it has made."""
        index.embedder.warm_up()  # it loads while the store is opened: a question is coming
        documents = self.catalog.at(index.record.id).documents

        def places(versions: Mapping[str, str]) -> Mapping[str, KeptVectors]:
            hashes = documents.contents(versions)
            model_id = index.embedder.model_id
            return {id_: self.content.sentences(hashes[id_], model_id) for id_ in hashes}

        return AnswerEmbedder(index.embedder, places)

    def _retriever_of(self, index: OpenIndex) -> Retriever:
        return Retriever(
            embedder=self.answer_embedder,
            lexical=self.lexical_of(index),
            store=index.store,
            live=self.catalog.at(index.record.id).documents,
            settings=self.settings.retrieval,
            reranker=self.reranker,
            words=self.console.words.of_tenant,
        )

    @part_of_index
    def searching(self, index: OpenIndex) -> SearchService:
        return SearchService(
            retriever=self._retriever_of(index),
            store=index.store,
            pending=self.catalog.follow_ups.pending,
            audit=self.audit,
            admission=self.admission,
        )

    @part_of_index
    def embeddings(self, index: OpenIndex) -> EmbeddingService:
        return EmbeddingService(embedder=index.embedder, audit=self.audit, admission=self.admission)

    @part
    def all_indexes(self) -> EveryIndexStore:
        return EveryIndexStore(self.indexes, self.catalog, lambda: self.lexical)

    @part
    def erasure(self) -> Erasure:
        known, told = self.catalog.documents, self.catalog.follow_ups
        made = Erasure(known, told, content=self.content, all_indexes=self.all_indexes)
        self._close.append(made.close)
        return made

    @part
    def documents(self) -> DocumentService:
        return DocumentService(
            catalog=self.catalog,
            content=self.content,
            erasure=self.erasure,
            renderer=self._renderer,
            audit=self.audit,
            operations=self.operations,
            submission=self.submission,
        )

    @part
    def contents(self) -> DocumentContents:
        index, labels = self.indexes.current, self.settings.labels
        return DocumentContents(
            catalog=self.catalog, content=self.content, audit=self.audit, index=index, labels=labels
        )

    @part
    def first_look(self) -> FirstLookService:
        return FirstLookService(catalog=self.catalog, audit=self.audit)

    @part
    def sealer(self) -> Sealer:
        shared = sealing_keys_of(self.content)
        return Sealer(self.settings.data_dir, self.content.vault, shared)

    @part
    def conversations(self) -> ConversationService:
        return ConversationService(
            catalog=self.catalog,
            content=self.content,
            audit=self.audit,
            sealer=self.sealer,
            keep_days=self.settings.history.keep_days,
        )

    @part
    def curated(self) -> CuratedAnswers:
        """What admins wrote for questions that are asked often."""
        return CuratedAnswers(self.catalog.curated_answers, self.sealer)

    @part
    def operations(self) -> OperationRecorder:
        def erase(operation: Operation) -> None:
            detail = operation.detail
            self.erasure.erase(operation.tenant, detail["document"], detail["sha256"])

        resume = {DELETE: erase, EDIT: lambda operation: self.editor.resume(operation)}
        return OperationRecorder(catalog=self.catalog, audit=self.audit, resume=resume)

    @part
    def editor(self) -> DocumentEditor:
        catalog, erasure = self.catalog, self.erasure
        return DocumentEditor(catalog=catalog, erasure=erasure, operations=self.operations)

    @part
    def submission(self) -> Submission:
        return Submission(catalog=self.catalog, audit=self.audit, operations=self.operations)

    @part
    def attempts(self) -> FailedAttempts:
        made = FailedAttempts(self.audit)
        self._close.append(made.sum_up)
        return made

    @part
    def identities(self) -> Identities:
        """Who people are by their directory's word, and the roles that they were granted."""
        return Identities.over(
            self.settings.identity,
            catalog=self.catalog,
            audit=self.audit,
            operations=self.operations,
        )

    @part
    def explainer(self) -> AccessExplainer:
        return AccessExplainer(catalog=self.catalog, audit=self.audit)

    @part
    def console(self) -> Console:
        return Console.over(
            settings=self.running.base,
            running=self.running,
            follow=lambda: self.follow_settings(at_once=True),
            catalog=self.catalog,
            audit=self.audit,
            readiness=self.readiness,
            language_model=self.language_model,
            examiner=lambda: self.examiner,
            operations=self.operations,
            documents=self.documents,
            editor=self.editor,
            previewer=self.source_previewer,
            remote=self.remote_sources,
            curated=self.curated,
            quotes=lambda: self.answers.quotes,
            differences=self.indexes.differences,
        )

    @part
    def remote_sources(self) -> RemoteSources:
        return RemoteSources(self.running.base, self.sealer, self.catalog.source_plans)

    def source_previewer(self) -> SourcePreviewer:
        raise EnvironmentFault("This process syncs no sources; ask a running service.")

    @part
    def sign_ins(self) -> SignInService:
        return SignInService(catalog=self.catalog, audit=self.audit, attempts=self.attempts)

    @part
    def rereading(self) -> Rereading:
        """Documents read again, as the parser of today reads them."""
        return Rereading(
            catalog=self.catalog,
            content=self.content,
            submission=self.submission,
            parser=lambda: self._renderer.key,
        )

    @part
    def oversight(self) -> Oversight:
        return Oversight(catalog=self.catalog, audit=self.audit, limits=self.settings.limits)

    @part
    def keys(self) -> KeyService:
        return KeyService(
            catalog=self.catalog,
            audit=self.audit,
            operations=self.operations,
            front_ends=self.settings.front_ends,
            beyond_own_rights=self.settings.identity.keys_beyond_own_rights,
        )

    @part
    def jobs(self) -> JobService:
        return JobService(catalog=self.catalog, audit=self.audit, operations=self.operations)

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
            labels=self.settings.labels,
            documents=self.catalog.at(index.record.id).documents,
            page_check=self.page_check,
            note=self.oversight.usage.note,
            curated=self.curated,
        )

    @part
    def page_check(self) -> PageCheck:
        return PageCheck(self.content, self._renderer)

    def readiness(self) -> dict[str, str]:
        """Each component with "ok", or what is wrong with it.

        What begins with "limited" does not keep the service from working: where the language
        model fails, answers are composed of extracts, and searches go on; where the settings want
        another index than the live one, that one is used.
        """
        return readiness_of(
            {
                "catalog": lambda: self.catalog.jobs.recent("default", limit=1),
                "store": lambda: self.store.check(),
            },
            elsewhere={"embedding": lambda: self.embedder, "reranking": lambda: self.reranker},
            language_model=self.language_model,
            indexes=self.indexes,
            data_dir=self.settings.data_dir,
        )

    def close(self) -> None:
        """Let go of everything; the last opened first."""
        with self.making:
            while self._close:
                self._close.pop()()
