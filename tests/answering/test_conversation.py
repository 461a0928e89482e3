"""A conversation: what was cited before is at hand, and one that is too long is cut and told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.domain import Answer
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.retrieval.conversation import MOST_CHARACTERS, MOST_TURNS, Turn, newest
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service

HR = Principal("ana", groups=frozenset({"hr"}))
FILLING = "The {n} corridor is swept on weekday number {n}, before the doors are opened."
PLAN = (
    "The relocation plan has two stages. First, the archive moves to Pellworth in May. "
    "Second, the laboratory moves to Corven in June."
)


@pytest.fixture(scope="module")
def house(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Application, Path]]:
    """A product with a plan for HR, and so much else that a vague question does not find it."""
    folder = tmp_path_factory.mktemp("house")
    for n in range(12):
        (folder / f"corridor-{n}.txt").write_text(FILLING.format(n=n), encoding="utf-8")
    plan = tmp_path_factory.mktemp("plans") / "plan.txt"
    plan.write_text(PLAN, encoding="utf-8")
    settings = product_settings(retrieval={"passages": 3})
    with open_service(settings, embedder=embedder) as application:
        ingest = application.ingestion.ingest
        ingest([folder], local_owner(), readers=frozenset({"everyone"}))
        ingest([plan], local_owner(), readers=frozenset({"group:hr"}))
        yield application, plan


def _texts(answer: Answer) -> str:
    return " ".join(passage.chunk.text for passage in answer.passages)


VAGUE = "And before the doors are opened on that weekday?"  # leads to the corridors


def test_what_an_answer_cited_is_offered_to_the_question_that_leans_on_it(
    house: tuple[Application, Path],
) -> None:
    application, _ = house
    first = application.answers.answer(
        AnswerRequest("What does the relocation plan say?", HR, kind="extracts")
    )
    turn = Turn.of(first)

    kept = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=[turn]))
    cut = Turn("Which corridors are there?", "Twelve.")
    without = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=[cut]))
    alone = application.answers.answer(
        AnswerRequest(
            "On which weekday is corridor number seven swept in the morning?",
            HR,
            kind="extracts",
            history=[turn],
        )
    )

    assert "two stages" in first.text
    assert "archive moves" in _texts(kept)
    assert "archive moves" not in _texts(without)
    assert alone.follow_up is None
    assert "archive moves" not in _texts(alone)


def test_what_was_cited_before_is_shown_to_those_alone_who_may_read_it_now(
    house: tuple[Application, Path],
) -> None:
    application, plan = house
    first = application.answers.answer(
        AnswerRequest("What does the relocation plan say?", HR, kind="extracts")
    )
    turn = Turn.of(first)
    asked = [turn, Turn("Which corridors are there?", "Twelve.", turn.cited)]
    outsider = Principal("bob")

    stolen = application.answers.answer(
        AnswerRequest(VAGUE, outsider, kind="extracts", history=asked)
    )
    application.ingestion.ingest([plan], local_owner(), readers=frozenset({"group:board"}))
    revoked = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=asked))
    application.ingestion.ingest([plan], local_owner(), readers=frozenset({"group:hr"}))
    again = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=asked))

    assert turn.cited
    for answer in (stolen, revoked):
        assert answer.passages
        assert "archive" not in _texts(answer) + answer.text
    assert "archive moves" in _texts(again)


@pytest.mark.parametrize(
    "cited", ["", ":", "no:where", "00000000-0000-4000-8000-000000000000:0", "x:-1", "x:1e9", "x:²"]
)
def test_a_citation_that_names_nothing_finds_nothing_and_fails_nothing(
    house: tuple[Application, Path], cited: str
) -> None:
    application, _ = house
    history = [Turn("Which corridors are there?", "Twelve.", (cited,))]

    answer = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=history))

    assert answer.passages
    assert "archive" not in _texts(answer)


def test_a_conversation_that_is_too_long_loses_its_oldest_turns_and_the_answer_says_so(
    house: tuple[Application, Path],
) -> None:
    application, _ = house
    history = [Turn(f"Which corridor is number {n}?", "The one.") for n in range(MOST_TURNS + 3)]

    cut = application.answers.answer(AnswerRequest(VAGUE, HR, kind="extracts", history=history))
    whole = application.answers.answer(
        AnswerRequest(VAGUE, HR, kind="extracts", history=history[3:])
    )

    assert cut.turns_dropped == 3
    assert "its 3 oldest questions were left aside." in cut.notice
    assert (whole.turns_dropped, "aside" in whole.notice) == (0, False)
    assert cut.follow_up == whole.follow_up


def test_the_newest_turns_are_taken_in_up_to_a_number_and_a_length() -> None:
    turns = [Turn(f"{n}?", "x" * (MOST_CHARACTERS // 4)) for n in range(6)]

    assert newest([]) == ((), 0)
    assert newest([Turn("Why?")] * 2) == ((Turn("Why?"),) * 2, 0)
    assert newest(turns) == (tuple(turns[3:]), 3)
    assert newest([*turns, Turn("y" * 2 * MOST_CHARACTERS)]) == (
        (Turn("y" * 2 * MOST_CHARACTERS),),
        6,
    )


def test_a_turn_remembers_where_each_quote_came_from_once(house: tuple[Application, Path]) -> None:
    application, _ = house

    answer = application.answers.answer(
        AnswerRequest("What does the plan say?", HR, kind="extracts")
    )

    assert Turn.of(answer).question == answer.question
    assert set(Turn.of(answer).cited) <= {passage.id for passage in answer.passages}
    assert len(set(Turn.of(answer).cited)) == len(Turn.of(answer).cited) > 0
