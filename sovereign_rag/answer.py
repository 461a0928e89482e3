"""The life of a question: request -> scope -> query -> passages -> extracts -> write -> audit."""

from collections.abc import Callable, Iterator, Sequence

from sovereign_rag.access import ReadScope, read_scope
from sovereign_rag.answering.citations import LivePages, StoredTexts
from sovereign_rag.answering.corpus import CorpusDesk, DocumentList
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.energy import EnergyMeter
from sovereign_rag.answering.events import AnswerEvent, Done, Found
from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.answering.from_passages import FromPassages
from sovereign_rag.answering.made import Made, Steps, notice
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.answering.record import answer_entry, search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.answering.small_talk import small_talk
from sovereign_rag.answering.trust import TrustPolicy
from sovereign_rag.answering.understand import Understanding
from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.answering.write import AnswerWriter
from sovereign_rag.domain import Answer, AnswerKind, Passage
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import BadInput
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.retrieval.retriever import LiveDocuments, Retriever
from sovereign_rag.settings import AnswerSettings, GenerationSettings, RetrievalSettings
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages


class AnswerService:
    """Answers questions. What lives outside is given: models, store, stored text, audit."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        embedder: Embedder,
        lexical: LexicalEncoder,
        language_model: Callable[[], LanguageModel | None],
        content: StoredTexts,
        catalog: LiveDocuments,
        audit: AuditTrail,
        index_version: str,
        retrieval: RetrievalSettings,
        answer: AnswerSettings,
        generation: GenerationSettings,
        trust: TrustPolicy,
        admission: Admission,
        documents: DocumentList | None = None,
        page_check: PageCheck | None = None,
    ) -> None:
        """
        Args:
            language_model: Gives the language model, loading it when first called, or None.
            admission: Whose turn it is at the cores.
            documents: The catalog, for questions about documents; None: there are none.
            page_check: Holds quotes against their originals; None: against the stored text alone.
        """
        self._trust, self._page_check = trust, page_check
        self._content, self._catalog = content, catalog
        self._audit, self._index_version = audit, index_version
        rewriter = Rewriter(language_model=language_model, lexical=lexical, trust=trust)
        evidence = EvidenceFinder(
            embedder=embedder,
            lexical=lexical,
            dense_weight=retrieval.dense_weight,
            sentences=answer.sentences,
        )
        verifier = ClaimVerifier(embedder=embedder, lexical=lexical)
        self._from_passages = FromPassages(
            retriever=retriever,
            understanding=Understanding(retriever, rewriter, lexical, answer),
            evidence=evidence,
            writer=AnswerWriter(language_model, verifier, trust, answer, generation),
            settings=answer,
            audit=audit,
            pages=self._pages,
            admission=admission,
        )
        self._corpus = (
            CorpusDesk(catalog=documents, retriever=retriever, lexical=lexical)
            if documents
            else None
        )
        self._energy = EnergyMeter(watts_per_core=answer.watts_per_core)

    def answer(self, request: AnswerRequest) -> Answer:
        """Answer a question from what its principal may read; see `stream`."""
        for event in self.stream(request):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("an answer's stream ends with Done")

    def stream(self, request: AnswerRequest) -> Iterator[AnswerEvent]:
        """Answer step by step: Found, then Quoted and DraftToken, and Done at the end.

        Nothing is yielded that is not on the audit record. Without evidence the answer says so
        in the asker's language and cites nothing.

        Raises:
            BadInput: The question is empty.
            Busy: Too many ask at once; it tells when to come again.
            CallerLeft: `request.cancel` was set before there was an answer.
            StoreError, ModelError, AuditError, GenerationError: see `errors`.
        """
        if not request.question.strip():
            raise BadInput("The question is empty.")
        with self._trust.question():
            clock, before = Stopwatch(), self._energy.now()
            language = request.language or languages.of_question(request.question)
            scope, made = read_scope(request.principal), Made()
            for step in (self._small_talk, self._about_documents, self._from_passages.make):
                made = yield from step(request, language, scope, clock)
                if made.draft is not None:
                    break
            assert made.draft is not None
            answer = self._answer(request, language, made, made.draft, clock, before)
            self._audit.append(answer_entry(answer, request.principal))
            yield Done(answer)

    def _small_talk(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """A greeting gets a sentence of help; nothing is searched."""
        yield from ()
        talk = small_talk(request.question, (language,))
        if talk is None:
            return Made()
        spoken = request.language or talk.language
        draft = Draft(AnswerKind.TALK, text=message(f"talk_{talk.kind}", spoken))
        return Made(draft, language=spoken)

    def _about_documents(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """A question about the documents themselves is answered from the catalog."""
        if self._corpus is None:
            return Made()
        with clock("search"):
            found = self._corpus.answer(
                request.question,
                language,
                scope,
                lambda passages: self._pages(passages, scope),
                request.search_filter,
            )
        if found is None:
            return Made()
        self._audit.append(search_entry(request.question, request.principal, found.passages))
        yield Found(found.passages)
        return Made(found.draft, found.passages)

    def _answer(
        self,
        request: AnswerRequest,
        language: str,
        made: Made,
        draft: Draft,
        clock: Stopwatch,
        before: tuple[float, ...],
    ) -> Answer:
        spoken = made.language or language
        text = draft.text or " ".join(s.text for s in draft.statements)
        judged, understood = made.judged, made.understood
        return Answer(
            question=request.question,
            text=text or message("not_found", spoken),
            kind=draft.kind,
            notice=notice(draft, made, spoken),
            statements=draft.statements,
            passages=made.passages,
            language=spoken,
            model=draft.model,
            prompt_version=draft.prompt_version,
            index_version=self._index_version,
            timings_ms=clock.timings_ms(),
            usage=draft.usage,
            energy=self._energy.since(before),
            follow_up=understood.follow_up if understood else None,
            turns_dropped=understood.turns_dropped if understood else 0,
            certainty="none" if draft.kind is AnswerKind.NONE else made.certainty,
            confidence=judged.confidence if judged else 1.0,
            signals=judged.signals if judged else {},
        )

    def _pages(self, passages: Sequence[Passage], scope: ReadScope) -> LivePages:
        ids = sorted({passage.chunk.document_id for passage in passages})
        live = self._catalog.live_versions(ids, scope)
        return LivePages(
            self._content,
            {id_: (d.content_hash, d.parse_key) for id_, d in live.items()},
            self._page_check,
        )
