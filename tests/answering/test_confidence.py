"""How sure the product is that the passages hold an answer, and what follows from it."""

from dataclasses import replace

import pytest

from sovereign_rag.answering.confidence import WEIGHTS, confidence, signals
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.domain import Chunk, PageSpan, Passage, SparseVector
from sovereign_rag.retrieval.query import Query

QUERY = Query("Who pays?", "en", SparseVector((), ()), {}, 1.0)
BOTH_FIRST = {"dense_rank": 1.0, "lexical_rank": 1.0}


def passage(
    document: str, score: float, *, parts: dict[str, float] | None = None, language: str = "en"
) -> Passage:
    text = f"The office of {document} pays."
    chunk = Chunk(document, "v1", 0, text, (PageSpan(1, 0, len(text)),), language=language)
    return Passage(chunk, document, f"file:///{document}", False, score, parts or BOTH_FIRST)


def best_of(found: Passage, *, score: float = 7.0) -> list[Extract]:
    return [Extract(found, 0, len(found.chunk.text), score, 0.9, 0.5)]


def sure(*found: Passage, score: float = 7.0) -> float:
    return confidence(signals(QUERY, found, best_of(found[0], score=score)))


def test_without_any_evidence_there_is_no_confidence() -> None:
    nothing = confidence(signals(QUERY, [passage("a", 5.0)], []))

    assert nothing == 0.0
    assert 0.0 < sure(passage("a", 5.0)) < 1.0


def test_a_sentence_that_fits_better_makes_it_surer() -> None:
    found = (passage("a", 5.0), passage("b", 4.9))

    assert sure(*found, score=7.6) > sure(*found, score=6.9) > sure(*found, score=6.2)


def test_a_passage_that_stands_out_from_other_documents_makes_it_surer() -> None:
    alone = sure(passage("a", 5.4), passage("b", 4.8))
    among_its_like = sure(passage("a", 5.4), passage("b", 5.38))

    assert alone > among_its_like


def test_a_passage_does_not_compete_with_its_own_document() -> None:
    best, neighbour = passage("a", 5.4), passage("a", 5.38)
    neighbour = replace(neighbour, chunk=replace(neighbour.chunk, index=1))

    assert sure(best, neighbour, passage("b", 4.8)) == sure(best, passage("b", 4.8))


def test_where_one_document_fills_the_list_others_score_less_than_its_last_passage() -> None:
    best, last = passage("a", 5.4), passage("a", 4.8)
    last = replace(last, chunk=replace(last.chunk, index=1))

    assert sure(best, last) == sure(best, passage("b", 4.8))


def test_a_single_passage_is_no_reason_for_doubt() -> None:
    found = signals(QUERY, [passage("a", 5.4)], best_of(passage("a", 5.4)))
    usual = found | {"lead": WEIGHTS["lead"].usual}

    assert "lead" not in found
    assert confidence(found) == pytest.approx(confidence(usual))


def test_what_both_legs_put_first_makes_it_surer() -> None:
    both = sure(passage("a", 5.0), passage("b", 4.9))
    by_meaning_alone = sure(passage("a", 5.0, parts={"dense_rank": 1.0}), passage("b", 4.9))

    assert both > by_meaning_alone


def test_another_version_of_a_document_is_no_passage_before_it() -> None:
    second = {"dense_rank": 2.0, "lexical_rank": 2.0}
    best = passage("pay.md", 5.0, parts=second)
    version, other = passage("archive/pay-2021.md", 4.9), passage("rent.md", 4.9)

    beside_its_version = signals(QUERY, [best, version], best_of(best))
    behind_another = signals(QUERY, [best, other], best_of(best))

    assert (beside_its_version["agreement"], behind_another["agreement"]) == (1.0, 0.25)


def test_across_languages_words_that_cannot_meet_are_not_held_against_it() -> None:
    foreign = passage("a", 5.0, parts={"dense_rank": 1.0}, language="fr")
    own = passage("a", 5.0, parts={"dense_rank": 1.0})

    found = signals(QUERY, [foreign], best_of(foreign))

    assert "agreement" not in found
    assert sure(foreign, score=6.4) > sure(own, score=6.4)


def found_in(text: str, sentence: str, question: str, **more: str) -> dict[str, float]:
    chunk = Chunk("a", "v1", 0, text, (PageSpan(1, 0, len(text)),), language="en")
    found = Passage(chunk, more.get("title", ""), "file:///a", False, 5.0, BOTH_FIRST)
    start = text.index(sentence)
    extract = Extract(found, start, start + len(sentence), 7.0, 0.9, 0.5)
    return signals(replace(QUERY, text=question), [found], [extract])


def test_a_sentence_that_lacks_what_was_asked_for_makes_it_less_sure() -> None:
    text = "The fort was built by settlers."

    who = found_in(text, text, "Who built the fort?")
    when = found_in(text, text, "When was the fort built?")

    assert (who["lacking"], when["lacking"]) == (0.0, 1.0)
    assert confidence(when) < confidence(who)


def test_a_number_of_the_question_may_stand_in_the_next_sentence_or_in_the_title() -> None:
    best = "The office grants leave."
    text = f"The rules are old. They changed in 2021. {best} It is paid."

    beside = found_in(text, best, "Which leave was granted in 2021?")
    farther = found_in(f"{text} Since 2019 it is taxed.", best, "Which leave was granted in 2019?")
    titled = found_in(text, best, "Which leave was granted in 2019?", title="Leave 2019")

    assert [found["lacking"] for found in (beside, farther, titled)] == [0.0, 1.0, 0.0]


def test_no_signal_however_large_leaves_the_scale() -> None:
    assert confidence({"score": 60.0, "across": 1.0, "lead": 9.0, "agreement": 1.0}) <= 1.0
    assert confidence({"score": -60.0, "across": 0.0, "lead": 0.0, "agreement": 0.0}) >= 0.0
