"""Where the sentences, items of lists and rows of tables stand that can be quoted of a passage."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sovereign_rag.answering.asides import is_bare_list
from sovereign_rag.answering.injection import addresses_a_model, speaks_to_a_model
from sovereign_rag.domain import Passage
from sovereign_rag.retrieval.versions import file_name
from sovereign_rag.text.blocks import ListBlock, blocks
from sovereign_rag.text.lexicon import whole_words
from sovereign_rag.text.sentences import sentences

_LETTERS = re.compile(r"\w")
_FEWEST_LETTERS = 12  # of a sentence that can state something by itself


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sentence, an item of a list or a row of a table stands."""

    passage: Passage
    start: int
    end: int
    block: ListBlock | None

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]

    @property
    def language(self) -> str | None:
        return self.passage.chunk.language

    @property
    def points_back(self) -> bool:
        """Whether it names what was said before: "after this time limit"."""
        words = whole_words(self.language, "questions", "points_back")
        return bool(words and words.search(self.text))

    def goes_on_in(self, other: "Place") -> bool:
        """Whether another one follows it in the same paragraph."""
        if self.passage is not other.passage:
            return False
        between = self.passage.chunk.text[self.end : other.start]
        return not between.strip() and "\n" not in between

    @property
    def with_lead(self) -> str:
        lead = lead_of(self.passage, self.start, self.block)
        return f"{lead}\n{self.text}" if lead else self.text

    @property
    def lead_in(self) -> str | None:
        """What introduces the list that it is of; "" where a heading does, None: it is of none."""
        if self.block is not None:
            return self.passage.chunk.text[self.block.start : self.block.lead_end]
        return "" if is_bare_list(self.passage.chunk) else None

    @property
    def with_names(self) -> str:
        """With the document's title and file name: a year or a number in them is its own."""
        return f"{self.text}\n{self.passage.title}\n{file_name(self.passage.uri)}"


def places_of(passage: Passage) -> Iterator[Place]:
    text, language = passage.chunk.text, passage.chunk.language
    lists = blocks(text) if passage.chunk.kind == "text" else []
    noted_to = 0  # a note to a model goes on to the end of its paragraph
    for start, end in _cut(sentences(text, language), lists):
        if addresses_a_model(text[start:end]):
            noted_to = _paragraph_end(text, end)
        if start < noted_to or speaks_to_a_model(text[start:end]):
            continue
        block = next((b for b in lists if b.start <= start < b.end), None)
        if _can_state(text[start:end], in_list=block is not None or passage.chunk.kind == "table"):
            yield Place(passage, start, end, block)


def is_label(place: Place) -> bool:
    """Whether it is no sentence, nor of a list or a table: a heading, a caption, a field's name."""
    if place.block is not None or place.passage.chunk.kind == "table":
        return False
    return not place.text.rstrip().endswith((".", "!", ":", ";"))


def lead_of(passage: Passage, start: int, block: ListBlock | None) -> str:
    chunk = passage.chunk
    if block is not None:
        return chunk.text[block.start : block.lead_end] if start >= block.lead_end else ""
    if chunk.kind == "table":
        return chunk.table_header or (chunk.text.split("\n", 1)[0] if start else "")
    return ""


def _can_state(sentence: str, *, in_list: bool) -> bool:
    fewest = 1 if in_list else _FEWEST_LETTERS
    return len(_LETTERS.findall(sentence)) >= fewest and not sentence.rstrip().endswith("?")


def _cut(spans: Sequence[tuple[int, int]], lists: Sequence[ListBlock]) -> list[tuple[int, int]]:
    """Sentences, cut between the items of a list that was run into one paragraph."""
    borders = sorted({border for block in lists for border, _ in block.items})
    pieces: list[tuple[int, int]] = []
    for start, end in spans:
        inside = [border for border in borders if start < border < end]
        pieces += pairwise([start, *inside, end])
    return pieces


def _paragraph_end(text: str, offset: int) -> int:
    """Where the paragraph ends, or the row of a table, that a sentence ends in."""
    found = text.find("\n", offset - 1)
    return len(text) if found < 0 else found
