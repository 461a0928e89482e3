"""Quotes stand where they are said to stand."""

from pathlib import Path

import pytest

from sovereign_rag.answering.citations import LivePages, boxes, cite
from sovereign_rag.domain import (
    Box,
    Chunk,
    PageSpan,
    PageText,
    ParsedDocument,
    Passage,
    QuoteVerdict,
    Word,
)
from sovereign_rag.storage.content import ContentStore

DOCUMENT = "00000000-0000-0000-0000-000000000001"


class Pages:
    """The stored pages of one document."""

    def __init__(self, *texts: str) -> None:
        self._pages = {n: PageText(n, text) for n, text in enumerate(texts, start=1)}

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._pages.get(number)

    def verdict(self, passage: Passage, page: PageText, start: int, end: int) -> QuoteVerdict:
        return QuoteVerdict.VERIFIED


def passage(text: str, *spans: PageSpan, language: str = "en", paged: bool = True) -> Passage:
    chunk = Chunk(DOCUMENT, "v1", 0, text, spans or (PageSpan(1, 0, len(text)),), language=language)
    return Passage(chunk, "Title", "file:///x", paged, 1.0, {})


def test_a_quote_is_cited_at_its_place_on_its_page() -> None:
    pages = Pages("Cover.", "Intro. The limit is 30 days. End.")
    found = passage("Cover.\n\nThe limit is 30 days.", PageSpan(1, 0, 6), PageSpan(2, 7, 28))

    citation = cite(found, 8, 29, pages)

    assert (citation.quote, citation.page) == ("The limit is 30 days.", 2)
    assert (citation.start, citation.end) == (7, 28)
    assert citation.verified


def test_a_quote_that_the_stored_page_does_not_hold_is_not_verified() -> None:
    pages = Pages("The limit is 31 days.")

    citation = cite(passage("The limit is 30 days."), 0, 21, pages)

    assert not citation.verified
    assert citation.boxes == ()


def test_a_format_without_pages_is_cited_without_a_page() -> None:
    text = "The limit is 30 days."

    citation = cite(passage(text, paged=False), 0, 21, Pages(text))

    assert citation.page is None
    assert citation.verified


def test_a_quote_over_two_lines_is_marked_with_a_box_for_each() -> None:
    def word(start: int, end: int, left: float, top: float) -> Word:
        return Word(start, end, Box(1, left, top, left + 0.125, top + 0.25))

    page = PageText(
        1,
        "one two three four",
        words=(
            word(0, 3, 0.0, 0.0),
            word(4, 7, 0.5, 0.0),
            word(8, 13, 0.0, 0.5),
            word(14, 18, 0.5, 0.5),
        ),
    )

    marked = boxes(page, 4, 13)

    assert marked == (Box(1, 0.5, 0.0, 0.625, 0.25), Box(1, 0.0, 0.5, 0.125, 0.75))


@pytest.mark.parametrize("lower", [0.0, 0.06], ids=["on the line", "half a line lower"])
def test_a_box_ends_where_words_stand_between_that_are_not_quoted(lower: float) -> None:
    text, words, at = "Rate and its limits 7 8", [], 0
    places = (0.1, 0.2, 0.4, 0.5, 0.3, 0.6)  # the mark 7 stands between words of the line
    for word, left in zip(text.split(" "), places, strict=True):
        top = 0.1 + (lower if word == "7" else 0)
        words.append(Word(at, at + len(word), Box(1, left, top, left + 0.05, top + 0.1)))
        at += len(word) + 1
    page = PageText(1, text, words=tuple(words))

    assert [(box.left, round(box.right, 2)) for box in boxes(page, 0, 19)] == [
        (0.1, 0.25),
        (0.4, 0.55),
    ]
    parts = len(boxes(page, 0, len(text)))
    assert parts == (3 if lower else 1)  # where they are quoted too


def recognised(text: str, *sure: float, page: float | None = 0.95) -> PageText:
    """A page of a scan: each word with the recogniser's confidence; none: an older parser's."""
    words, at = [], 0
    for word, confidence in zip(text.split(" "), sure, strict=False):
        words.append(Word(at, at + len(word), Box(1, 0.0, 0.0, 0.5, 0.5), confidence))
        at += len(word) + 1
    return PageText(1, text, words=tuple(words), ocr_confidence=page)


@pytest.mark.parametrize(
    ("page", "verdict", "percent"),
    [
        (recognised("Dose 250 mg", 0.96, 0.95, 0.97), "verified", 95),
        (recognised("Dose 250 mg", 0.96, 0.79, 0.97), "scan", 79),  # however sure of the others
        (recognised("Dose 250 mg", page=0.95), "verified", 95),
        (recognised("Dose 250 mg", page=0.79), "scan", 79),
        (PageText(1, "Dose 250 mg"), "verified", None),
        # on a page with text, whose file has no letters for its figures
        (recognised("Dose 250 mg", 0.96, 0.95, 0.97, page=None), "verified", 95),
        (recognised("Dose 250 mg", 0.96, 0.79, 0.97, page=None), "scan", 79),
    ],
)
def test_a_quote_of_a_scan_is_verified_where_the_recogniser_was_sure_of_it(
    page: PageText, verdict: str, percent: int | None, tmp_path: Path
) -> None:
    content = ContentStore(tmp_path)
    parsed = ParsedDocument("image/png", (page,), (), paged=True)
    content.put_parsed("ab" * 32, "p1-a-png", parsed)
    pages = LivePages(content, {DOCUMENT: ("ab" * 32, "p1-a-png")}, least_confidence=0.85)

    citation = cite(passage("Dose 250 mg"), 0, 11, pages)

    sure = citation.ocr_confidence
    assert citation.verdict == verdict
    assert citation.verified is (verdict == "verified")
    assert (sure if sure is None else round(100 * sure)) == percent


def test_only_the_words_that_are_quoted_tell_how_sure_the_recogniser_was(tmp_path: Path) -> None:
    content = ContentStore(tmp_path)
    page = recognised("Dose 250 mg", 0.96, 0.31, 0.97)
    content.put_parsed("ab" * 32, "p1-a-png", ParsedDocument("image/png", (page,), (), paged=True))
    pages = LivePages(content, {DOCUMENT: ("ab" * 32, "p1-a-png")}, least_confidence=0.85)

    beside = cite(passage("Dose 250 mg"), 9, 11, pages)
    across = cite(passage("Dose 250 mg"), 5, 11, pages)

    assert beside.verified
    assert across.verdict is QuoteVerdict.SCAN
    assert across.boxes  # shown on the page, for whoever compares
    assert across.stands
