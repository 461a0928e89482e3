"""A document's text for a reader with limits: the whole of it, or a piece from a place on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sovereign_rag.domain import PageText


@dataclass(frozen=True, slots=True)
class PagePlace:
    """A character of a page: pages count from 1, characters from 0."""

    page: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What was taken of a document's pages."""

    text: str
    first_page: int
    last_page: int
    next: PagePlace | None  # where it goes on; None: at the end


def excerpt_of(pages: Sequence[PageText], place: PagePlace, most: int) -> Excerpt | None:
    """All pages where they have no more than `most` characters, else as many from `place` on.

    None where there is no such page.
    """
    if pages and sum(len(page.text) for page in pages) <= most:
        place = PagePlace(pages[0].number)
    taken: dict[int, str] = {}
    following = None
    for page in pages:
        if page.number < place.page:
            continue
        start = place.offset if page.number == place.page else 0
        end = start + most - sum(map(len, taken.values()))
        if end > start or not taken:
            taken[page.number] = page.text[start:end]
        if end < len(page.text):
            following = PagePlace(page.number, end)
            break
    if not taken:
        return None
    return Excerpt("\n\n".join(taken.values()), min(taken), max(taken), following)
