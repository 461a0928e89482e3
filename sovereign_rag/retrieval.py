"""A question within a scope -> passages, best first.

Two legs are asked, vectors for meaning and BM25 for names, numbers and terms. Their scores are
fused, not their ranks: the cosine, and the share of the best conceivable BM25 score that a chunk
reaches (its *coverage*, 0..1, where a term that stands nowhere counts as the rarest). A question
in another language than the text covers next to nothing, and what it covers there counts for
less, so the lexical leg falls silent where it can only hurt; rank fusion would give its noise
half the say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.settings import RetrievalSettings
from sovereign_rag.store.protocol import (
    NO_NARROWING,
    ChunkStore,
    DenseQuery,
    Hit,
    LexicalQuery,
    Narrowing,
)

COVERAGE_ACROSS_LANGUAGES = 0.5
"""Weight of the coverage where chunk and question are in two languages: names and numbers still
meet, most other words that do are false friends. Chosen on the development sets of
docs/quality.md: German and English text, asked in four languages.
"""

Mode = Literal["hybrid", "dense", "lexical"]


class LiveDocuments(Protocol):
    """Tells which version of a document is live; the catalog."""

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]: ...


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the two legs see it."""

    text: str
    language: str
    terms: SparseVector
    idf: Mapping[int, float]
    ideal: float  # the BM25 score of a chunk that holds every term as often as can be

    def coverage(self, lexical_score: float) -> float:
        """A BM25 score as a share of the ideal, in [0, 1]."""
        return min(1.0, lexical_score / self.ideal) if self.ideal > 0 else 0.0


class Retriever:
    """Finds passages; the one place where the legs are joined."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        lexical: LexicalEncoder,
        store: ChunkStore,
        live: LiveDocuments,
        settings: RetrievalSettings,
    ) -> None:
        self._embedder, self._lexical, self._store = embedder, lexical, store
        self._live, self._settings = live, settings

    def query(self, question: str, language: str, scope: ReadScope) -> Query:
        """Weigh the question's terms by how rare they are in the scope's tenant."""
        terms = self._lexical.encode_query(question, language)
        idf = self._store.idf(terms.indices, scope)
        ideal = self._lexical.max_term_weight * sum(
            idf[term] * weight for term, weight in zip(terms.indices, terms.values, strict=True)
        )
        return Query(question, language, terms, idf, ideal)

    def retrieve(
        self,
        query: Query,
        scope: ReadScope,
        *,
        limit: int,
        mode: Mode | None = None,
        narrowing: Narrowing = NO_NARROWING,
    ) -> list[Passage]:
        """The best `limit` passages that the scope may read, best first.

        Scores: with "hybrid" dense_weight * cosine + coverage (times COVERAGE_ACROSS_LANGUAGES
        in another language than the question's); with one leg that leg's own.
        `score_parts` names what each leg said: dense, dense_rank, lexical, lexical_rank, coverage.
        """
        mode = mode or self._settings.mode
        candidates = max(self._settings.candidates, limit)
        legs: list[DenseQuery | LexicalQuery] = []
        if mode != "lexical":
            vector = self._embedder.embed_queries([query.text])[0]
            legs.append(DenseQuery(vector, candidates, narrowing))
        if mode != "dense":
            legs.append(LexicalQuery(query.terms, candidates, narrowing))
        results = self._store.search(legs, scope)
        dense = results[0] if mode != "lexical" else []
        lexical = results[-1] if mode != "dense" else []
        found = _Found.of(dense, lexical)
        if mode == "hybrid":
            found = self._complete(found, legs, scope)
        return self._passages(found, query, scope, mode)[:limit]

    def _complete(
        self, found: "_Found", legs: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> "_Found":
        """Ask each leg for its score of what only the other one found."""
        dense, lexical = legs
        assert isinstance(dense, DenseQuery)
        assert isinstance(lexical, LexicalQuery)
        without_dense = frozenset(found.hits.keys() - found.dense.keys())
        without_lexical = frozenset(found.hits.keys() - found.lexical.keys())
        rest: list[DenseQuery | LexicalQuery] = []
        if without_dense:
            narrowing = Narrowing(chunks=without_dense)
            rest.append(DenseQuery(dense.vector, len(without_dense), narrowing))
        if without_lexical:
            narrowing = Narrowing(chunks=without_lexical)
            rest.append(LexicalQuery(lexical.vector, len(without_lexical), narrowing))
        for leg, hits in zip(rest, self._store.search(rest, scope) if rest else [], strict=True):
            scores = found.dense if isinstance(leg, DenseQuery) else found.lexical
            scores.update({hit.id: hit.score for hit in hits})
        return found

    def _passages(
        self, found: "_Found", query: Query, scope: ReadScope, mode: Mode
    ) -> list[Passage]:
        documents = sorted({hit.chunk.document_id for hit in found.hits.values()})
        live = self._live.live_versions(documents, scope)
        passages: list[Passage] = []
        for id_, hit in found.hits.items():
            document = live.get(hit.chunk.document_id)
            # A version that was replaced a moment ago, or rights that were: not released.
            if document is None or document.version != hit.chunk.version:
                continue
            cosine, bm25 = found.dense.get(id_, 0.0), found.lexical.get(id_, 0.0)
            parts = found.parts(id_)
            if mode == "dense":
                score = cosine
            elif mode == "lexical":
                score = bm25
            else:
                parts["coverage"] = coverage = query.coverage(bm25)
                if hit.chunk.language != query.language:
                    coverage *= COVERAGE_ACROSS_LANGUAGES
                score = self._settings.dense_weight * cosine + coverage
            passages.append(
                Passage(
                    chunk=hit.chunk,
                    title=document.title,
                    uri=document.uri,
                    paged=document.paged,
                    score=score,
                    score_parts=parts,
                )
            )
        return sorted(passages, key=lambda passage: (-passage.score, passage.id))


@dataclass(frozen=True, slots=True)
class _Found:
    """The union of what the legs found, and what each said of it."""

    hits: dict[str, Hit]
    dense: dict[str, float]
    lexical: dict[str, float]
    dense_rank: dict[str, int]
    lexical_rank: dict[str, int]

    @classmethod
    def of(cls, dense: Sequence[Hit], lexical: Sequence[Hit]) -> "_Found":
        return cls(
            hits={hit.id: hit for hit in (*lexical, *dense)},
            dense={hit.id: hit.score for hit in dense},
            lexical={hit.id: hit.score for hit in lexical},
            dense_rank={hit.id: rank for rank, hit in enumerate(dense, start=1)},
            lexical_rank={hit.id: rank for rank, hit in enumerate(lexical, start=1)},
        )

    def parts(self, id_: str) -> dict[str, float]:
        named: dict[str, Mapping[str, float]] = {
            "dense": self.dense,
            "dense_rank": self.dense_rank,
            "lexical": self.lexical,
            "lexical_rank": self.lexical_rank,
        }
        return {name: float(part[id_]) for name, part in named.items() if id_ in part}
