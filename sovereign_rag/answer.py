"""The life of a question: request -> scope -> query -> passages -> extracts -> write -> audit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from sovereign_rag.access import ReadScope, read_scope
from sovereign_rag.answering.citations import LivePages, StoredTexts
from sovereign_rag.answering.confidence import confidence, signals
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.energy import EnergyMeter
from sovereign_rag.answering.events import AnswerEvent, Done, Found, Quoted
from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.record import answer_entry, search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.answering.trust import TrustPolicy
from sovereign_rag.answering.understand import Understanding
from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.answering.write import AnswerWriter, Evidence
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import Answer, AnswerKind, Passage
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import BadInput
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import AnswerSettings, GenerationSettings, RetrievalSettings
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages


class LiveCatalog(Protocol):
    """Tells where the stored text of documents is; the catalog."""

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]: ...


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
        catalog: LiveCatalog,
        audit: AuditTrail,
        index_version: str,
        retrieval: RetrievalSettings,
        answer: AnswerSettings,
        generation: GenerationSettings,
        trust: TrustPolicy,
    ) -> None:
        """`language_model` gives the language model, loading it when first called, or None."""
        self._retriever, self._settings, self._trust = retriever, answer, trust
        self._content, self._catalog = content, catalog
        self._audit, self._index_version = audit, index_version
        rewriter = Rewriter(language_model=language_model, lexical=lexical, trust=trust)
        self._understanding = Understanding(retriever, rewriter, answer)
        self._evidence = EvidenceFinder(
            embedder=embedder,
            lexical=lexical,
            dense_weight=retrieval.dense_weight,
            sentences=answer.sentences,
        )
        verifier = ClaimVerifier(embedder=embedder, lexical=lexical)
        self._writer = AnswerWriter(language_model, verifier, trust, answer, generation)
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
            StoreError, ModelError, AuditError, Busy, GenerationError: see `errors`.
        """
        if not request.question.strip():
            raise BadInput("The question is empty.")
        with self._trust.question():
            clock, before = Stopwatch(), self._energy.now()
            language = request.language or languages.of_question(request.question)
            scope = read_scope(request.principal)
            understood = self._understanding.understand(request, language, scope, clock)
            with clock("search"):
                passages = self._retriever.context(
                    understood.query,
                    scope,
                    mode=request.mode,
                    search_filter=request.search_filter,
                    earlier=understood.cited,
                )
                pages = self._pages(passages, scope)
            self._audit.append(search_entry(request.question, request.principal, passages))
            yield Found(tuple(passages))

            with clock("evidence"):
                extracts = self._evidence.find(understood.query, passages)
            found = signals(understood.query, passages, extracts)
            sure = confidence(found)
            draft = Draft(kind=AnswerKind.NONE)
            if extracts and sure >= self._settings.min_confidence:
                statements = self._writer.quote(extracts, pages)
                yield from map(Quoted, statements)
                draft = yield from self._writer.write(
                    request,
                    Evidence(understood.query.whole, language, extracts, statements, pages),
                    clock,
                )
            answer = Answer(
                question=request.question,
                text=" ".join(s.text for s in draft.statements) or message("not_found", language),
                kind=draft.kind,
                notice=_and_dropped(draft.notice, understood.turns_dropped, language),
                statements=draft.statements,
                passages=tuple(passages),
                language=language,
                model=draft.model,
                prompt_version=draft.prompt_version,
                index_version=self._index_version,
                timings_ms=clock.timings_ms(),
                usage=draft.usage,
                energy=self._energy.since(before),
                follow_up=understood.follow_up,
                turns_dropped=understood.turns_dropped,
                confidence=sure,
                signals=found,
            )
            self._audit.append(answer_entry(answer, request.principal))
            yield Done(answer)

    def _pages(self, passages: Sequence[Passage], scope: ReadScope) -> LivePages:
        ids = sorted({passage.chunk.document_id for passage in passages})
        live = self._catalog.live_versions(ids, scope)
        return LivePages(
            self._content, {id_: (d.content_hash, d.parse_key) for id_, d in live.items()}
        )


def _and_dropped(notice: str, turns: int, language: str) -> str:
    """The notice, which also tells how many turns of the conversation were left aside."""
    if not turns:
        return notice
    return f"{notice} {message('turns_dropped', language, count=str(turns))}".strip()
