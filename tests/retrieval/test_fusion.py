"""What two legs found is put into one order, without a store."""

import pytest

from sovereign_rag.domain import Chunk, PageSpan, SearchMode, SparseVector
from sovereign_rag.retrieval.fusion import COVERAGE_ACROSS_LANGUAGES, LegResults, Ranked, fuse
from sovereign_rag.retrieval.query import Query
from sovereign_rag.store.protocol import Hit

QUERY = Query("When does the gate open?", "en", SparseVector((1,), (1.0,)), {1: 2.0}, ideal=4.0)


def hit(name: str, score: float, *, language: str = "en", place: int = 0) -> Hit:
    document = name.rstrip("0123456789")
    chunk = Chunk(document, "v1", place, name, (PageSpan(1, 0, 4),), language=language)
    return Hit(name, chunk, score, "default", frozenset({"everyone"}), 0)


def fused(
    found: LegResults, *, mode: SearchMode = "hybrid", dense_weight: float = 5
) -> list[Ranked]:
    return fuse(found, QUERY, mode=mode, dense_weight=dense_weight)


def order(ranked: list[Ranked]) -> list[str]:
    return [one.hit.id for one in ranked]


@pytest.mark.parametrize(
    ("dense_weight", "expected"),
    [(5, {"near": 4.5, "worded": 3.5}), (1, {"worded": 1.5, "near": 0.9})],
)
def test_a_meaning_and_the_share_of_the_words_are_added(
    dense_weight: float, expected: dict[str, float]
) -> None:
    found = LegResults.by([hit("near", 0.9), hit("worded", 0.5)], [hit("worded", 4.0)])

    ranked = fused(found, dense_weight=dense_weight)

    assert order(ranked) == list(expected)
    assert [one.score for one in ranked] == pytest.approx(list(expected.values()))


def test_words_in_another_language_count_for_less() -> None:
    (own,) = fused(LegResults.by([], [hit("own", 4.0)]))
    (other,) = fused(LegResults.by([], [hit("other", 4.0, language="de")]))

    assert other.score == COVERAGE_ACROSS_LANGUAGES * own.score


def test_a_passage_in_another_language_is_put_forward_by_the_words_that_it_cannot_share() -> None:
    found = LegResults.by(
        [hit("german", 0.6, language="de"), hit("english", 0.5)], [hit("english", 4.0)]
    )

    ranked = fused(found)

    assert order(ranked) == ["german", "english"]
    assert ranked[0].parts["lift"] == 1.0
    assert ranked[0].score < ranked[1].score, "evidence is held against the score, not the lift"


def test_what_is_not_released_lifts_nothing() -> None:
    found = LegResults.by(
        [hit("german", 0.6, language="de"), hit("english", 0.5)], [hit("english", 4.0)]
    )

    (alone,) = fused(found.only({"german"}))

    assert alone.hit.id == "german"
    assert "lift" not in alone.parts


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("dense", {"near": 0.9, "worded": 0.5}), ("lexical", {"worded": 3.0, "near": 0.0})],
)
def test_one_leg_alone_gives_its_own_scores(mode: SearchMode, expected: dict[str, float]) -> None:
    found = LegResults.by([hit("near", 0.9), hit("worded", 0.5)], [hit("worded", 3.0)])

    ranked = fused(found, mode=mode)

    assert {one.hit.id: one.score for one in ranked} == expected
    assert order(ranked) == list(expected)
    assert all("coverage" not in one.parts for one in ranked)


def test_where_a_score_came_from_is_named() -> None:
    found = LegResults.by([hit("far", 0.9), hit("near", 0.5)], [hit("near", 2.0)])

    parts = {one.hit.id: one.parts for one in fused(found)}

    assert parts["far"] == {"dense": 0.9, "dense_rank": 1.0, "coverage": 0.0}
    assert parts["near"] == {
        "dense": 0.5,
        "dense_rank": 2.0,
        "lexical": 2.0,
        "lexical_rank": 1.0,
        "coverage": 0.5,
    }


def test_equal_scores_stand_in_the_order_of_documents_and_places() -> None:
    hits = [hit("b", 0.5), hit("a1", 0.5, place=1), hit("a0", 0.5)]

    assert order(fused(LegResults.by(hits, []))) == ["a0", "a1", "b"]


def test_nothing_found_is_an_empty_order() -> None:
    assert fused(LegResults.by([], [])) == []
