"""What people see of an answer: numbered sources, marked gaps, and documents' text as text."""

import re
from dataclasses import replace

import pytest
from starlette.requests import Request

from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    PageSpan,
    PageText,
    Passage,
    QuoteVerdict,
    Statement,
    Verdict,
)
from sovereign_rag.http.sources import page_url
from sovereign_rag.web.rendering import fragment
from sovereign_rag.web.views import answer_view, marked_text, pages_around

DOCUMENT = "11111111-1111-5111-8111-111111111111"
HOSTILE = "<img src=x onerror=alert(1)> \"&'</span>"


def citation(start: int, page: int | None = 3) -> Citation:
    verdict = QuoteVerdict.VERIFIED
    return Citation(
        "a quote", DOCUMENT, "A title", "file:///a.pdf", page, start, start + 7, (), verdict
    )


def answer(*statements: Statement) -> Answer:
    return Answer(
        question="Who?",
        text=" ".join(statement.text for statement in statements),
        kind=AnswerKind.GENERATED,
        notice="Written by a model.",
        statements=statements,
        passages=(),
        language="en",
        model="model@1234",
        prompt_version="1",
        index_version="chunks-1",
        timings_ms={"search": 20.0, "total": 1_840.0},
        usage={},
    )


def html(answer: Answer, language: str = "en") -> str:
    request = Request({"type": "http", "query_string": f"lang={language}".encode(), "headers": []})
    return fragment(request, "answer.html", view=answer_view(answer))


def test_a_place_that_is_cited_twice_has_one_number() -> None:
    first, second = citation(0), citation(50)

    view = answer_view(
        answer(
            Statement("One.", Verdict.SUPPORTED, (first,)),
            Statement("Two.", Verdict.SUPPORTED, (second, first)),
        )
    )

    assert [[s.number for s in cited.sources] for cited in view.statements] == [[1], [2, 1]]
    assert [source.citation for source in view.sources] == [first, second]


def test_a_chip_leads_to_the_quote_on_its_page() -> None:
    page = html(answer(Statement("One.", Verdict.SUPPORTED, (citation(5),))))
    pageless = html(answer(Statement("One.", Verdict.SUPPORTED, (citation(5, page=None),))))

    assert f'href="/documents/{DOCUMENT}/pages/3?start=5&amp;end=12#quote"' in page
    assert 'aria-label="Source 1: A title, page 3"' in page
    assert f'href="/documents/{DOCUMENT}/pages/1?start=5&amp;end=12#quote"' in pageless
    assert 'aria-label="Source 1: A title"' in pageless


def test_a_statement_without_support_is_marked_and_others_are_not() -> None:
    supported = html(answer(Statement("Sure.", Verdict.SUPPORTED, (citation(0),))))
    mixed = html(
        answer(
            Statement("Sure.", Verdict.SUPPORTED, (citation(0),)),
            Statement("Perhaps.", Verdict.UNSUPPORTED, ()),
        )
    )

    assert "not supported by the documents" not in supported
    assert mixed.count(">not supported by the documents<") == 1
    assert re.search(r'unsupported">Perhaps\. <span class="tag"', mixed)
    assert "1 statement is not supported" in mixed


def test_a_quote_that_was_not_verified_is_said_to_be_so() -> None:
    unverified = replace(citation(0), verdict=QuoteVerdict.UNVERIFIED)
    doubtful = html(answer(Statement("One.", Verdict.SUPPORTED, (unverified,))))
    verified = html(answer(Statement("One.", Verdict.SUPPORTED, (citation(0),))))

    assert "Not found verbatim" in doubtful
    assert "Not found verbatim" not in verified


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "From a scan, recognised with 89% confidence"),
        ("de", "Aus einem Scan, zu 89\xa0% sicher"),
        ("fr", "D’après un document numérisé, reconnu à 89\xa0%"),
        ("es", "reconocido con un 89\xa0%"),
        ("it", "Da una scansione, riconosciuta al 89%"),
    ],
)
def test_a_quote_of_a_doubtful_scan_is_shown_as_one_and_not_as_verified(
    language: str, said: str
) -> None:
    doubtful = replace(citation(0), verdict=QuoteVerdict.SCAN, ocr_confidence=0.899)
    sure = replace(citation(0), ocr_confidence=0.95)

    scan = html(answer(Statement("One.", Verdict.SUPPORTED, (doubtful,))), language)
    verified = html(answer(Statement("One.", Verdict.SUPPORTED, (sure,))), language)

    assert said in scan
    assert "verdict yes" not in scan
    assert "✓" not in scan
    assert 'class="chip scan"' in scan
    assert "verdict yes" in verified
    assert "95" in verified


def test_the_words_around_an_answer_are_in_the_readers_language() -> None:
    page = html(answer(Statement("One.", Verdict.SUPPORTED, (citation(0),))), language="de")

    assert "Von einem Sprachmodell verfasst" in page
    assert "1,8\N{NO-BREAK SPACE}s" in page


def test_nothing_from_documents_or_models_becomes_markup() -> None:
    source = replace(citation(0), quote=HOSTILE, title=HOSTILE)
    chunk = Chunk(DOCUMENT, "v", 0, HOSTILE, (PageSpan(1, 0, 5),), (HOSTILE,), language="en")
    hostile = replace(
        answer(Statement(HOSTILE, Verdict.UNSUPPORTED, (source,))),
        notice=HOSTILE,
        question=HOSTILE,
        model=HOSTILE,
        passages=(Passage(chunk, HOSTILE, HOSTILE, True, 1.0, {}),),
    )

    for kind in AnswerKind:
        page = html(replace(hostile, kind=kind))

        assert "<img" not in page
        assert "&lt;img" in page
        assert "javascript:" not in page


def test_an_odd_document_id_stays_within_its_place_in_an_address() -> None:
    assert page_url("../../sign-out?x", 1) == "/documents/..%2F..%2Fsign-out%3Fx/pages/1"


def test_a_span_that_is_not_in_the_text_marks_nothing() -> None:
    page = PageText(1, "The quote is here.")

    inside, beyond = marked_text(page, 4, 9), marked_text(page, 4, 99)

    assert (inside.before, inside.mark, inside.after) == ("The ", "quote", " is here.")
    assert (beyond.before, beyond.mark) == (page.text, "")


def test_of_what_was_not_found_at_most_three_near_passages_are_shown_and_none_far_off() -> None:
    def passage(index: int, score: float) -> Passage:
        chunk = Chunk(DOCUMENT, "v", index, f"Text {index}.", (PageSpan(1, 0, 7),), language="fr")
        return Passage(chunk, "A title", "", True, score, {})

    scores = (1.0, 0.9, 0.3, 0.8, 0.7)
    found = tuple(passage(index, score) for index, score in enumerate(scores))
    none = replace(answer(), kind=AnswerKind.NONE, text="Nothing.", passages=found, confidence=0.3)

    near, far_off = html(none), html(replace(none, confidence=0.01))

    assert re.findall(r'<blockquote lang="fr">(Text \d)', near) == ["Text 0", "Text 1", "Text 3"]
    assert "<blockquote" not in far_off
    assert "/search?q=Who%3F" in far_off


@pytest.mark.parametrize(
    ("number", "pages", "offered"),
    [
        (1, 2, [1, 2]),
        (1, 400, [1, 2, 3, 4, 5, None, 400]),
        (200, 400, [1, None, *range(196, 205), None, 400]),
    ],
)
def test_few_pages_are_offered_as_small_pictures_however_long_a_document_is(
    number: int, pages: int, offered: list[int | None]
) -> None:
    assert pages_around(number, pages) == offered
