"""Rankings are judged as computed by hand."""

from collections.abc import Mapping

import pytest

from sovereign_rag.evaluation.measures import judge_rankings, mean


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
