"""Passages -> what of them a language model reads: the best sentences, and where there is room
the whole sections and tables that they stand in.

On a CPU each token of a prompt costs time, so the best sentences with what stands around them come
first; then passage by passage, best first, the whole text takes the place of its cut-outs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import Passage
from sovereign_rag.text.sentences import sentences

BEST_SENTENCES: Final = 5
"""So many of the best sentences, with their neighbourhood, are read before whole passages are."""
_FEWEST_SENTENCES: Final = 3  # that are read however slow the model is
_NEIGHBOURHOOD: Final = 160  # characters kept on either side of a sentence


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model reads of one passage."""

    passage: Passage
    text: str


def readings(
    extracts: Sequence[Extract],
    tokens: Callable[[Sequence[Reading]], int],
    *,
    most: int,
    in_time: int,
) -> tuple[Reading, ...]:
    """What is read, best passage first.

    Args:
        extracts: Of all passages, best first.
        tokens: Counts a prompt with these readings.
        most: Tokens that the context has room for.
        in_time: Tokens that there is time for; the best sentences are read all the same.

    Returns:
        At least one reading, whether it fits or not; empty without extracts.
    """
    best = extracts[:BEST_SENTENCES]
    chosen = _cut_out(best)
    while len(best) > 1:
        room = min(most, in_time) if len(best) > _FEWEST_SENTENCES else most
        if tokens(chosen) <= room:
            break
        best = best[:-1]
        chosen = _cut_out(best)
    for place, reading in enumerate(chosen):
        whole = _whole(reading.passage)
        wider = (*chosen[:place], whole, *chosen[place + 1 :])
        if whole.text != reading.text and tokens(wider) <= min(most, in_time):
            chosen = wider
    return chosen


def _whole(passage: Passage) -> Reading:
    return Reading(passage, _under_header(passage, _shown(passage, 0, len(passage.chunk.text))))


def _cut_out(extracts: Sequence[Extract]) -> tuple[Reading, ...]:
    """One text a passage: its extracts with their neighbourhood, in reading order."""
    by_passage: dict[str, list[Extract]] = {}
    for extract in extracts:
        by_passage.setdefault(extract.passage.id, []).append(extract)
    read = []
    for group in by_passage.values():
        passage = group[0].passage
        text = " … ".join(_shown(passage, start, end) for start, end in _spans(group))
        read.append(Reading(passage, _under_header(passage, text)))
    return tuple(read)


def _spans(extracts: Sequence[Extract]) -> Iterator[tuple[int, int]]:
    """Where the extracts of one passage stand with their neighbourhood, what overlaps joined."""
    text = extracts[0].passage.chunk.text
    spans: list[tuple[int, int]] = []
    for extract in sorted(extracts, key=lambda e: e.start):
        start = max(0, extract.start - _NEIGHBOURHOOD)
        start = 0 if start == 0 else text.find(" ", start) + 1
        end = min(len(text), extract.end + _NEIGHBOURHOOD)
        end = len(text) if end == len(text) else max(extract.end, text.rfind(" ", 0, end))
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    yield from spans


def _shown(passage: Passage, start: int, end: int) -> str:
    """`text[start:end]` of the passage, without the sentences that speak to a model."""
    text, shown = passage.chunk.text, ""
    for first, last in sentences(text, passage.chunk.language):
        if speaks_to_a_model(text[first:last]):
            shown += text[start : max(start, min(first, end))]
            start = max(start, last)
    return (shown + text[start : max(start, end)]).strip()


def _under_header(passage: Passage, text: str) -> str:
    """Rows of a table below what its columns are called."""
    chunk = passage.chunk
    if chunk.kind != "table":
        return text
    header = chunk.table_header or chunk.text.split("\n", 1)[0]
    if text.startswith(header) or speaks_to_a_model(header):
        return text
    return f"{header}\n{text}"
