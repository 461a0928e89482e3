"""The life of a question: request -> scope -> query -> passages -> extracts -> write -> audit."""

from collections.abc import Callable, Iterator, Sequence

from sovereign_rag.access import Principal, ReadScope, read_scope
from sovereign_rag.answering.citations import LivePages, StoredTexts
from sovereign_rag.answering.compose import Composer
from sovereign_rag.answering.corpus import CorpusDesk, DocumentList
from sovereign_rag.answering.curated import (
    FromTheHouse,
    HouseAnswers,
    QuoteFinder,
    Wordings,
    bound_of,
)
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.energy import EnergyMeter
from sovereign_rag.answering.events import AnswerEvent, Done
from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.answering.from_catalog import FromTheCatalog
from sovereign_rag.answering.from_passages import FromPassages
from sovereign_rag.answering.made import Made, Step, notice
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.model_limits import ModelLimits, high_water
from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.answering.record import answer_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.answering.talk import answer_small_talk
from sovereign_rag.answering.trust import TrustPolicy
from sovereign_rag.answering.understand import Understanding
from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.answering.write import AnswerWriter
from sovereign_rag.domain import Answer, AnswerKind, Passage
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.errors import BadInput
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.retrieval.retriever import LiveDocuments, Retriever
from sovereign_rag.settings import (
    AnswerSettings,
    GenerationSettings,
    LabelSettings,
    RetrievalSettings,
)
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch


class AnswerService:
    """Answers questions. What lives outside is given: models, store, stored text, audit."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        embedder: AnswerEmbedder,
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
        labels: LabelSettings,
        documents: DocumentList | None = None,
        page_check: PageCheck | None = None,
        note: Callable[[Answer, Principal], None] | None = None,
        curated: HouseAnswers | None = None,
    ) -> None:
        """
        Args:
            language_model: Gives the language model, loading it when first called, or None.
            admission: Whose turn it is at the cores.
            labels: Which levels the model may see.
            documents: The catalog, for questions about documents; None: there are none.
            page_check: Holds quotes against their originals; None: against the stored text alone.
            note: Counts an answer that is on the record.
            curated: The answers that the house keeps; None: it keeps none.
        """
        self._trust, self._page_check, self._settings = trust, page_check, answer
        self._content, self._catalog = content, catalog
        self._audit, self._note, self._index_version = audit, note, index_version
        self._models = retriever.models
        limits = ModelLimits(labels, generation)
        rewriter = Rewriter(language_model, lexical, trust, limits)
        verifier = ClaimVerifier(embedder=embedder, lexical=lexical)
        writer = AnswerWriter(language_model, verifier, trust, answer, generation, limits)
        self._understanding = Understanding(retriever, rewriter, lexical, answer)
        self.quotes = QuoteFinder(retriever, self._pages)
        self._steps: list[Step] = [answer_small_talk]
        if curated is not None:
            house = FromTheHouse(
                answers=curated,
                wordings=Wordings(embedder, bound_of(embedder.model_id, answer.curated_likeness)),
                quotes=self.quotes,
                live=catalog,
                lexical=lexical,
                audit=audit,
                admission=admission,
            )
            self._steps.append(house.make)
        if documents is not None:
            desk = CorpusDesk(catalog=documents, retriever=retriever, lexical=lexical)
            self._steps.append(FromTheCatalog(desk, audit, self._pages, admission).make)
        from_passages = FromPassages(
            retriever=retriever,
            understanding=self._understanding,
            evidence=EvidenceFinder(
                embedder=embedder,
                lexical=lexical,
                dense_weight=retrieval.dense_weight,
                sentences=answer.sentences,
            ),
            composer=Composer(writer, answer),
            audit=audit,
            pages=self._pages,
            admission=admission,
        )
        self._steps.append(from_passages.make)
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
            scope, made = read_scope(request.principal), Made()
            language = request.language or self._understanding.language(request, scope)
            for step in self._steps:
                made = yield from step(request, language, scope, clock)
                if made.draft is not None:
                    break
            assert made.draft is not None
            answer = self._answer(request, language, made, made.draft, clock, before)
            self._audit.append(answer_entry(answer, request.principal))
            if self._note is not None:
                self._note(answer, request.principal)
            yield Done(answer)

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
            models=(
                *(self._models if made.understood or made.passages else ()),
                *([_passport(draft.model)] if draft.model else ()),
            ),
            prompt_version=draft.prompt_version,
            index_version=self._index_version,
            timings_ms=clock.timings_ms(),
            usage=draft.usage,
            energy=self._energy.since(before),
            follow_up=understood.follow_up if understood else None,
            turns_dropped=understood.turns_dropped if understood else 0,
            other_versions=made.other_versions if draft.kind is not AnswerKind.NONE else (),
            certainty="none" if draft.kind is AnswerKind.NONE else made.certainty,
            confidence=judged.confidence if judged else 1.0,
            signals=judged.signals if judged else {},
            house=draft.house,
            level=high_water(made.passages, request.history),
        )

    def _pages(self, passages: Sequence[Passage], scope: ReadScope) -> LivePages:
        ids = sorted({passage.chunk.document_id for passage in passages})
        live = self._catalog.live_versions(ids, scope).items()
        texts = {id_: (d.content_hash, d.parse_key) for id_, d in live}
        least = self._settings.min_scan_confidence
        return LivePages(self._content, texts, self._page_check, least_confidence=least)


def _passport(model: str) -> str:
    """A model's id as `models list` has it, without what its weights were copied into."""
    name, _, version = model.rpartition("@")
    return f"{name}@{version.partition('+')[0]}"
