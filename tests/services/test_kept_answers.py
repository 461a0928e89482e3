"""What is kept of an answer, and what its readers are shown of it later."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.answering.model_limits import high_water
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    PageSpan,
    Passage,
    QuoteVerdict,
    Statement,
    Verdict,
)
from sovereign_rag.services.kept_answers import KeptAnswers, encode
from sovereign_rag.settings import LabelSettings

SCOPE = read_scope(Principal("ana"))
TEXTS = {"gate": "The gate opens at seven.", "yard": "The yard has forty places."}
LIVE = {
    name: LiveDocument(name, "1", name.title(), f"file:///{name}.txt", False, name, "key")
    for name in TEXTS
}


def citation(document: str) -> Citation:
    quote = TEXTS[document]
    return Citation(
        quote, document, document, "", None, 0, len(quote), (), QuoteVerdict.VERIFIED, None, "p:0"
    )


def passage(document: str) -> Passage:
    text = TEXTS[document]
    chunk = Chunk(document, "1", 0, text, (PageSpan(1, 0, len(text)),), language="en")
    return Passage(chunk, document, "", False, 1.0, {})


def answer(*statements: Statement, kind: AnswerKind = AnswerKind.EXTRACTS) -> Answer:
    return Answer(
        question="When?",
        text="",
        kind=kind,
        notice="A notice.",
        statements=statements,
        passages=tuple(map(passage, TEXTS)),
        language="en",
        model=None,
        prompt_version=None,
        index_version="chunks-1",
        timings_ms={"total": 12.0},
        usage={},
    )


def quoted(document: str) -> Statement:
    return Statement(TEXTS[document], Verdict.QUOTED, (citation(document),))


def kept(live: dict[str, LiveDocument], texts: dict[str, str] = TEXTS) -> KeptAnswers:
    return KeptAnswers(
        live=lambda ids, scope: {id_: live[id_] for id_ in ids if id_ in live},
        texts=lambda content, key: {1: texts[content]},
    )


def test_an_answer_is_shown_again_as_it_was() -> None:
    given = answer(quoted("gate"), quoted("yard"))

    shown = kept(LIVE).show(encode(given).body, SCOPE)

    assert [s.text for s in shown.answer.statements] == list(TEXTS.values())
    assert shown.answer.citations[0].title == "Gate"
    assert [p.chunk.text for p in shown.answer.passages] == list(TEXTS.values())
    assert (shown.withheld, shown.changed) == (0, 0)


def test_no_word_of_a_document_is_kept_of_an_answer_of_quotes() -> None:
    made = encode(answer(quoted("gate"), quoted("yard")))

    assert b"seven" not in made.body
    assert b"forty" not in made.body
    assert not made.holds_words
    assert made.documents == {"gate", "yard"}


def test_what_its_reader_may_not_read_any_more_is_left_out_and_said_to_be() -> None:
    shown = kept({"yard": LIVE["yard"]}).show(
        encode(answer(quoted("gate"), quoted("yard"))).body, SCOPE
    )

    assert [s.text for s in shown.answer.statements] == [TEXTS["yard"]]
    assert {p.chunk.document_id for p in shown.answer.passages} == {"yard"}
    assert shown.answer.notice == ""
    assert shown.withheld == 1


def test_a_quote_that_stands_there_no_longer_is_left_out() -> None:
    changed = {**TEXTS, "gate": "The gate opens at eight."}

    shown = kept(LIVE, changed).show(encode(answer(quoted("gate"), quoted("yard"))).body, SCOPE)

    assert [s.text for s in shown.answer.statements] == [TEXTS["yard"]]
    assert (shown.withheld, shown.changed) == (0, 1)


@pytest.mark.parametrize("verdict", [Verdict.SUPPORTED, Verdict.UNSUPPORTED])
def test_a_models_words_are_shown_to_who_may_read_all_that_they_were_drawn_from(
    verdict: Verdict,
) -> None:
    cited = () if verdict is Verdict.UNSUPPORTED else (citation("yard"),)
    written = replace(
        answer(Statement("Seven, and forty.", verdict, cited), kind=AnswerKind.GENERATED),
        model="model@1",
    )
    made = encode(written)

    whole, narrowed = kept(LIVE), kept({"yard": LIVE["yard"]})

    assert made.holds_words
    assert whole.show(made.body, SCOPE).answer.statements[0].text == "Seven, and forty."
    shown = narrowed.show(made.body, SCOPE)
    assert (shown.answer.statements, shown.withheld) == ((), 1)
    assert shown.answer.kind is AnswerKind.NONE
    assert "Seven" not in shown.answer.text


LEVELS = st.lists(st.integers(0, 4), min_size=2, max_size=2)


@given(made=LEVELS, now=LEVELS, readable=st.sets(st.sampled_from(sorted(TEXTS)), min_size=1))
def test_an_answer_never_falls_below_the_highest_level_of_what_it_was_drawn_from(
    made: list[int], now: list[int], readable: set[str]
) -> None:
    """Whichever documents were raised, lowered or taken away since, and whatever is cited."""
    passages = tuple(
        replace(passage(name), level=level) for name, level in zip(TEXTS, made, strict=True)
    )
    given_then = replace(answer(quoted("gate")), passages=passages, level=high_water(passages))
    live = {
        name: replace(LIVE[name], level=level)
        for name, level in zip(TEXTS, now, strict=True)
        if name in readable
    }

    shown = kept(live).show(encode(given_then).body, SCOPE).answer

    assert given_then.level == max(made)
    assert shown.level >= max(made)
    assert shown.level >= max(document.level for document in live.values())
    assert all(p.level <= shown.level for p in shown.passages)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([{"level": 2, "model": "none"}, {"level": 3, "model": "any"}], "more models"),
        ([{"level": 2, "take_along": False}, {"level": 3}], "taken along"),
        ([{"level": 3}, {"level": 3}], "ascend"),
        (
            [
                {"level": 2, "model": "local"},
                {"level": 3, "model": "local", "endpoints": ["http://a"]},
            ],
            "more endpoints",
        ),
        ([{"level": 2, "endpoints": ["http://a"]}], 'is "local"'),
    ],
)
def test_a_higher_level_is_never_limited_less(levels: list[dict[str, object]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LabelSettings.model_validate({"levels": levels})

    rules = LabelSettings.model_validate(
        {"levels": [{"level": 2, "model": "local"}, {"level": 3, "model": "none"}]}
    )
    seen = [rules.model_may_see(level, is_local=True) for level in (0, 1, 2, 3, 9, None)]
    assert seen == [True, True, True, False, False, False]
    assert not rules.model_may_see(2, is_local=False)
