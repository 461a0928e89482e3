"""Evidence -> the draft of an answer: what the language model writes, each statement checked."""

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

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
from sovereign_rag.answering.messages import counted, message
from sovereign_rag.answering.model_limits import ModelLimits
from sovereign_rag.answering.pace import Pace, Timed
from sovereign_rag.answering.prompt import Prompt, build_prompt
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.sanitize import PlainStream
from sovereign_rag.answering.trust import Trust, TrustPolicy
from sovereign_rag.answering.verification import ClaimVerifier, Rarity
from sovereign_rag.domain import AnswerKind, RequestedKind, Statement
from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.protocol import CompletionRequest, Delta, LanguageModel
from sovereign_rag.settings import AnswerSettings, GenerationSettings
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text import language as languages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes an answer: a language model, or the passages themselves."""

    kind: RequestedKind
    language: str  # of the answer, ISO 639-1
    model: LanguageModel | None
    trust: Trust | None  # in the model; None: there is none
    endpoints: frozenset[str] | None = None  # to which alone the passages may be sent
    is_held_back: bool = False  # the passages are of a level that the model may not see

    @property
    def name(self) -> str:
        """The model's; "" where there is none."""
        return self.model.info.name if self.model else ""

    @property
    def writes(self) -> bool:
        """Whether the model writes, where there is something to write from."""
        if self.model is None or self.trust is None or self.kind == "extracts":
            return False
        return self.kind == "generated" or self.trust.trusted

    @property
    def decides(self) -> bool:
        """Whether what it writes is held for a sign of whether anything answers."""
        return self.writes and self.trust is not None and self.trust.trusted

    @property
    def why_extracts(self) -> str:
        """Why an answer is made of extracts, in the answer's language."""
        if self.is_held_back:
            return message("extracts_by_level", self.language)
        return extracts_notice(self.kind, self.model, self.trust, self.language)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is made from."""

    question: str  # made whole, where it leaned on the conversation
    language: str  # of the answer, ISO 639-1
    extracts: Sequence[Extract]  # best first, at least one
    statements: tuple[Statement, ...]  # the best extracts, quoted
    pages: StoredPages
    rarity: Rarity | None = None  # of words, among the documents; None: all weigh the same
    more: int = 0  # quotes that were found beside, and are left out

    def as_answer(self, notice: str) -> Draft:
        notice = self.noticed(notice)
        return Draft(kind=AnswerKind.EXTRACTS, notice=notice, statements=self.statements)

    def noticed(self, notice: str) -> str:
        """The notice of an answer made of the quotes, which says how many there are beside."""
        if not self.more:
            return notice
        return f"{notice} {counted('more_quotes', self.language, self.more)}"


@dataclass(frozen=True, slots=True)
class AnswerWriter:
    """Lets the language model write where it is trusted or asked for."""

    language_model: Callable[[], LanguageModel | None]
    """Gives the language model, loading it when first called, or None."""
    verifier: ClaimVerifier
    trust: TrustPolicy
    answer: AnswerSettings
    generation: GenerationSettings
    limits: ModelLimits
    pace: Pace = field(default_factory=Pace)

    def author(self, request: AnswerRequest, language: str, level: int) -> Author:
        """Who makes the answer to `request` from passages of up to `level`."""
        kind = request.kind or self.answer.kind
        if kind != "extracts" and not self.limits.may_see(level):
            return Author(kind, language, None, None, is_held_back=True)
        model = None if kind == "extracts" else self.language_model()
        trust = None if model is None else self.trust.judge(model, language)
        return Author(kind, language, model, trust, self.limits.endpoints(level))

    def write(
        self, request: AnswerRequest, evidence: Evidence, author: Author, clock: Stopwatch
    ) -> Generator[DraftToken, None, Draft]:
        """Yield the model's words as they come, and return the checked draft.

        The draft is of kind none where the model says that the passages hold no answer, and of
        kind extracts where the model failed and the author may be the passages.

        Raises:
            Busy, GenerationError: The model failed, and the request asks for its words alone.
        """
        model, trust = author.model, author.trust
        assert model is not None, "an author who writes"
        assert trust is not None, "a model is trusted or not"
        with clock("prompt"):
            prompt = build_prompt(
                evidence.question,
                evidence.language,
                list(distinct(evidence.extracts)),
                model,
                max_tokens=self.generation.max_tokens,
                in_time=self.pace.of(model.info).tokens_within(self.answer.writing_s),
            )
        try:
            with clock("generation"):
                text, last = yield from self._generate(request, prompt, author)
        except GenerationError as error:
            if author.kind != "auto":
                raise
            log.warning("Answered with extracts, for the language model failed: %s", error)
            return evidence.as_answer(
                message("extracts_model_failed", evidence.language, model=model.info.name)
            )
        with clock("check"):
            return self._checked(text, last, prompt, evidence, model, trust)

    def shown(self, draft: Draft, language: str) -> Draft:
        """The draft without what has no support, where the settings withhold that."""
        supported = tuple(statement for statement in draft.statements if statement.supported)
        return withheld(draft, supported, language) if self._withholds else draft

    def _generate(
        self, request: AnswerRequest, prompt: Prompt, author: Author
    ) -> Generator[DraftToken, None, tuple[str, Delta]]:
        """The model's words as plain text, and its last delta with the token counts."""
        model = author.model
        assert model is not None, "an author who writes"
        last, plain, text, timed = Delta(""), PlainStream(), "", Timed()
        for last in model.stream(
            CompletionRequest(
                prompt.messages,
                tenant=request.principal.tenant,
                person=request.principal.user,
                max_tokens=self.generation.max_tokens,
                endpoints=author.endpoints,
                cancel=request.cancel,
            )
        ):
            timed.take(last)
            shown = plain.feed(last.text) + (plain.close() if last.finish else "")
            text += shown
            if shown and not self._withholds:
                yield DraftToken(shown)
        self.pace.note(model.info, timed)
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
