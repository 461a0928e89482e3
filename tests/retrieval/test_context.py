"""What an answer is made from: said once, whole, from several documents, within a budget."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.retrieval.context import ContextBudget, assemble

ROOMY = ContextBudget(passages=10, per_document=10, tokens=10_000)


def passage(
    text: str,
    *,
    document: str = "a",
    index: int = 0,
    score: float = 5.0,
    kind: str = "text",
    headings: tuple[str, ...] = (),
) -> Passage:
    chunk = Chunk(
        document_id=str(uuid.uuid5(uuid.NAMESPACE_OID, document)),
        version="v1",
        index=index,
        text=text,
        spans=(PageSpan(1, 1_000 * index, 1_000 * index + len(text)),),
        heading_path=headings,
        kind=kind,
    )
    return Passage(chunk, document, f"file:///{document}", True, score, {})


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def nothing(wanted: Sequence[tuple[Passage, int]]) -> Mapping[tuple[str, int], Chunk]:
    return {}


def texts(passages: Sequence[Passage]) -> list[str]:
    return [p.chunk.text for p in passages]


NOTICE = (
    "Visitors report to the reception and wear a yellow badge for as long as they are in the "
    "building. The badge is handed back when they leave."
)


def test_what_two_documents_say_alike_is_said_once_by_the_better_one() -> None:
    found = [
        passage(NOTICE, document="handbook", score=6),
        passage(NOTICE + " Lost badges are paid for.", document="copy", score=5),
        passage("The canteen is open at noon for everybody.", document="canteen", score=4),
    ]

    kept = assemble(found, ROOMY, neighbours=nothing, count_tokens=words)

    assert [p.title for p in kept] == ["handbook", "canteen"]


def test_texts_that_differ_in_a_number_are_both_kept() -> None:
    old = "Every employee has a right to 25 days of paid leave in each calendar year of service."
    found = [
        passage(old.replace("25", "27"), document="new"),
        passage(old, document="old"),
    ]

    assert len(assemble(found, ROOMY, neighbours=nothing, count_tokens=words)) == 2


def test_one_document_does_not_crowd_out_the_others_and_is_not_cut_off_either() -> None:
    long = [passage(f"Rule {n} of the long book.", document="long", index=3 * n) for n in range(5)]
    other = passage("What the short leaflet says.", document="short")
    budget = ContextBudget(passages=4, per_document=2, tokens=10_000)

    spread = assemble([*long, other], budget, neighbours=nothing, count_tokens=words)
    alone = assemble(long, budget, neighbours=nothing, count_tokens=words)

    assert [p.title for p in spread] == ["long", "long", "short", "long"]
    assert len(alone) == 4


def test_chunks_that_follow_each_other_become_one_passage_in_reading_order() -> None:
    first = passage("The fee is due in March.", index=4, score=5)
    second = passage("Whoever pays late pays twice.", index=5, score=6)

    (joined,) = assemble([second, first], ROOMY, neighbours=nothing, count_tokens=words)

    assert joined.chunk.text == "The fee is due in March.\n\nWhoever pays late pays twice."
    assert joined.chunk.spans == first.chunk.spans + second.chunk.spans
    assert (joined.id, joined.score) == (second.id, second.score)


def test_chunks_of_other_sections_or_of_a_table_stay_apart() -> None:
    fees = passage("The fee is due in March.", index=4, headings=("Fees",))
    dogs = passage("Dogs are not allowed here.", index=5, headings=("Dogs",))
    rows = [passage(f"{n} | {n} euros", index=n, kind="table") for n in (6, 7)]

    assert len(assemble([fees, dogs, *rows], ROOMY, neighbours=nothing, count_tokens=words)) == 4


def test_a_chunk_that_was_cut_in_the_middle_gets_its_neighbour() -> None:
    before, hit, after = (
        passage("An applicant needs a passport,", index=0),
        passage("a photograph and the following:", index=1),
        passage("proof of residence, and the fee.", index=2),
    )
    stored = {(p.chunk.document_id, p.chunk.index): p.chunk for p in (before, after)}
    asked: list[int] = []

    def neighbours(wanted: Sequence[tuple[Passage, int]]) -> Mapping[tuple[str, int], Chunk]:
        asked.extend(place for _, place in wanted)
        return stored

    (whole,) = assemble([hit], ROOMY, neighbours=neighbours, count_tokens=words)

    assert asked == [0, 2]
    assert whole.chunk.text.split("\n\n") == texts([before, hit, after])
    assert whole.id == hit.id


def test_a_neighbour_that_is_not_given_is_not_missed() -> None:
    hit = passage("a photograph and the following:", index=1)

    assert texts(assemble([hit], ROOMY, neighbours=nothing, count_tokens=words)) == [hit.chunk.text]


def test_a_neighbour_of_another_section_is_left_where_it_is() -> None:
    hit = passage("The list is as follows:", index=0, headings=("Papers",))
    other = replace(passage("Dogs stay outside.", index=1).chunk, heading_path=("Dogs",))

    kept = assemble(
        [hit],
        ROOMY,
        neighbours=lambda wanted: {(other.document_id, other.index): other},
        count_tokens=words,
    )

    assert texts(kept) == [hit.chunk.text]


def test_the_budget_of_tokens_holds_and_the_best_passage_stays_in_any_case() -> None:
    long = passage("word " * 50 + "end.", document="long")
    short = passage("A short one of six words.", document="short")
    other = passage("Another short one of seven words now.", document="other")

    within = assemble(
        [short, long, other],
        ContextBudget(passages=10, per_document=10, tokens=20),
        neighbours=nothing,
        count_tokens=words,
    )
    best = assemble(
        [long, short],
        ContextBudget(passages=10, per_document=10, tokens=20),
        neighbours=nothing,
        count_tokens=words,
    )

    assert [p.title for p in within] == ["short", "other"]
    assert [p.title for p in best] == ["long"]
