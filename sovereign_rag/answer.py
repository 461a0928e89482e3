"""The life of a question: principal -> scope -> search -> evidence -> generation -> verified
citations -> audit -> answer.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sovereign_rag.access import Principal, ReadScope, read_scope
from sovereign_rag.answering.citations import LivePages, StoredPages, StoredTexts, quoted
from sovereign_rag.answering.confidence import confidence, signals
from sovereign_rag.answering.draft import (
    Draft,
    Kind,
    distinct,
    extracts_notice,
    generated,
    withheld,
)
from sovereign_rag.answering.energy import EnergyMeter
from sovereign_rag.answering.extracts import EvidenceFinder, Extract
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.prompt import build_prompt
from sovereign_rag.answering.rewrite import Rewriter
from sovereign_rag.answering.sanitize import PlainStream
from sovereign_rag.answering.trust import TrustPolicy
from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import Answer, AnswerKind, FollowUp, Passage, Statement
from sovereign_rag.errors import BadInput, GenerationError
from sovereign_rag.generation.protocol import Delta, LanguageModel
from sovereign_rag.retrieval.conversation import Turn, newest
from sovereign_rag.retrieval.retriever import Retriever, SearchMode
from sovereign_rag.settings import AnswerSettings, GenerationSettings
from sovereign_rag.storage.audit import AuditTrail, disclosed, entry
from sovereign_rag.store.protocol import NO_FILTER, SearchFilter
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages

log = logging.getLogger(__name__)


class LiveCatalog(Protocol):
    """Tells where the stored text of documents is; the catalog."""

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The search is done; what it found is on record."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A verified quote, sent before a model has said its first word."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class DraftToken:
    """A piece of the model's draft; not checked yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The checked answer; the last event."""

    answer: Answer


AnswerEvent = Found | Quoted | DraftToken | Done


class AnswerService:
    """Answers questions. What lives outside is given: models, store, stored text, audit."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        rewriter: Rewriter,
        evidence: EvidenceFinder,
        checker: ClaimVerifier,
        language_model: Callable[[], LanguageModel | None],
        content: StoredTexts,
        catalog: LiveCatalog,
        audit: AuditTrail,
        index_version: str,
        answer: AnswerSettings,
        generation: GenerationSettings,
        trust: TrustPolicy,
    ) -> None:
        """`language_model` gives the language model, loading it when first called, or None."""
        self._retriever, self._rewriter = retriever, rewriter
        self._evidence, self._checker = evidence, checker
        self._generator, self._content, self._catalog = language_model, content, catalog
        self._audit, self._index_version = audit, index_version
        self._settings, self._generation, self._trust = answer, generation, trust
        self._energy = EnergyMeter(watts_per_core=answer.watts_per_core)

    def answer(
        self,
        question: str,
        principal: Principal,
        *,
        language: str | None = None,
        kind: Kind | None = None,
        mode: SearchMode | None = None,
        search_filter: SearchFilter = NO_FILTER,
        history: Sequence[Turn] = (),
        cancel: threading.Event | None = None,
    ) -> Answer:
        """Answer `question` from what `principal` may read; see `stream`."""
        for event in self.stream(
            question,
            principal,
            language=language,
            kind=kind,
            mode=mode,
            search_filter=search_filter,
            history=history,
            cancel=cancel,
        ):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("an answer's stream ends with Done")

    def stream(
        self,
        question: str,
        principal: Principal,
        *,
        language: str | None = None,
        kind: Kind | None = None,
        mode: SearchMode | None = None,
        search_filter: SearchFilter = NO_FILTER,
        history: Sequence[Turn] = (),
        cancel: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer `question` step by step: Found, then Quoted and Token, and Done at the end.

        Nothing is yielded that is not on the audit record. Without evidence the answer says so
        in the asker's language and cites nothing.

        Args:
            language: Of the answer, ISO 639-1; None: the question's.
            kind: Composed of extracts or written by the model; None: as the settings say.
            mode: Which legs search; None: as the settings say.
            narrowing: Leaves out some of what the principal may read; adds nothing.
            history: What was asked before, oldest first; for a question that leans on it. Where it
                is too long the oldest turns are dropped, and the answer says so.
            cancel: Set it to stop the model's writing; the answer is made of what is there.

        Raises:
            BadInput: The question is empty.
            StoreError, ModelError, AuditError, Busy, GenerationError: see `errors`.
        """
        if not question.strip():
            raise BadInput("The question is empty.")
        with self._trust.question():
            clock, before = Stopwatch(), self._energy.now()
            language = language or languages.of_question(question)
            scope = read_scope(principal)
            history, dropped = newest(history)
            with clock("follow_up"):
                follow_up = (
                    self._rewriter.rewrite(question, language, history, principal, cancel=cancel)
                    if self._settings.follow_up == "auto" and kind != "extracts"
                    else None
                )
            with clock("search"):
                if follow_up is None:
                    query = self._retriever.query(question, language, scope, history=history)
                    follow_up = FollowUp(query.whole, "rules") if query.subject else None
                else:
                    query = self._retriever.query(follow_up.question, language, scope)
                # What was cited last comes first: "the second point" is a point of the last answer.
                cited = (
                    [id_ for turn in reversed(history) for id_ in turn.cited] if follow_up else ()
                )
                passages = self._retriever.context(
                    query, scope, mode=mode, search_filter=search_filter, earlier=cited
                )
                pages = self._pages(passages, scope)
            self._record("answer.search", principal, question, passages)
            yield Found(tuple(passages))

            with clock("evidence"):
                extracts = self._evidence.find(query, passages)
            found = signals(query, passages, extracts)
            sure = confidence(found)
            draft = Draft(kind=AnswerKind.NONE)
            if extracts and sure >= self._settings.min_confidence:
                statements = self._quote(extracts, pages)
                for statement in statements:
                    yield Quoted(statement)
                draft = yield from self._compose(
                    query.whole,
                    language,
                    kind,
                    extracts,
                    statements,
                    pages,
                    principal,
                    cancel,
                    clock,
                )
            answer = Answer(
                question=question,
                text=" ".join(s.text for s in draft.statements) or message("not_found", language),
                kind=draft.kind,
                notice=_and_dropped(draft.notice, dropped, language),
                statements=draft.statements,
                passages=tuple(passages),
                language=language,
                model=draft.model,
                prompt_version=draft.prompt_version,
                index_version=self._index_version,
                timings_ms=clock.timings_ms(),
                usage=draft.usage,
                energy=self._energy.since(before),
                follow_up=follow_up,
                turns_dropped=dropped,
                confidence=sure,
                signals=found,
            )
            self._record("answer", principal, question, passages, answer)
            yield Done(answer)

    def _quote(self, extracts: Sequence[Extract], pages: StoredPages) -> tuple[Statement, ...]:
        """The best extracts as statements: the best one, and others nearly as good."""
        chosen = [
            extract
            for extract in distinct(extracts)
            if extract.score >= extracts[0].score - EXTRACT_MARGIN
        ]
        return tuple(quoted(extract, pages) for extract in chosen[: self._settings.max_extracts])

    def _compose(
        self,
        question: str,
        language: str,
        kind: Kind | None,
        extracts: Sequence[Extract],
        statements: tuple[Statement, ...],
        pages: StoredPages,
        principal: Principal,
        cancel: threading.Event | None,
        clock: Stopwatch,
    ) -> Generator[AnswerEvent, None, Draft]:
        """The extracts themselves, or what the model writes from them."""
        kind = kind or self._settings.kind
        language_model = None if kind == "extracts" else self._generator()
        trust = None if language_model is None else self._trust.judge(language_model, language)
        if language_model is None or trust is None or (kind == "auto" and not trust.trusted):
            notice = extracts_notice(kind, language_model, trust, language)
            return Draft(kind=AnswerKind.EXTRACTS, notice=notice, statements=statements)

        with clock("prompt"):
            best = list(distinct(extracts))[:EXTRACTS_FOR_THE_MODEL]
            prompt = build_prompt(
                question, language, best, language_model, max_tokens=self._generation.max_tokens
            )
        last = Delta("")
        words, text = PlainStream(), ""
        try:
            with clock("generation"):
                for last in language_model.stream(
                    prompt.messages,
                    tenant=principal.tenant,
                    person=principal.user,
                    max_tokens=self._generation.max_tokens,
                    cancel=cancel,
                ):
                    shown = words.feed(last.text) + (words.close() if last.finish else "")
                    text += shown
                    if shown and not self._withholds:
                        yield DraftToken(shown)
        except GenerationError as error:
            if kind != "auto":
                raise
            log.warning("Answered with extracts, for the language model failed: %s", error)
            notice = message("extracts_model_failed", language, model=language_model.info.name)
            return Draft(kind=AnswerKind.EXTRACTS, notice=notice, statements=statements)
        with clock("check"):
            checked = self._checker.check(text.strip(), language, prompt.passages, pages)
        draft = generated(text, checked, prompt, language_model, last, language, trust=trust)
        supported = tuple(statement for statement in draft.statements if statement.supported)
        if draft.kind is AnswerKind.GENERATED and not supported and kind == "auto":
            # Nothing that it wrote stands in the documents; what does stand there is better.
            notice = message("extracts_no_support", language, model=language_model.info.name)
            return replace(draft, kind=AnswerKind.EXTRACTS, notice=notice, statements=statements)
        if self._withholds:
            return withheld(draft, supported, language)
        return draft

    @property
    def _withholds(self) -> bool:
        return self._settings.unsupported == "withheld"

    def _pages(self, passages: Sequence[Passage], scope: ReadScope) -> LivePages:
        ids = sorted({passage.chunk.document_id for passage in passages})
        live = self._catalog.live_versions(ids, scope)
        return LivePages(
            self._content, {id_: (d.content_hash, d.parse_key) for id_, d in live.items()}
        )

    def _record(
        self,
        action: str,
        principal: Principal,
        question: str,
        passages: Sequence[Passage],
        answer: Answer | None = None,
    ) -> None:
        detail: dict[str, object] = {
            "question": question,
            "disclosed": disclosed(passages),
        }
        if answer is not None:
            detail |= {
                "kind": answer.kind.value,
                "confidence": round(answer.confidence, 3),
                "model": answer.model,
                "prompt": answer.prompt_version,
                "index": answer.index_version,
                "statements": len(answer.statements),
                "unsupported": sum(not s.supported for s in answer.statements),
            }
            if answer.follow_up is not None:
                detail["understood_as"] = answer.follow_up.question
        self._audit.append(entry(action, principal, detail))


def _and_dropped(notice: str, turns: int, language: str) -> str:
    """The notice, which also tells how many turns of the conversation were left aside."""
    if not turns:
        return notice
    return f"{notice} {message('turns_dropped', language, count=str(turns))}".strip()


EXTRACT_MARGIN = 0.25
"""How far below the best one another extract may score and still be quoted."""
EXTRACTS_FOR_THE_MODEL = 5
"""How many of the best sentences, with their neighbourhood, a model reads."""
