"""Extracts -> what is shown of them: whole lists, rows with their header, short paragraphs whole.

Each is verbatim. Where what introduces an item or a row does not stand right before it, it is
quoted beside it, as a citation of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.answering.asides import (
    FEWEST_ITEMS,
    is_bare_item,
    is_bare_list,
    is_fields,
)
from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.domain import Chunk, Citation, Passage, Statement, Verdict
from sovereign_rag.retrieval.versions import is_older
from sovereign_rag.text.blocks import ListBlock, paragraphs
from sovereign_rag.text.lexicon import whole_words

_LONGEST_LIST: Final = 1200  # characters; of a longer one the item is quoted, with the lead-in
_OPENING: Final = 4  # words of a paragraph, among which one points back
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


def quotes(
    extracts: Sequence[Extract], pages: StoredPages, *, most: int, margin: float = EXTRACT_MARGIN
) -> tuple[Statement, ...]:
    """The best extracts as statements that quote themselves, and others nearly as good.

    Args:
        extracts: Best first.
        most: How many at most.
        margin: How far below the best one another may score. What an older version says is told
            apart from them, as what other versions say.
    """
    near = map(_shown, _near(extracts, margin))
    return tuple(_statement(quote, pages) for quote in _distinct(near, most))


def left_out(extracts: Sequence[Extract], *, most: int, margin: float) -> int:
    """How many more `quotes` would give with the same margin, were there no bound."""
    every = _distinct(map(_shown, _near(extracts, margin)), len(extracts))
    return max(0, len(every) - most)


def _near(extracts: Sequence[Extract], margin: float) -> Iterator[Extract]:
    return (
        e
        for e in extracts
        if e.score >= extracts[0].score - margin
        and (not is_older(e.passage) or is_older(extracts[0].passage))
    )


def with_cited(
    cited: Sequence[Citation], best: Sequence[Statement], *, most: int
) -> tuple[Statement, ...]:
    """What a draft draws on, then the best extracts, each said once; `most` at most."""
    first: list[Statement] = []
    for citation in cited:
        holding = (s for s in (*first, *best) if _holds(s, citation))
        first.append(next(holding, Statement(citation.quote, Verdict.QUOTED, (citation,))))
    return tuple(dict.fromkeys((*first, *best)))[:most]


def _holds(statement: Statement, citation: Citation) -> bool:
    return any(
        citation.passage_id == other.passage_id and citation.quote in other.quote
        for other in statement.citations
    )


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
    if extract.whole and block is None and is_bare_list(passage.chunk):
        return _Quote(passage, first, last)
    spans = paragraphs(passage.chunk.text)
    form = _form(passage.chunk.text, spans, extract)
    if form is not None and first <= form[0] and form[1] <= last:
        return _Quote(passage, *form)
    items = _bare_items(passage.chunk.text, spans, extract)
    if items is not None and first <= items[0] and items[1] <= last:
        return _Quote(passage, *items)
    before = None
    for start, end in spans:
        whole = start <= extract.start and extract.end <= end
        if whole and first <= start and end <= last and end - start <= _LONGEST_PARAGRAPH:
            if before is not None and first <= before and end - before <= _LONGEST_PARAGRAPH:
                start = before if _points_back(passage.chunk, start) else start
            return _Quote(passage, start, end)
        before = start
    return _Quote(passage, extract.start, extract.end)


def _form(text: str, spans: Sequence[tuple[int, int]], extract: Extract) -> tuple[int, int] | None:
    """The lines of a form around the one that was found: what is beside it says of what it is."""
    at = next((n for n, (a, b) in enumerate(spans) if a <= extract.start < b), None)
    if at is None or not is_fields(text[slice(*spans[at])]):
        return None
    low = high = at
    grown = True
    while grown:
        grown = False
        for end in (low - 1, high + 1):
            if not (0 <= end < len(spans) and is_fields(text[slice(*spans[end])])):
                continue
            first, last = min(low, end), max(high, end)
            if spans[last][1] - spans[first][0] <= _LONGEST_PARAGRAPH:
                low, high, grown = first, last, True
    return spans[low][0], spans[high][1]


def _bare_items(
    text: str, spans: Sequence[tuple[int, int]], extract: Extract
) -> tuple[int, int] | None:
    """The items around the one that was found, where nothing leads in but the paragraph before:
    the steps of what to do are one answer, and each alone is none.
    """
    bare = [is_bare_item(text[start:end]) for start, end in spans]
    at = next((n for n, (a, b) in enumerate(spans) if a <= extract.start < b), None)
    if at is None or not bare[at]:
        return None
    low = next((n + 1 for n in range(at, -1, -1) if not bare[n]), 0)
    high = next((n for n in range(at, len(spans)) if not bare[n]), len(spans)) - 1
    start, end = spans[low][0], spans[high][1]
    fits = end - start <= (_LONGEST_LIST if extract.whole else _LONGEST_PARAGRAPH)
    return (start, end) if fits and high - low + 1 >= FEWEST_ITEMS else None


def _points_back(chunk: Chunk, start: int) -> bool:
    """Whether a paragraph begins with what the one before it names: "Please use this as ..."."""
    opening = " ".join(chunk.text[start:].split(maxsplit=_OPENING)[:_OPENING])
    points = whole_words(chunk.language, "questions", "points_back")
    return bool(points and points.search(opening))


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
    stands = all(citation.stands for citation in citations)
    return Statement(
        text="\n".join(citation.quote for citation in citations),
        verdict=Verdict.QUOTED if stands else Verdict.UNSUPPORTED,
        citations=citations,
    )


def _wording(quote: _Quote) -> str:
    return " ".join(quote.passage.chunk.text[quote.start : quote.end].casefold().split())
