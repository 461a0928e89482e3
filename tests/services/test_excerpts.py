"""A long document is read on in pieces that miss nothing; a short one comes whole."""

import pytest

from sovereign_rag.domain import PageText
from sovereign_rag.services.excerpts import Excerpt, PagePlace, excerpt_of

PAGES = tuple(PageText(n, f"Page {n} says {'much ' * n}.") for n in range(1, 6))


def test_a_short_document_comes_whole_whichever_place_is_asked_for() -> None:
    excerpt = excerpt_of(PAGES, PagePlace(3, 7), 1_000)

    assert excerpt == Excerpt("\n\n".join(page.text for page in PAGES), 1, 5, None)


@pytest.mark.parametrize("most", [1, 7, 20, 60])
def test_the_pieces_of_a_long_document_are_all_of_it(most: int) -> None:
    place: PagePlace | None = PagePlace()
    pieces: list[str] = []
    while place is not None:
        excerpt = excerpt_of(PAGES, place, most)
        assert excerpt is not None
        assert excerpt.first_page == place.page
        pieces.append(excerpt.text.replace("\n\n", ""))
        assert len(pieces[-1]) <= most
        place = excerpt.next

    assert "".join(pieces) == "".join(page.text for page in PAGES)


def test_reading_begins_at_the_place_that_was_found() -> None:
    excerpt = excerpt_of(PAGES, PagePlace(4, 5), 10)

    assert excerpt == Excerpt(PAGES[3].text[5:15], 4, 4, PagePlace(4, 15))


@pytest.mark.parametrize("pages", [PAGES, ()])
def test_there_is_nothing_beyond_the_last_page(pages: tuple[PageText, ...]) -> None:
    assert excerpt_of(pages, PagePlace(6), 3) is None
