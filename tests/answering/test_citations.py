"""Quotes stand where they are said to stand."""

from sovereign_rag.answering.citations import boxes, cite
from sovereign_rag.domain import Box, Chunk, PageSpan, PageText, Passage, Word

DOCUMENT = "00000000-0000-0000-0000-000000000001"


class Pages:
    """The stored pages of one document."""

    def __init__(self, *texts: str) -> None:
        self._pages = {n: PageText(n, text) for n, text in enumerate(texts, start=1)}

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._pages.get(number)

    def agrees(self, passage: Passage, page: PageText, start: int, end: int) -> bool:
        return True


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
