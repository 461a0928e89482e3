"""Running headers and footers: what stands at the same edge of many pages."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ingest.parse.document.blocks import Block, Page
from sovereign_rag.domain import ElementKind

_EDGE = 0.12  # of the page's height, at its top and bottom
_FEWEST_PAGES = 3
_SHARE = 0.3
_LONGEST = 200
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—|\[(\s]*(?:(?:page|seite|s\.|p\.|página|pagina|pag\.|folio)\s*)?"
    r"(?:\d{1,4}|[ivxlc]{1,6})"
    r"(?:\s*(?:/|of|von|sur|de|di)\s*\d{1,4})?[-–—|\])\s.]*",
    re.IGNORECASE,
)


def mark_furniture(pages: Sequence[Page]) -> tuple[Page, ...]:
    """Mark headers, footers and page numbers by repetition; formats without boxes are left alone.

    A block counts when it stands in the top or bottom 12 % of its page, or is its first or last,
    and the same text stands there on at least three pages and on 30 % of them. Numbers in it may
    differ where it is no heading ("Article 5" is one). A bare page number needs one other page
    that has one too.
    """
    seen: Counter[tuple[str, str]] = Counter()
    numbered = 0
    for page in pages:
        edges = {key for item in page.blocks if (key := _edge_key(item, page)) is not None}
        seen.update(edges)
        numbered += any(_PAGE_NUMBER.fullmatch(b.text) for b in page.blocks if _edge(b, page))
    needed = max(_FEWEST_PAGES, _SHARE * len(pages))

    def marked(item: Block, page: Page) -> Block:
        key = _edge_key(item, page)
        if key is None:
            return item
        repeated = seen[key] >= needed
        number = numbered >= 2 and _PAGE_NUMBER.fullmatch(item.text)
        return replace(item, kind=ElementKind.FURNITURE, level=0) if repeated or number else item

    return tuple(
        replace(page, blocks=tuple(marked(b, page) for b in page.blocks)) for page in pages
    )


def _edge(item: Block, page: Page) -> str | None:
    """Which edge: top, bottom; topmost, bottommost for a page's first and last within."""
    if item.box is None or item.kind is ElementKind.TABLE or len(item.text) > _LONGEST:
        return None
    if item.box.bottom <= _EDGE:
        return "top"
    if item.box.top >= 1 - _EDGE:
        return "bottom"
    boxes = [other.box for other in page.blocks if other.box is not None]
    if item.box.top <= min(box.top for box in boxes):
        return "topmost"
    return "bottommost" if item.box.bottom >= max(box.bottom for box in boxes) else None


def _edge_key(item: Block, page: Page) -> tuple[str, str] | None:
    edge = _edge(item, page)
    if edge is None:
        return None
    exact = item.kind is ElementKind.TITLE or edge.endswith("most")
    text = item.text.lower()
    return edge, text if exact else _DIGITS.sub("#", text)
