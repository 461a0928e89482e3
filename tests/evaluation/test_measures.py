"""Rankings and answers are judged as computed by hand."""

from collections.abc import Mapping

import pytest

from sovereign_rag.evaluation.measures import contains_answer, judge_rankings, mean, token_f1


def test_rankings_are_judged_as_computed_by_hand() -> None:
    relevant = {"q": {"a": 1, "b": 1}, "graded": {"a": 2, "b": 1}, "unanswered": {"a": 1}}
    rankings = {"q": ("x", "a", "y", "z", "u", "b"), "graded": ("b", "a"), "unlabelled": ("a",)}

    values = judge_rankings(rankings, relevant)

    # 1/log2(3) and 1/log2(7) over 1/log2(2) and 1/log2(3)
    expected: Mapping[str, float] = {
        "nDCG@10": 0.6052,
        "R@1": 0.0,
        "R@5": 0.5,
        "R@10": 1.0,
        "RR@10": 0.5,
    }
    assert values["q"] == pytest.approx(expected, abs=1e-4)
    # (1 + 2/log2(3)) / (2 + 1/log2(3))
    assert values["graded"]["nDCG@10"] == pytest.approx(0.8597, abs=1e-4)
    assert set(values["unanswered"].values()) == {0.0}
    assert "unlabelled" not in values


def test_a_relevant_document_behind_the_tenth_place_does_not_count() -> None:
    ranking = (*(f"x{n}" for n in range(10)), "a")

    values = judge_rankings({"q": ranking}, {"q": {"a": 1}})

    assert set(values["q"].values()) == {0.0}


def test_the_mean_of_nothing_is_not_zero() -> None:
    assert mean([]) is None
    assert mean([0.0, 1.0]) == 0.5


@pytest.mark.parametrize(
    ("language", "answer", "gold"),
    [
        ("en", "It was the Panthers, of course.", "Panthers"),
        ("en", "The cost is $1,577.00", "$1577.00"),
        ("fr", "C'est l'Élysée.", "Élysée"),
        ("fr", "C’est à l’école de la ville", "l'école de ville"),
        ("de", "Das ist der Bundesrat.", "den Bundesrat"),
        ("es", "Fue el rey Carlos III.", "rey Carlos III"),
        ("it", "Era un'isola del Lazio", "isola del Lazio"),
        ("it", "presidente e CEO", "il presidente e CEO"),
    ],
)
def test_an_answer_is_found_whatever_its_articles_and_punctuation(
    language: str, answer: str, gold: str
) -> None:
    assert contains_answer(answer, [gold], language)


@pytest.mark.parametrize(
    ("language", "answer", "gold"),
    [
        ("en", "There were 1183 of them.", "118"),  # part of a number is another number
        ("en", "Carolina beat the Panthers", "Panthers beat Carolina"),
        ("de", "Die Antwort ist unbekannt.", "die"),  # an article alone is no answer
        ("en", "", "Panthers"),
    ],
)
def test_what_only_looks_like_the_answer_is_not_taken_for_it(
    language: str, answer: str, gold: str
) -> None:
    assert not contains_answer(answer, [gold], language)


@pytest.mark.parametrize(
    ("language", "answer", "gold", "expected"),
    [
        ("en", "the Denver Broncos", ["Denver Broncos"], 1.0),
        ("en", "Denver won", ["Denver Broncos", "Broncos"], 0.5),
        ("fr", "le roi de France", ["roi Louis"], 0.4),
        ("de", "im Jahr 1990", ["1990"], 0.5),
        ("es", "los normandos", ["normandos"], 1.0),
        ("it", "la Francia", ["Spagna"], 0.0),
        ("en", "anything", [], 0.0),
    ],
)
def test_token_f1_is_as_computed_by_hand(
    language: str, answer: str, gold: list[str], expected: float
) -> None:
    assert token_f1(answer, gold, language) == pytest.approx(expected)


# Running
