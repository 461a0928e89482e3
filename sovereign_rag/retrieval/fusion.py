"""What the legs of a search found -> one order. A pure function: no store is asked.

Their scores are fused, not their ranks: the cosine, and the share of the best conceivable BM25
score that a chunk reaches (its *coverage*, 0..1, where a term that stands nowhere counts as the
rarest). A question in another language than the text covers next to nothing, and what it covers
there counts for less, so the lexical leg falls silent where it can only hurt; rank fusion would
give its noise half the say.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sovereign_rag.domain import SearchMode
from sovereign_rag.retrieval.query import Query
from sovereign_rag.store.protocol import Hit

COVERAGE_ACROSS_LANGUAGES = 0.5
"""Weight of the coverage where chunk and question are in two languages: names and numbers still
meet, most other words that do are false friends. Chosen on the development sets of
docs/quality.md: German and English text, asked in four languages.
"""


@dataclass(frozen=True, slots=True)
class LegResults:
    """The union of what the legs found, and what each said of it; all by id of the hit."""

    hits: dict[str, Hit]
    dense: dict[str, float]
    lexical: dict[str, float]
    dense_rank: dict[str, int]
    lexical_rank: dict[str, int]

    @classmethod
    def by(cls, dense: Sequence[Hit], lexical: Sequence[Hit]) -> "LegResults":
        """What each leg found, best first; none where a leg was not asked."""
        return cls(
            hits={hit.id: hit for hit in (*lexical, *dense)},
            dense={hit.id: hit.score for hit in dense},
            lexical={hit.id: hit.score for hit in lexical},
            dense_rank={hit.id: rank for rank, hit in enumerate(dense, start=1)},
            lexical_rank={hit.id: rank for rank, hit in enumerate(lexical, start=1)},
        )

    def only(self, ids: Collection[str]) -> "LegResults":
        """The hits of these ids; nothing else is ordered, nor lifts anything."""
        return replace(self, hits={id_: hit for id_, hit in self.hits.items() if id_ in ids})

    def parts(self, id_: str) -> dict[str, float]:
        """What each leg said of a hit, by name."""
        named: dict[str, Mapping[str, float]] = {
            "dense": self.dense,
            "dense_rank": self.dense_rank,
            "lexical": self.lexical,
            "lexical_rank": self.lexical_rank,
        }
        return {name: float(part[id_]) for name, part in named.items() if id_ in part}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A hit in its place."""

    hit: Hit
    score: float
    parts: dict[str, float]  # where the score came from: dense, lexical, coverage, lift, ...


def fuse(found: LegResults, query: Query, *, mode: SearchMode, dense_weight: float) -> list[Ranked]:
    """Put hits into one order, best first.

    Args:
        found: What the legs found.
        query: With the weights of its terms.
        mode: "hybrid" fuses; with one leg the score is that leg's own.
        dense_weight: What a cosine counts beside a coverage.

    Returns:
        Every hit once. The score of "hybrid" is dense_weight * cosine + coverage (times
        COVERAGE_ACROSS_LANGUAGES in another language than the question's). The order goes by
        score and lift; equal ones by document and place.
    """
    coverage = {id_: query.coverage(found.lexical.get(id_, 0.0)) for id_ in found.hits}
    lifted: Mapping[str, float] = {}
    if mode == "hybrid":
        counted = {
            id_: coverage[id_]
            if hit.chunk.language == query.language
            else COVERAGE_ACROSS_LANGUAGES * coverage[id_]
            for id_, hit in found.hits.items()
        }
        scores = {id_: dense_weight * found.dense.get(id_, 0.0) + counted[id_] for id_ in counted}
        lifted = lifts(found.hits, counted, query)
    else:
        leg = found.dense if mode == "dense" else found.lexical
        scores = {id_: leg.get(id_, 0.0) for id_ in found.hits}

    def order(id_: str) -> tuple[float, str]:
        chunk = found.hits[id_].chunk
        return -(scores[id_] + lifted.get(id_, 0.0)), f"{chunk.document_id}:{chunk.index}"

    ranked: list[Ranked] = []
    for id_ in sorted(found.hits, key=order):
        parts = found.parts(id_)
        if mode == "hybrid":
            parts["coverage"] = coverage[id_]
        if id_ in lifted:
            parts["lift"] = lifted[id_]
        ranked.append(Ranked(found.hits[id_], scores[id_], parts))
    return ranked


def lifts(hits: Mapping[str, Hit], counted: Mapping[str, float], query: Query) -> dict[str, float]:
    """What passages in other languages than the question's are put forward by, by id; none by 0.

    Where documents in several languages lie together, those in the question's language would come
    first for sharing its words, which the others can't. So the passages of each other language
    are lifted by what its best coverage lacks to the best in the question's language: languages
    compete by meaning, the passages of one language by words too. In an index of one language
    nothing is lifted. The lift decides the order alone; the score keeps what evidence is held
    against. For the part of a question that is names (an acronym, an identifier) nothing is
    owed: they are the same words in every language.

    Args:
        counted: The coverage of each as it counts in its score.
    """
    best: dict[str | None, float] = {}
    for id_, hit in hits.items():
        spoken = hit.chunk.language
        best[spoken] = max(best.get(spoken, 0.0), counted[id_])
    own = best.get(query.language, 0.0)
    owed = 1 - query.names
    lifted = {spoken: owed * (own - most) for spoken, most in best.items() if own > most}
    return {
        id_: lifted[hit.chunk.language] for id_, hit in hits.items() if hit.chunk.language in lifted
    }
