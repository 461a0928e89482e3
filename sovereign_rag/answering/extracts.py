"""Passages -> the sentences, lists and rows that speak to the question, each scored.

The best sentence itself answers most factual questions, needs no language model, and its score
tells the answerable from the unanswerable. It is also what a model is given to read. An item of a
list is read with what introduces the list, a row of a table with its header: alone they say half.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sovereign_rag.answering.asides import announces, fields_name
from sovereign_rag.answering.contradiction import negated
from sovereign_rag.answering.definitions import defines, term
from sovereign_rag.answering.kin import Kin
from sovereign_rag.answering.openings import Openings
from sovereign_rag.answering.places import Place, is_label, lead_of, places_of
from sovereign_rag.answering.wanted import Wanted
from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder, Sentence
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.retrieval.query import Query, as_among_many
from sovereign_rag.retrieval.versions import is_older, is_version
from sovereign_rag.text.blocks import ListBlock

PASSAGE_SHARE = 0.5
"""Weight of the passage's score in its sentences'; chosen on the development questions."""
HEADINGS = 0.8
"""Weight of a word of the headings, beside 1 for one of the sentence: a section on season tickets
need not repeat "season ticket" in each sentence."""
DENIES = 0.3
"""What a sentence with a "not" scores beside, where the question has one."""
OUTDATED = 0.5
"""What a sentence scores less of which a newer version of the document says something alike."""
CURRENT = 0.5
"""How far below an outdated sentence the current version's may score and still come first."""
DEFINES = 0.9
"""What a sentence that defines the term asked for scores beside."""
BEFORE = 0.4
"""The same of the sentence before, in the same paragraph: it names what "this" stands for."""
BEHIND = 0.4
"""The same of the sentence behind, where it goes back: "after this time limit" names a limit."""
ASIDE = 0.35
"""What a sentence scores less that is a field (a date, an author) and not asked for, or tells what
the document is about."""
FITS = 0.35
"""What a sentence scores beside that names a value of the kind asked for; see `wanted`."""
NAMED = 0.4
"""What one scores beside that names all the values of the question: its date, its amount, its
number. Both chosen on questions about one house's documents, where a half finds much the same."""


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
    fit: float = 0.0  # of its values to the kind of value asked for, [0, 1]
    named: float | None = None  # share of the question's own values that it names; None: none
    whole: bool = False  # whether the list that it is of answers, not the item

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]

    @property
    def lead(self) -> str:
        """What introduces the list or the table that it is of, where it isn't that itself."""
        return lead_of(self.passage, self.start, self.block)


class EvidenceFinder:
    """Scores the sentences of passages against a question."""

    def __init__(
        self,
        *,
        embedder: AnswerEmbedder,
        lexical: LexicalEncoder,
        dense_weight: float,
        sentences: int,
    ) -> None:
        self._embedder, self._lexical = embedder, lexical
        self._dense_weight, self._most = dense_weight, sentences

    def find(self, query: Query, passages: Sequence[Passage], *, widened: int = 1) -> list[Extract]:
        """The sentences of `passages`, best first.

        A sentence scores dense_weight * cosine + coverage, as a chunk does in the search, plus a
        share of its passage's own score: a sentence alone has lost what the paragraph was about.
        All are scored without the cosine first, which costs next to nothing; those that come first
        then are embedded, as many as the budget lets. What asks instead of stating, only names
        what was asked for, as a heading does, or speaks to a language model, is passed over. Where
        a definition is asked for, sentences that define the term come forward; where a value is,
        those that name one of its kind, and those that name the values of the question.

        Args:
            widened: How many times as many sentences are embedded.
        """
        places = [place for passage in passages for place in places_of(passage)]
        if not places:
            return []
        wanted = Wanted.of(query.text, query.language, " ".join(query.subject))
        query = as_among_many(query, self._lexical)
        likely = sorted(self._scored(query, wanted, places, passages), key=lambda s: -s.score)
        likely = likely[: widened * self._most]
        extracts = [
            sentence.extract(cosine, self._dense_weight, whole=wanted.kind == "list")
            for sentence, cosine in zip(likely, self._cosines(query, likely), strict=True)
        ]
        return _current_first(sorted(extracts, key=lambda extract: -extract.score))

    def _scored(
        self,
        query: Query,
        wanted: Wanted,
        places: Sequence[Place],
        passages: Sequence[Passage],
    ) -> "Iterator[_Sentence]":
        """The sentences with what their words tell."""
        languages = [place.language for place in places]
        weights = self._lexical.encode_passages([place.with_lead for place in places], languages)
        headings, begin = self._headings(passages), Openings.of(passages, self._lexical)
        asked, denied = term(query.text, query.language), negated(query.text, query.language)
        kin = Kin.of(query, self._lexical)
        for place, weight, beside in zip(places, weights, _beside(places, weights), strict=True):
            if is_label(place) and self._repeats(query, place):
                continue
            spoken = place.language or query.language
            around = (*begin.terms_of(place.passage), *beside)
            held = _held((weight, 1.0), (headings[place.passage.id], HEADINGS), *around)
            kin.meet(place.with_lead, spoken, held)
            fit = self._fit(query, kin, wanted, place, spoken)
            yield _Sentence(
                place,
                query.coverage(_score(query, held)),
                bool(asked and defines(place.text, asked, spoken)),
                denied and negated(place.with_lead, spoken),
                fit,
                wanted.named_in(f"{place.with_names}\n{begin.text(place.passage)}", spoken),
                not (asked or fit) and self._is_aside(query, kin, wanted, place, spoken),
            )

    def _fit(self, query: Query, kin: Kin, wanted: Wanted, place: Place, spoken: str) -> float:
        """How far a sentence is of the kind that is asked for, in [0, 1].

        An item of a list is where what introduces the list speaks of what was asked.
        """
        headings = place.passage.chunk.heading_path[-1:]
        if wanted.kind == "cause":
            return wanted.fit(" ".join((*headings, place.with_lead)), spoken)
        if wanted.kind != "list":
            return wanted.fit(place.with_lead, spoken)
        lead = place.lead_in
        if lead is None:
            return 0.0
        said = f"{' '.join(headings)}\n{lead}"
        held = dict.fromkeys(self._lexical.encode_query(said, spoken).indices, 1.0)
        kin.meet(said, spoken, held)
        return float(bool(held.keys() & set(query.terms.indices)))

    def _is_aside(self, query: Query, kin: Kin, wanted: Wanted, place: Place, spoken: str) -> bool:
        """Whether it is a field that was not asked for, or tells what the document is about."""
        name = fields_name(place.text)
        if name is None and not announces(place.text, spoken):
            return False
        own = place.text if wanted.kind is None or (name and not wanted.is_value) else name or ""
        held = dict.fromkeys(self._lexical.encode_query(own, spoken).indices, 1.0)
        kin.meet(own, spoken, held)
        return not held.keys() & set(query.terms.indices)

    def _repeats(self, query: Query, place: Place) -> bool:
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
        vectors = self._embedder.embed_sentences(
            [self._as_embedded(sentence.place) for sentence in likely]
        )
        return [float(cosine) for cosine in vectors @ question]

    def _as_embedded(self, place: Place) -> Sentence:
        chunk = place.passage.chunk
        return Sentence(_within(self._embedder, place), chunk.document_id, chunk.version)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence before it is embedded."""

    place: Place
    coverage: float
    defines: bool
    denies: bool  # as the question does
    fit: float  # to the kind of value asked for
    named: float | None  # share of the question's values
    aside: bool  # a field that isn't asked for, or what tells what the document is about

    @property
    def score(self) -> float:
        own = self.coverage + PASSAGE_SHARE * self.place.passage.score
        own += FITS * self.fit + NAMED * (self.named or 0.0)
        if is_older(self.place.passage):
            own -= OUTDATED
        if self.denies:
            own += DENIES
        if self.aside:
            own -= ASIDE
        return own + DEFINES if self.defines else own

    def extract(self, cosine: float, dense_weight: float, *, whole: bool) -> Extract:
        """
        Args:
            cosine: To the question, [-1, 1].
            whole: Whether a list is asked for.
        """
        at = self.place
        return Extract(
            at.passage,
            at.start,
            at.end,
            dense_weight * cosine + self.score,
            cosine,
            self.coverage,
            at.block,
            self.defines,
            self.fit,
            self.named,
            whole and self.fit > 0,
        )


def _current_first(extracts: Sequence[Extract]) -> list[Extract]:
    """The extracts, best first; before an outdated best one what the current version says."""
    ranked = list(extracts)
    if ranked and is_older(ranked[0].passage):
        best = ranked[0]
        for place, extract in enumerate(ranked):
            if extract.score < best.score - CURRENT:
                break
            if not is_older(extract.passage) and is_version(best.passage, extract.passage):
                ranked.insert(0, ranked.pop(place))
                break
    return ranked


def _within(embedder: Embedder, place: Place) -> str:
    """The sentence under its headings, as the chunk was embedded; cut where it is over-long."""
    text = place.with_lead
    headings = place.passage.chunk.heading_path
    if headings:
        text = f"{headings[-1]}\n{text}"
    while embedder.count_tokens([text])[0] > embedder.max_tokens:
        text = text[: int(len(text) * 0.8)]
    return text


def _beside(
    places: Sequence[Place], weights: Sequence[SparseVector]
) -> Iterator[tuple[tuple[SparseVector, float], ...]]:
    """What stands beside each in its paragraph: the sentence before, and one behind that goes
    back to it, with what their words count for.
    """
    joined = [left.goes_on_in(right) for left, right in pairwise(places)]
    for at in range(len(places)):
        before = ((weights[at - 1], BEFORE),) if at and joined[at - 1] else ()
        behind = at < len(joined) and joined[at] and places[at + 1].points_back
        yield (*before, (weights[at + 1], BEHIND)) if behind else before


def _held(*shares: tuple[SparseVector | None, float]) -> dict[int, float]:
    """The weights of the terms of a sentence and, for less, of what it stands under and behind."""
    here: dict[int, float] = {}
    for held, share in shares:
        if held is None:
            continue
        for id_, weight in zip(held.indices, held.values, strict=True):
            here[id_] = max(share * weight, here.get(id_, 0.0))
    return here


def _score(query: Query, held: Mapping[int, float]) -> float:
    """The BM25 score of a sentence that holds terms with these weights."""
    return sum(
        query.idf[id_] * weight * held.get(id_, 0.0)
        for id_, weight in zip(query.terms.indices, query.terms.values, strict=True)
    )
