"""Passages that were found -> those that an answer is made from.

Near-duplicates are said once, chunks that follow each other are joined, a chunk that was cut in
the middle of something gets its neighbour, no document crowds out the others, and all of it stays
within a budget of tokens. The order is best first: it is in what comes first that extracts are
looked for, and that a model reads most carefully.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sovereign_rag.domain import Chunk, PageSpan, Passage

ALIKE: Final = 0.8
"""Share of the shorter text's word sequences, from which the other holds it: the same form letter,
another version of a page, the summary that is quoted whole. Where a number differs, both are
kept however alike they are: 25 days in one version and 27 in another is what matters most.
"""
_SHINGLE = 5  # words
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")
_STARTS_WITHIN = re.compile(r"\s*(?:[a-zà-öø-ÿ]|[-–•*·]\s|[,;:)])")
_ENDS_WITHIN = re.compile(r"[^.!?…»”\"')\]]\s*$")

Neighbours = Callable[[Sequence[tuple[Passage, int]]], Mapping[tuple[str, int], Chunk]]
"""Looks up chunks beside passages: asked for (passage, place in its document), it gives those
that the caller may read by (document id, place)."""
CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class ContextBudget:
    passages: int
    per_document: int  # before the passages of other documents come first
    tokens: int


def assemble(
    found: Sequence[Passage],
    budget: ContextBudget,
    *,
    neighbours: Neighbours,
    count_tokens: CountTokens,
) -> list[Passage]:
    """The passages that an answer is made from, best first.

    Args:
        found: By the search, best first; more than the budget lets through.
        neighbours: Within the same rights as the search.
        count_tokens: The embedding model's.

    Returns:
        At most `budget.passages`; the first always, whatever its length. Where chunks were
        joined, the passage has the better one's score and id, and the text of both in reading
        order.
    """
    chosen = _spread(_distinct(found), budget)
    joined = _joined(_completed(chosen, neighbours))
    counts = count_tokens([passage.chunk.embedded_text for passage in joined])
    within: list[Passage] = []
    left = budget.tokens
    for passage, tokens in zip(joined, counts, strict=True):
        if tokens <= left or not within:
            within.append(passage)
            left -= tokens
    return within


def _distinct(found: Sequence[Passage]) -> Iterator[Passage]:
    """Those that no better one says already."""
    kept: list[_Wording] = []
    for passage in found:
        wording = _Wording.of(passage.chunk)
        if not any(wording.is_said_by(better) for better in kept):
            kept.append(wording)
            yield passage


@dataclass(frozen=True, slots=True)
class _Wording:
    """What a text says, for comparison with others."""

    shingles: frozenset[bytes]
    numbers: frozenset[str]

    @classmethod
    def of(cls, chunk: Chunk) -> "_Wording":
        text = f"{chunk.table_header} {chunk.text}".casefold()
        words = _WORD.findall(text)
        sequences = (
            " ".join(words[at : at + _SHINGLE]) for at in range(max(1, len(words) - _SHINGLE + 1))
        )
        return cls(
            shingles=frozenset(
                hashlib.blake2b(sequence.encode(), digest_size=8).digest() for sequence in sequences
            ),
            numbers=frozenset(_NUMBER.findall(text)),
        )

    def is_said_by(self, better: "_Wording") -> bool:
        shorter = min(len(self.shingles), len(better.shingles))
        shared = len(self.shingles & better.shingles)
        return self.numbers <= better.numbers and shared >= ALIKE * shorter


def _spread(passages: Iterator[Passage], budget: ContextBudget) -> list[Passage]:
    """A document's passages beyond its share come after those of all others."""
    first: list[Passage] = []
    later: list[Passage] = []
    of_document: Counter[str] = Counter()
    for passage in passages:
        of_document[passage.chunk.document_id] += 1
        within = of_document[passage.chunk.document_id] <= budget.per_document
        (first if within else later).append(passage)
    return (first + later)[: budget.passages]


def _completed(passages: Sequence[Passage], neighbours: Neighbours) -> list[Passage]:
    """Each passage with the neighbour that it was cut from, if it was."""
    wanted: list[tuple[Passage, int]] = []
    for passage in passages:
        chunk = passage.chunk
        if chunk.kind != "text":
            continue  # a table's pieces carry their header
        if chunk.index > 0 and _STARTS_WITHIN.match(chunk.text):
            wanted.append((passage, chunk.index - 1))
        if _ENDS_WITHIN.search(chunk.text):
            wanted.append((passage, chunk.index + 1))
    present = {(p.chunk.document_id, p.chunk.index) for p in passages}
    wanted = [(p, at) for p, at in wanted if (p.chunk.document_id, at) not in present]
    beside = neighbours(wanted) if wanted else {}
    completed = {passage.id: passage for passage in passages}
    for passage, at in wanted:
        neighbour = beside.get((passage.chunk.document_id, at))
        if neighbour is not None and neighbour.heading_path == passage.chunk.heading_path:
            now = completed[passage.id]
            completed[passage.id] = replace(now, chunk=_join(now.chunk, neighbour))
    return list(completed.values())


def _joined(passages: Sequence[Passage]) -> list[Passage]:
    """Passages of which one follows on the other become one, in the better one's place."""
    joined: list[Passage] = []
    for passage in passages:
        for place, better in enumerate(joined):
            if _touch(better.chunk, passage.chunk):
                joined[place] = replace(better, chunk=_join(better.chunk, passage.chunk))
                break
        else:
            joined.append(passage)
    return joined


def _touch(one: Chunk, other: Chunk) -> bool:
    """Whether one of two chunks of a document directly follows the other in its text."""
    if (one.document_id, one.version, one.kind) != (other.document_id, other.version, other.kind):
        return False
    if one.kind != "text" or one.heading_path != other.heading_path:
        return False
    return abs(one.index - other.index) == 1


def _place(chunk: Chunk) -> tuple[int, int]:
    return chunk.spans[0].page, chunk.spans[0].start


def _join(one: Chunk, other: Chunk) -> Chunk:
    """Both texts in reading order. `one` gives its place, so that the passage keeps its id."""
    first, second = sorted((one, other), key=_place)
    if set(first.spans) & set(second.spans):
        return one
    return replace(
        one,
        text=f"{first.text}\n\n{second.text}",
        spans=_one_after_the_other(first.spans, second.spans),
        table_header=first.table_header,
    )


def _one_after_the_other(
    first: tuple[PageSpan, ...], second: tuple[PageSpan, ...]
) -> tuple[PageSpan, ...]:
    """Both chunks' spans; one where nothing but a blank line lies between, so that a list which
    was cut can be quoted whole.
    """
    last, next_ = first[-1], second[0]
    if last.page != next_.page or next_.start - last.end != len("\n\n"):
        return first + second
    return (*first[:-1], PageSpan(last.page, last.start, next_.end), *second[1:])
