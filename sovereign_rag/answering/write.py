"""Evidence -> the draft of an answer: the extracts themselves, or what the model writes."""

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from sovereign_rag.answering.citations import StoredPages
from sovereign_rag.answering.draft import (
    Draft,
    distinct,
    extracts_notice,
    generated,
    withheld,
)
from sovereign_rag.answering.events import DraftToken
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.messages import message
from sovereign_rag.answering.prompt import Prompt, build_prompt
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.sanitize import PlainStream
from sovereign_rag.answering.trust import Trust, TrustPolicy
from sovereign_rag.answering.verification import ClaimVerifier, Rarity
from sovereign_rag.domain import AnswerKind, Statement
from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.protocol import CompletionRequest, Delta, LanguageModel
from sovereign_rag.settings import AnswerSettings, GenerationSettings
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages

log = logging.getLogger(__name__)

EXTRACTS_FOR_THE_MODEL = 5
"""How many of the best sentences, with their neighbourhood, a model reads."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is made from."""

    question: str  # made whole, where it leaned on the conversation
    language: str  # of the answer, ISO 639-1
    extracts: Sequence[Extract]  # best first, at least one
    statements: tuple[Statement, ...]  # the best extracts, quoted
    pages: StoredPages
    rarity: Rarity | None = None  # of words, among the documents; None: all weigh the same

    def as_answer(self, notice: str) -> Draft:
        return Draft(kind=AnswerKind.EXTRACTS, notice=notice, statements=self.statements)


@dataclass(frozen=True, slots=True)
class AnswerWriter:
    """Composes extracts, or lets the language model write where it is trusted or asked for."""

    language_model: Callable[[], LanguageModel | None]
    """Gives the language model, loading it when first called, or None."""
    verifier: ClaimVerifier
    trust: TrustPolicy
    answer: AnswerSettings
    generation: GenerationSettings

    def write(
        self, request: AnswerRequest, evidence: Evidence, clock: Stopwatch
    ) -> Generator[DraftToken, None, Draft]:
        """Yield the model's words as they come, if one writes, and return the checked draft.

        Raises:
            Busy, GenerationError: The model failed, and the request asks for its words alone.
        """
        kind = request.kind or self.answer.kind
        model = None if kind == "extracts" else self.language_model()
        trust = None if model is None else self.trust.judge(model, evidence.language)
        if model is None or trust is None or (kind == "auto" and not trust.trusted):
            return evidence.as_answer(extracts_notice(kind, model, trust, evidence.language))
        with clock("prompt"):
            prompt = build_prompt(
                evidence.question,
                evidence.language,
                list(distinct(evidence.extracts))[:EXTRACTS_FOR_THE_MODEL],
                model,
                max_tokens=self.generation.max_tokens,
            )
        try:
            with clock("generation"):
                text, last = yield from self._generate(request, prompt, model)
        except GenerationError as error:
            if kind != "auto":
                raise
            log.warning("Answered with extracts, for the language model failed: %s", error)
            return evidence.as_answer(
                message("extracts_model_failed", evidence.language, model=model.info.name)
            )
        with clock("check"):
            draft = self._checked(text, last, prompt, evidence, model, trust)
        supported = tuple(statement for statement in draft.statements if statement.supported)
        if draft.kind is AnswerKind.GENERATED and not supported and kind == "auto":
            # Nothing that it wrote stands in the documents; what does stand there is better.
            notice = message("extracts_no_support", evidence.language, model=model.info.name)
            return replace(
                draft,
                kind=AnswerKind.EXTRACTS,
                notice=notice,
                statements=evidence.statements,
            )
        return withheld(draft, supported, evidence.language) if self._withholds else draft

    def _generate(
        self, request: AnswerRequest, prompt: Prompt, model: LanguageModel
    ) -> Generator[DraftToken, None, tuple[str, Delta]]:
        """The model's words as plain text, and its last delta with the token counts."""
        last, plain, text = Delta(""), PlainStream(), ""
        for last in model.stream(
            CompletionRequest(
                prompt.messages,
                tenant=request.principal.tenant,
                person=request.principal.user,
                max_tokens=self.generation.max_tokens,
                cancel=request.cancel,
            )
        ):
            shown = plain.feed(last.text) + (plain.close() if last.finish else "")
            text += shown
            if shown and not self._withholds:
                yield DraftToken(shown)
        return text, last

    def _checked(
        self,
        text: str,
        last: Delta,
        prompt: Prompt,
        evidence: Evidence,
        model: LanguageModel,
        trust: Trust,
    ) -> Draft:
        asked_in = languages.of_question(evidence.question)
        checked = self.verifier.check(
            text.strip(),
            evidence.language,
            prompt.passages,
            evidence.pages,
            question=evidence.question if asked_in == evidence.language else "",
            rarity=evidence.rarity,
        )
        return generated(text, checked, prompt, model, last, evidence.language, trust=trust)

    @property
    def _withholds(self) -> bool:
        return self.answer.unsupported == "withheld"
