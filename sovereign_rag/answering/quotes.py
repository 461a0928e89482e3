"""Extracts -> what is shown of them: whole lists, rows with their header, short paragraphs whole.

Each is verbatim. Where what introduces an item or a row does not stand right before it, it is
quoted beside it, as a citation of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.domain import Chunk, Passage, Statement, Verdict
from sovereign_rag.text.blocks import ListBlock, paragraphs

_LONGEST_LIST: Final = 1200  # characters; of a longer one the item is quoted, with the lead-in
_LONGEST_PARAGRAPH: Final = 420  # of a longer one the sentence is quoted
EXTRACT_MARGIN: Final = 0.25
"""How far below the best one another extract may score and still be quoted."""


@dataclass(frozen=True, slots=True)
class _Quote:
    """A span of a passage's text that is shown, and the span of what introduces it."""

    passage: Passage
    start: int
    end: int
    lead: tuple[int, int] | None = None

    def holds(self, other: "_Quote") -> bool:
        same = self.passage.id == other.passage.id
        if same and self.start <= other.start and other.end <= self.end:
            return True
        return _wording(other) in _wording(self)


def quotes(extracts: Sequence[Extract], pages: StoredPages, *, most: int) -> tuple[Statement, ...]:
    """The best extracts as statements that quote themselves, and others nearly as good.

    Args:
        extracts: Best first.
        most: How many at most.
    """
    near = (e for e in extracts if e.score >= extracts[0].score - EXTRACT_MARGIN)
    return tuple(_statement(quote, pages) for quote in _distinct(map(_shown, near), most))


def _distinct(found: Iterator[_Quote], most: int) -> list[_Quote]:
    kept: list[_Quote] = []
    for quote in found:
        if any(better.holds(quote) for better in kept):
            continue
        kept = [better for better in kept if not quote.holds(better) or better is kept[0]]
        kept.append(quote)
        if len(kept) == most:
            break
    return kept


def _shown(extract: Extract) -> _Quote:
    passage, block = extract.passage, extract.block
    first, last = _bounds(passage.chunk, extract.start)
    if passage.chunk.kind == "table":
        header_end = passage.chunk.text.find("\n")
        header = (0, header_end) if 0 < header_end < extract.start else None
        return _Quote(passage, extract.start, extract.end, header)
    if block is not None:
        return _of_list(passage, extract, block, first, last)
    for start, end in paragraphs(passage.chunk.text):
        whole = start <= extract.start and extract.end <= end
        if whole and first <= start and end <= last and end - start <= _LONGEST_PARAGRAPH:
            return _Quote(passage, start, end)
    return _Quote(passage, extract.start, extract.end)


def _of_list(passage: Passage, extract: Extract, block: ListBlock, first: int, last: int) -> _Quote:
    start, end = max(block.start, first), min(block.end, last)
    if end - start <= _LONGEST_LIST:
        return _Quote(passage, start, end)
    if extract.start >= block.lead_end:
        return _Quote(passage, extract.start, extract.end, (block.start, block.lead_end))
    fitting = [stop for _, stop in block.items if stop <= last and stop - start <= _LONGEST_LIST]
    return _Quote(passage, start, fitting[-1] if fitting else extract.end)


def _bounds(chunk: Chunk, offset: int) -> tuple[int, int]:
    """Where in the chunk's text the page span begins and ends that holds an offset."""
    position = 0
    for span in chunk.spans:
        end = position + span.end - span.start
        if offset < end:
            return position, end
        position = end + len("\n\n")
    return 0, len(chunk.text)


def _statement(quote: _Quote, pages: StoredPages) -> Statement:
    spans = [span for span in (quote.lead, (quote.start, quote.end)) if span]
    citations = tuple(cite(quote.passage, start, end, pages) for start, end in spans)
    verified = all(citation.verified for citation in citations)
    return Statement(
        text="\n".join(citation.quote for citation in citations),
        verdict=Verdict.QUOTED if verified else Verdict.UNSUPPORTED,
        citations=citations,
    )


def _wording(quote: _Quote) -> str:
    return " ".join(quote.passage.chunk.text[quote.start : quote.end].casefold().split())
