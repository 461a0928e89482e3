"""What a trusted model wrote is weighed together with the search: a draft, quotes, or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.answering.compose import Composer
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.model_limits import ModelLimits
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.trust import Unexamined
from sovereign_rag.answering.understand import Question
from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.answering.weigh import Judgement, Weighed
from sovereign_rag.answering.write import AnswerWriter
from sovereign_rag.domain import AnswerKind, PageSpan, RequestedKind, SparseVector
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message, ModelInfo
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.retrieval.query import Query
from sovereign_rag.settings import AnswerSettings, GenerationSettings, LabelSettings, LevelRule
from sovereign_rag.system.stopwatch import Stopwatch
from sovereign_rag.text.blocks import blocks
from tests.answering.test_verification import Pages, passage
from tests.exam.scripted import INFO

QUESTION = "What does the registration cost?"
FEE = "The registration costs 45 euros."
TEXT = f"{FEE} It is paid at the counter. The office opens at 8 a.m."
LIST = "Bring these papers:\n\n- passport\n\n- rental contract\n\n- two photographs"
CAPABLE, SMALL = replace(INFO, parameters=7_000_000_000), replace(INFO, parameters=100_000_000)
NO_LIMITS = LabelSettings()
SURE, NEAR, UNSURE, HOPELESS = 0.95, 0.65, 0.5, 0.02


class Writer:
    """A model that says one thing, and keeps what it was asked; None: it fails."""

    def __init__(self, says: str | None, info: ModelInfo = CAPABLE) -> None:
        self.says, self.info, self.prompts = says, info, list[str]()

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages) // 3

    def stream(self, request: CompletionRequest) -> Iterator[Delta]:
        self.prompts.append(request.messages[-1].content)
        if self.says is None:
            raise GenerationError("The engine is gone.")
        yield Delta(self.says)
        yield Delta("", "stop", prompt_tokens=100, completion_tokens=10)

    def close(self) -> None:
        """Nothing is held."""


def weighed(confidence: float, text: str = TEXT, sentence: str = FEE) -> Weighed:
    found = passage(text)
    start = text.index(sentence)
    block = next(iter(blocks(text)), None)
    extract = Extract(found, start, start + len(sentence), 8.0, 0.9, 1.0, block)
    query = Query(QUESTION, "en", SparseVector((), ()), {}, 1.0)
    return Weighed(Question(QUESTION, query), (found,), (extract,), {"score": 8.0}, confidence)


@pytest.fixture(scope="module")
def compose(embedder: DenseEmbedder) -> "Compose":
    return Compose(embedder)


class Compose:
    def __init__(self, embedder: DenseEmbedder) -> None:
        self._verifier = ClaimVerifier(embedder=embedder, lexical=Bm25Encoder())

    def __call__(
        self,
        writer: Writer,
        confidence: float,
        *,
        kind: RequestedKind = "auto",
        text: str = TEXT,
        sentence: str = FEE,
        question: str = QUESTION,
        of: Weighed | None = None,
        labels: LabelSettings = NO_LIMITS,
        history: Sequence[Turn] = (),
    ) -> tuple[Draft, Judgement]:
        answer, generation = AnswerSettings(), GenerationSettings()
        limits, trust = ModelLimits(labels, generation), Unexamined(generation)
        composer = Composer(
            AnswerWriter(lambda: writer, self._verifier, trust, answer, generation, limits), answer
        )
        steps = composer.compose(
            AnswerRequest(question, local_owner(), kind=kind, history=history),
            question,
            "en",
            [of or weighed(confidence, text, sentence)],
            Pages(text),
            lambda terms: dict.fromkeys(terms, 1.0),
            Stopwatch(),
        )
        while True:
            try:
                next(steps)
            except StopIteration as end:
                made: tuple[Draft, Judgement] = end.value
                return made


def test_what_the_search_alone_would_refuse_is_answered_where_the_passages_support_the_draft(
    compose: Compose,
) -> None:
    draft, judged = compose(Writer("The registration costs 45 euros."), UNSURE)

    assert draft.kind is AnswerKind.GENERATED
    assert draft.statements[0].citations[0].quote == FEE
    assert judged.certainty == "sure"
    assert judged.confidence > UNSURE


@pytest.mark.parametrize(
    ("confidence", "kind"), [(UNSURE, AnswerKind.NONE), (SURE, AnswerKind.EXTRACTS)]
)
def test_a_model_that_finds_nothing_is_believed_unless_the_search_is_sure(
    compose: Compose, confidence: float, kind: AnswerKind
) -> None:
    draft, judged = compose(Writer("NOT FOUND"), confidence)

    assert draft.kind is kind
    assert judged.confidence < confidence
    assert judged.signals["said_none"] == 1.0


@pytest.mark.parametrize(
    "says",
    [
        "The passages do not mention what it costs.",
        "There is no information on that.",
        "The head of finance is mentioned in the policy document.",
    ],
)
def test_not_found_in_a_model_s_own_words_is_not_found(compose: Compose, says: str) -> None:
    draft, judged = compose(Writer(says), UNSURE)

    assert judged.signals["said_none"] == 1.0
    assert draft.kind is AnswerKind.NONE


def test_what_is_said_of_the_passages_is_no_answer_even_in_their_words(compose: Compose) -> None:
    text = "The office provides no information about the registration."

    _, judged = compose(
        Writer("The passages provide no information about the registration."),
        UNSURE,
        text=text,
        sentence=text,
    )

    assert judged.signals["said_none"] == 1.0


def test_a_draft_does_not_make_sure_what_the_question_takes_for_granted(compose: Compose) -> None:
    says = "The registration costs 45 euros, paid at the counter."

    why, _ = compose(Writer(says), UNSURE, question="Why does the registration cost 45 euros?")
    what, _ = compose(Writer(says), UNSURE, question="What does the registration cost?")

    assert why.kind is AnswerKind.NONE
    assert what.kind is AnswerKind.GENERATED


def test_what_the_passages_themselves_leave_open_is_a_statement_of_theirs(
    compose: Compose,
) -> None:
    text = "The document does not specify a price. It runs for two years."

    draft, judged = compose(
        Writer("The document does not specify a price."),
        SURE,
        text=text,
        sentence="The document does not specify a price.",
        question="What does the rental cost?",
    )

    assert judged.signals["said_none"] == 0.0
    assert draft.kind is AnswerKind.GENERATED


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("Yes, the registration is paid at the counter.", AnswerKind.EXTRACTS),
        ("Yes, it is paid at the counter of the office.", AnswerKind.GENERATED),
    ],
)
def test_a_yes_in_the_question_s_own_words_gives_way_to_what_the_passages_say(
    compose: Compose, says: str, kind: AnswerKind
) -> None:
    draft, _ = compose(Writer(says), SURE, question="Is the registration paid at the counter?")

    assert draft.kind is kind


def test_a_draft_without_support_gives_way_to_the_quotes(compose: Compose) -> None:
    draft, _ = compose(Writer("It is 300 dollars a month."), SURE)

    assert draft.kind is AnswerKind.EXTRACTS
    assert "45 euros" in draft.statements[0].text


def test_a_value_that_stands_alone_gives_way_to_the_sentence_it_stands_in(
    compose: Compose,
) -> None:
    bare, _ = compose(Writer("45 euros"), SURE)
    said, _ = compose(Writer("The registration costs 45 euros."), SURE)

    assert bare.kind is AnswerKind.EXTRACTS
    assert FEE in bare.statements[0].text
    assert said.kind is AnswerKind.GENERATED


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("You bring a passport and a rental contract.", AnswerKind.EXTRACTS),
        ("Bring a passport, a rental contract and two photographs.", AnswerKind.GENERATED),
    ],
)
def test_a_list_is_quoted_whole_where_the_draft_lacks_some_of_it(
    compose: Compose, says: str, kind: AnswerKind
) -> None:
    asked = "List all papers to bring"
    draft, _ = compose(
        Writer(says), SURE, text=LIST, sentence="Bring these papers:", question=asked
    )

    assert draft.kind is kind
    assert all(item in draft.statements[0].text for item in ("passport", "photographs"))


OTHER, SAME = "Late registration costs 60 euros.", "Registration costs 45 euros, late or not."


@pytest.mark.parametrize(
    ("confidence", "fine", "kind", "certainty"),
    [
        (NEAR, OTHER, AnswerKind.EXTRACTS, "sure"),
        (NEAR, SAME, AnswerKind.EXTRACTS, "sure"),
        (0.55, OTHER, AnswerKind.EXTRACTS, "near"),
        (0.55, SAME, AnswerKind.GENERATED, "sure"),
    ],
)
def test_a_draft_from_another_passage_than_the_searchs_is_sure_where_that_says_so_too(
    compose: Compose, confidence: float, fine: str, kind: AnswerKind, certainty: str
) -> None:
    text = f"{FEE}\n\n{fine}"
    first, second = weighed(confidence, FEE), passage(fine)
    spans = (PageSpan(1, len(FEE) + 2, len(text)),)
    second = replace(second, chunk=replace(second.chunk, index=1, spans=spans))
    both = replace(first, extracts=(*first.extracts, Extract(second, 0, len(fine), 7.9, 0.9, 1.0)))

    draft, judged = compose(Writer(fine), confidence, text=text, of=both)

    assert (draft.kind, judged.certainty) == (kind, certainty)
    quotes = [statement.text for statement in draft.statements]
    assert quotes == ([fine, FEE] if kind is AnswerKind.EXTRACTS else [fine])


def test_a_model_is_not_asked_where_nothing_comes_near(compose: Compose) -> None:
    writer = Writer("The registration costs 45 euros.")

    draft, judged = compose(writer, HOPELESS)

    assert writer.prompts == []
    assert (draft.kind, judged.certainty) == (AnswerKind.NONE, "none")


@pytest.mark.parametrize(
    ("confidence", "kind"),
    [(SURE, AnswerKind.EXTRACTS), (NEAR, AnswerKind.EXTRACTS), (UNSURE, AnswerKind.NONE)],
)
def test_where_the_model_fails_the_search_decides(
    compose: Compose, confidence: float, kind: AnswerKind
) -> None:
    draft, judged = compose(Writer(None), confidence)

    assert draft.kind is kind
    assert judged.confidence == confidence


def test_words_asked_of_a_model_are_its_own_or_none(compose: Compose) -> None:
    written, _ = compose(Writer("The registration costs 45 euros."), UNSURE, kind="generated")
    refused, _ = compose(Writer("NOT FOUND"), SURE, kind="generated")

    assert written.kind is AnswerKind.GENERATED
    assert refused.kind is AnswerKind.NONE
    with pytest.raises(GenerationError):
        compose(Writer(None), SURE, kind="generated")


def test_a_model_too_small_to_be_trusted_decides_nothing(compose: Compose) -> None:
    small = Writer("The registration costs 45 euros.", SMALL)

    unsure, _ = compose(small, UNSURE)
    sure, judged = compose(small, SURE)

    assert small.prompts == []
    assert unsure.kind is AnswerKind.NONE
    assert (sure.kind, judged.confidence) == (AnswerKind.EXTRACTS, SURE)


SECRET = LabelSettings(levels=(LevelRule(level=2, model="none"),))


@pytest.mark.parametrize("kind", ["auto", "generated"])
def test_a_model_is_shown_nothing_of_a_level_that_is_not_for_it(
    compose: Compose, kind: RequestedKind
) -> None:
    """Also where one low and one high passage are read together, and where it is asked for."""
    low = weighed(SURE)
    high = replace(low, passages=(*low.passages, replace(low.passages[0], level=2)))
    writer, allowed = Writer(FEE), Writer(FEE)

    held_back, _ = compose(writer, SURE, kind=kind, of=high, labels=SECRET)
    written, _ = compose(allowed, SURE, kind=kind, of=low, labels=SECRET)

    assert writer.prompts == []
    assert held_back.kind is AnswerKind.EXTRACTS
    assert "not for the language model" in held_back.notice
    assert len(allowed.prompts) == 1
    assert written.kind is AnswerKind.GENERATED


def test_a_conversation_carries_the_level_of_what_it_went_on_from(compose: Compose) -> None:
    writer = Writer(FEE)

    compose(writer, SURE, labels=SECRET, history=[Turn("And before?", "40 euros.", level=2)])

    assert writer.prompts == []
