"""Passages -> the sentences, lists and rows that speak to the question, each scored.

The best sentence itself answers most factual questions, needs no language model, and its score
tells the answerable from the unanswerable. It is also what a model is given to read. An item of a
list is read with what introduces the list, a row of a table with its header: alone they say half.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sovereign_rag.answering.contradiction import negated
from sovereign_rag.answering.definitions import defines, term
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.retrieval.query import Query
from sovereign_rag.retrieval.versions import is_older
from sovereign_rag.text.blocks import ListBlock, blocks
from sovereign_rag.text.sentences import sentences

_LETTERS = re.compile(r"\w")
_FEWEST_LETTERS = 12  # of a sentence that can state something by itself

PASSAGE_SHARE = 0.5
"""Weight of the passage's score in its sentences'; chosen on the development questions."""
HEADINGS = 0.8
"""Weight of a word of the headings, beside 1 for one of the sentence: a section on season tickets
need not repeat "season ticket" in each sentence."""
DENIES = 0.3
"""What a sentence with a "not" scores beside, where the question has one."""
OUTDATED = 0.3
"""What a sentence scores less of which a newer version of the document says something alike."""
DEFINES = 0.4
"""What a sentence that defines the term asked for scores beside."""


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage: `passage.chunk.text[start:end]`."""

    passage: Passage
    start: int
    end: int
    score: float  # evidence that it answers; see EvidenceFinder.find
    cosine: float  # to the question, [-1, 1]
    coverage: float  # of the question's terms by the sentence, [0, 1]
    block: ListBlock | None = None  # the list that it is of, the lead-in or an item
    defines: bool = False  # the term that the question wants defined

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]

    @property
    def lead(self) -> str:
        """What introduces the list or the table that it is of, where it isn't that itself."""
        return _lead(self.passage, self.start, self.block)


class EvidenceFinder:
    """Scores the sentences of passages against a question."""

    def __init__(
        self, *, embedder: Embedder, lexical: LexicalEncoder, dense_weight: float, sentences: int
    ) -> None:
        self._embedder, self._lexical = embedder, lexical
        self._dense_weight, self._most = dense_weight, sentences

    def find(self, query: Query, passages: Sequence[Passage]) -> list[Extract]:
        """The sentences of `passages`, best first.

        A sentence scores dense_weight * cosine + coverage, as a chunk does in the search, plus a
        share of its passage's own score: a sentence alone has lost what the paragraph was about.
        All are scored without the cosine first, which costs next to nothing; those that come first
        then are embedded, as many as the budget lets. What asks instead of stating, only names
        what was asked for, as a heading does, or speaks to a language model, is passed over. Where
        a definition is asked for, sentences that define the term come forward.
        """
        places = [place for passage in passages for place in _places(passage)]
        if not places:
            return []
        texts = [place.with_lead for place in places]
        spoken = [place.passage.chunk.language for place in places]
        weights = self._lexical.encode_passages(texts, spoken)
        headings = self._headings(passages)
        asked, denied = term(query.text, query.language), negated(query.text, query.language)
        likely = [
            _Sentence(
                place,
                query.coverage(_bm25(query, weight, headings[place.passage.id])),
                bool(asked and defines(place.text, asked, place.language or query.language)),
                denied and negated(place.with_lead, place.language or query.language),
            )
            for place, weight in zip(places, weights, strict=True)
            if not (_is_label(place) and self._repeats(query, place))
        ]
        likely.sort(key=lambda sentence: -sentence.score)
        likely = likely[: self._most]
        extracts = []
        for sentence, cosine in zip(likely, self._cosines(query, likely), strict=True):
            score = self._dense_weight * cosine + sentence.score
            at = sentence.place
            extracts.append(
                Extract(
                    at.passage,
                    at.start,
                    at.end,
                    score,
                    cosine,
                    sentence.coverage,
                    at.block,
                    sentence.defines,
                )
            )
        return sorted(extracts, key=lambda extract: -extract.score)

    def _repeats(self, query: Query, place: "_Place") -> bool:
        terms = self._lexical.encode_query(place.text, place.language)
        return set(terms.indices) <= set(query.terms.indices)

    def _headings(self, passages: Sequence[Passage]) -> dict[str, SparseVector]:
        """The weights of the headings that a passage stands under, by its id."""
        texts = [" ".join((*p.chunk.heading_path, p.title)) for p in passages]
        spoken = [passage.chunk.language for passage in passages]
        weights = self._lexical.encode_passages(texts, spoken)
        return {p.id: weight for p, weight in zip(passages, weights, strict=True)}

    def _cosines(self, query: Query, likely: "Sequence[_Sentence]") -> list[float]:
        question = self._embedder.embed_queries([query.whole])[0]
        texts = [_within(self._embedder, sentence.place) for sentence in likely]
        vectors = self._embedder.embed_passages(texts)
        return [float(cosine) for cosine in vectors @ question]


@dataclass(frozen=True, slots=True)
class _Place:
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
    def with_lead(self) -> str:
        lead = _lead(self.passage, self.start, self.block)
        return f"{lead}\n{self.text}" if lead else self.text


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence before it is embedded."""

    place: _Place
    coverage: float
    defines: bool
    denies: bool  # as the question does

    @property
    def score(self) -> float:
        own = self.coverage + PASSAGE_SHARE * self.place.passage.score
        if is_older(self.place.passage):
            own -= OUTDATED
        if self.denies:
            own += DENIES
        return own + DEFINES if self.defines else own


def _places(passage: Passage) -> Iterator[_Place]:
    text, language = passage.chunk.text, passage.chunk.language
    lists = blocks(text) if passage.chunk.kind == "text" else []
    for start, end in sentences(text, language):
        block = next((b for b in lists if b.start <= start < b.end), None)
        if _can_state(text[start:end], in_list=block is not None):
            yield _Place(passage, start, end, block)


def _is_label(place: _Place) -> bool:
    """Whether it is no sentence, nor of a list or a table: a heading, a caption, a field's name."""
    if place.block is not None or place.passage.chunk.kind == "table":
        return False
    return not place.text.rstrip().endswith((".", "!", ":", ";"))


def _lead(passage: Passage, start: int, block: ListBlock | None) -> str:
    chunk = passage.chunk
    if block is not None:
        return chunk.text[block.start : block.lead_end] if start >= block.lead_end else ""
    if chunk.kind == "table":
        return chunk.table_header or (chunk.text.split("\n", 1)[0] if start else "")
    return ""


def _within(embedder: Embedder, place: _Place) -> str:
    """The sentence under its headings, as the chunk was embedded; cut where it is over-long."""
    text = place.with_lead
    headings = place.passage.chunk.heading_path
    if headings:
        text = f"{headings[-1]}\n{text}"
    while embedder.count_tokens([text])[0] > embedder.max_tokens:
        text = text[: int(len(text) * 0.8)]
    return text


def _can_state(sentence: str, *, in_list: bool) -> bool:
    fewest = 1 if in_list else _FEWEST_LETTERS
    if len(_LETTERS.findall(sentence)) < fewest or sentence.rstrip().endswith("?"):
        return False
    return not speaks_to_a_model(sentence)


def _bm25(query: Query, weights: SparseVector, headings: SparseVector) -> float:
    """The score of a sentence, in which the words of its headings count as if they stood there."""
    above = zip(headings.indices, headings.values, strict=True)
    here = {id_: HEADINGS * weight for id_, weight in above}
    for id_, weight in zip(weights.indices, weights.values, strict=True):
        here[id_] = max(weight, here.get(id_, 0.0))
    return sum(
        query.idf[id_] * weight * here.get(id_, 0.0)
        for id_, weight in zip(query.terms.indices, query.terms.values, strict=True)
    )
