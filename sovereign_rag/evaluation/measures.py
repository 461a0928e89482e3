"""Judgements: a ranking against its labels, by ir-measures; `text.answer_match` judges answers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

RANKING_MEASURES: Final = ("nDCG@10", "R@1", "R@5", "R@10", "RR@10")


def judge_rankings(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    """Every measure of `RANKING_MEASURES` for every query.

    Args:
        rankings: Document ids by query id, best first, each once.
        relevant: Grades (1 or more) by query id and document id.

    Returns:
        Query id -> measure -> value in [0, 1]. A query without a ranking scores 0, one without
        labels is left out.
    """
    import ir_measures

    run = {
        # Ranks as falling scores, so that ties can't be broken another way than ours.
        query: {document: float(-rank) for rank, document in enumerate(ranking)}
        for query, ranking in rankings.items()
        if ranking
    }
    values = {query: dict.fromkeys(RANKING_MEASURES, 0.0) for query in relevant}
    wanted = [ir_measures.parse_measure(name) for name in RANKING_MEASURES]
    labels = {query: dict(grades) for query, grades in relevant.items()}
    for metric in ir_measures.iter_calc(wanted, labels, run):
        values[metric.query_id][str(metric.measure)] = float(metric.value)
    return values


def mean(values: Iterable[float]) -> float | None:
    """The arithmetic mean; None of nothing, which is not the same as 0."""
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None
