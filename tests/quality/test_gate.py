"""The build fails where search or answers fall below their floors, in three languages."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sovereign_rag.domain import SearchMode
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.evaluation.answers import AnswerReport
from sovereign_rag.evaluation.datasets import read_retrieval_set
from sovereign_rag.evaluation.measures import judge_rankings
from sovereign_rag.evaluation.retrieval import RetrievalReport
from sovereign_rag.settings import Settings
from tests.quality import gate


@pytest.fixture(scope="module", params=gate.LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """The language of the corpus."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def measured(
    language: str, product_settings: Callable[..., Settings], embedder: Embedder
) -> tuple[gate.Searches, AnswerReport]:
    """What the product does on the set, measured once."""
    return gate.measure(language, product_settings(), embedder=embedder)


def test_search_on_the_labelled_sets_reaches_its_floors(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    searches, _ = measured

    values = gate.search_values(language, searches)

    assert gate.shortfalls(values, gate.floors(language)) == []


def test_answers_on_the_labelled_sets_reach_their_floors(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    _, answers = measured

    values = gate.answer_values(language, answers)

    assert gate.shortfalls(values, gate.floors(language)) == []


def test_every_floor_belongs_to_a_measure(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    searches, answers = measured

    values = {**gate.search_values(language, searches), **gate.answer_values(language, answers)}

    assert values.keys() == gate.floors(language).keys()


@pytest.mark.parametrize(("leg", "noticed"), [("dense", "ndcg_own"), ("lexical", "ndcg_across")])
def test_the_gate_notices_that_a_leg_is_off(
    language: str,
    measured: tuple[gate.Searches, AnswerReport],
    leg: SearchMode,
    noticed: str,
) -> None:
    searches, _ = measured
    alone = {**searches, "hybrid": searches[leg]}

    values = gate.search_values(language, alone)

    assert _names(gate.shortfalls(values, gate.floors(language))) >= {noticed}


def test_the_gate_notices_that_rankings_stand_on_their_heads(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    searches, _ = measured
    turned = {**searches, "hybrid": _turned(language, searches["hybrid"])}

    values = gate.search_values(language, turned)

    assert _names(gate.shortfalls(values, gate.floors(language))) >= {
        "ndcg_own",
        "recall_own",
        "over_legs_own",
        "ndcg_across",
        "recall_across",
        "over_legs_across",
    }


def test_the_gate_notices_that_everything_is_answered(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    _, answers = measured
    careless = replace(answers, results=tuple(replace(r, abstained=False) for r in answers.results))

    values = gate.answer_values(language, careless)

    assert _names(gate.shortfalls(values, gate.floors(language))) == {"refused"}


def test_the_gate_notices_that_everything_is_refused(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    _, answers = measured
    refusing = replace(
        answers,
        results=tuple(
            replace(r, abstained=True, contains=False, quotes=0, quotes_marked=0, quotes_true=0)
            for r in answers.results
        ),
    )

    values = gate.answer_values(language, refusing)

    assert _names(gate.shortfalls(values, gate.floors(language))) == {
        "answered_own",
        "containment_own",
        "answered_across",
        "containment_across",
        "verified",
    }


def test_the_gate_notices_one_quote_that_does_not_stand_in_its_source(
    language: str, measured: tuple[gate.Searches, AnswerReport]
) -> None:
    _, answers = measured
    quoting = next(r for r in answers.results if r.quotes_true)
    forged = replace(
        answers,
        results=tuple(
            replace(r, quotes_true=r.quotes_true - 1) if r is quoting else r
            for r in answers.results
        ),
    )

    values = gate.answer_values(language, forged)

    assert _names(gate.shortfalls(values, gate.floors(language))) == {"verified"}


def _turned(language: str, report: RetrievalReport) -> RetrievalReport:
    """The same run with each ranking in reverse."""
    rankings = {result.id: result.ranking[::-1] for result in report.results}
    relevant = read_retrieval_set(gate.HERE / language).relevant
    values = judge_rankings(rankings, relevant)
    return replace(
        report,
        results=tuple(
            replace(r, ranking=rankings[r.id], values=values[r.id]) for r in report.results
        ),
    )


def _names(lines: list[str]) -> set[str]:
    return {line.split(" ", 1)[0] for line in lines}
