"""A question within a scope -> passages, best first.

Two legs are asked, vectors for meaning and BM25 for names, numbers and terms; `fusion` puts what
they found into one order.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import LANGUAGES, Chunk, Passage, SearchMode, SparseVector
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.metadata import Stated
from sovereign_rag.retrieval.acronyms import Acronyms
from sovereign_rag.retrieval.context import ContextBudget, assemble
from sovereign_rag.retrieval.conversation import Turn, subject
from sovereign_rag.retrieval.fusion import LegResults, Ranked, fuse
from sovereign_rag.retrieval.query import (
    ALTERNATIVE,
    SUBJECT_MEANING,
    Query,
    joined,
    nowhere,
    weighed,
)
from sovereign_rag.retrieval.rerank import Reranker
from sovereign_rag.retrieval.versions import newest_first, of_several_versions
from sovereign_rag.settings import RetrievalSettings
from sovereign_rag.store.protocol import (
    NO_FILTER,
    ChunkStore,
    DenseQuery,
    LexicalQuery,
    SearchFilter,
    point_id,
)
from sovereign_rag.system.patience import one_wait
from sovereign_rag.system.tracing import span
from sovereign_rag.text.locale import DEFAULT

SPARE = 3
"""How many times the passages of an answer are looked for: duplicates and what crowds go out."""

MOST_EARLIER = 4
"""How many passages that were cited before are offered to an answer that leans on them."""
MOST_NAMED = 50
"""How many are looked up for that: some of them are gone, or not the asker's to read any more."""


_HOLDING = 50
"""How many passages of one document are looked through for a quote, the likeliest first."""


class LiveDocuments(Protocol):
    """Tells which version of a document is live; the catalog."""

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]: ...


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
        reranker: Reranker | None = None,
        words: Callable[[str], Iterable[tuple[str, str]]] = lambda tenant: (),
    ) -> None:
        """`words` gives a tenant's acronyms and synonyms, beside the list of the settings."""
        self._embedder, self._lexical, self._store = embedder, lexical, store
        self._live, self._settings, self._reranker = live, settings, reranker
        self.models = (embedder.model_id, *([reranker.model_id] if reranker else ()))
        """Ids of the models that find passages and put them into their order."""
        self._acronyms, self._words = Acronyms.open(settings.acronyms), words

    def query(
        self,
        question: str,
        language: str,
        scope: ReadScope,
        *,
        history: Sequence[Turn] = (),
        weigh: bool = True,
    ) -> Query:
        """Weigh the question's terms by how rare they are in the scope's tenant.

        Args:
            weigh: False leaves that to the search, which asks for the weights it needs along
                with the legs; what else is made with the query then has none.
            history: What was asked before, oldest first; a question that leans on it is searched
                with the words of the earlier ones, which count for less than its own.
        """
        about = subject(question, language, history, self._lexical)
        terms = self._lexical.encode_query(question, language)
        for earlier in about:
            terms = joined(terms, self._lexical.encode_query(earlier, language))
        meant = self._acronyms.with_more(self._words(scope.tenant)).met_in(question)
        said = self._lexical.encode_query(" ".join(map(" ".join, meant)), language)
        instead = frozenset(said.indices) - set(terms.indices) if meant else frozenset[int]()
        if instead:
            terms = joined(terms, said, share=ALTERNATIVE)
        query = Query(
            question, language, terms, {}, 0.0, meant=meant, instead=instead, subject=about
        )
        if not weigh:
            return query
        asked = (*terms.indices, *nowhere(self._lexical))
        return weighed(query, self._store.idf(asked, scope), self._lexical)

    def languages(self, scope: ReadScope) -> tuple[str, ...]:
        """The languages of what the scope may read, the most frequent first."""
        return tuple(self._store.facet("language", scope))

    def rarity(self, scope: ReadScope) -> Callable[[Sequence[int]], Mapping[int, float]]:
        """Gives the weight of terms by how rare they are in the scope's tenant."""
        return lambda terms: self._store.idf(terms, scope)

    def retrieve(
        self,
        query: Query,
        scope: ReadScope,
        *,
        limit: int,
        mode: SearchMode | None = None,
        search_filter: SearchFilter = NO_FILTER,
    ) -> list[Passage]:
        """The best `limit` passages that the scope may read, best first.

        With a reranker the first `rerank_candidates` stand in its order; their scores stay.

        Scores: with "hybrid" dense_weight * cosine + coverage (times COVERAGE_ACROSS_LANGUAGES
        in another language than the question's); with one leg that leg's own.
        `score_parts` names what each leg said: dense, dense_rank, lexical, lexical_rank, coverage;
        and lift, what a passage in another language is put forward by, beside its score.
        """
        mode = mode or self._settings.mode
        with one_wait():
            query, found = self._found(query, scope, mode, search_filter, limit)
        if self._reranker is None:
            return self._passages(found, query, scope, mode, limit)
        some = max(self._settings.rerank_candidates, limit)
        passages = self._passages(found, query, scope, mode, some)
        with span("retrieval.rerank", passages=len(passages)):
            return self._reranker.rerank(query.whole, passages)[:limit]

    def _found(
        self,
        query: Query,
        scope: ReadScope,
        mode: SearchMode,
        search_filter: SearchFilter,
        limit: int,
    ) -> tuple[Query, LegResults]:
        """What the legs say, and the query with the weights of its terms."""
        candidates = max(self._settings.candidates, limit)
        legs: list[DenseQuery | LexicalQuery] = []
        if mode != "lexical":
            legs.append(DenseQuery(self._vector(query), candidates, search_filter))
        if mode != "dense":
            legs.append(LexicalQuery(query.terms, candidates, search_filter))
        with span("retrieval.search", mode=mode, candidates=candidates):
            if mode == "hybrid" and not query.idf:
                results, idf = self._store.search_and_weigh(legs, query.terms.indices, scope)
                query = weighed(query, idf, self._lexical)
            else:
                results = self._store.search(legs, scope)
        dense = results[0] if mode != "lexical" else []
        lexical = results[-1] if mode != "dense" else []
        found = LegResults.by(dense, lexical)
        return query, self._complete(found, legs, scope) if mode == "hybrid" else found

    def context(
        self,
        query: Query,
        scope: ReadScope,
        *,
        mode: SearchMode | None = None,
        search_filter: SearchFilter = NO_FILTER,
        earlier: Sequence[str] = (),
        widened: int = 1,
    ) -> list[Passage]:
        """The passages that an answer is made from, best first; see `context.assemble`.

        What one leg alone puts first is among the better half: "we avoid these licences" holds the
        rarest words of a question about a town's licences, and not the town.

        Args:
            widened: How many times as many passages: where all that there is of something is
                asked for, wherever it stands.
            earlier: Passages by id that are offered too, behind the better half of those found:
                what was cited before in a conversation. Only those that the scope may read now.
        """
        settings = self._settings
        budget = ContextBudget(
            widened * settings.passages, settings.per_document, widened * settings.context_tokens
        )
        found = self.retrieve(
            query, scope, limit=SPARE * budget.passages, mode=mode, search_filter=search_filter
        )
        better = found[: (budget.passages + 1) // 2]
        more = [passage for passage in found if _is_first_of_a_leg(passage)]
        if earlier:
            more += self._by_id(earlier, query, scope, mode=mode, search_filter=search_filter)
        offered = (*better, *more, *found[len(better) :])
        found = list({passage.id: passage for passage in offered}.values())
        return assemble(
            newest_first(found, query.text, self._openings(found, scope)),
            budget,
            neighbours=lambda wanted: self._neighbours(wanted, scope),
            count_tokens=self._embedder.count_tokens,
        )

    def holding(
        self, quote: str, document: str, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
    ) -> tuple[Passage, int, int] | None:
        """Where a document that the scope may read says `quote`, runs of blanks aside.

        Returns:
            The passage and the place in its text; None: no passage holds it whole.
        """
        if search_filter.documents is not None and document not in search_filter.documents:
            return None
        terms: dict[int, float] = {}
        for language in LANGUAGES:  # whichever the passage was stemmed in
            said = self._lexical.encode_query(quote, language)
            terms |= dict(zip(said.indices, said.values, strict=True))
        query = Query(quote, DEFAULT, SparseVector(tuple(terms), tuple(terms.values())), {}, 0.0)
        within = replace(search_filter, documents=frozenset({document}))
        (hits,) = self._store.search([LexicalQuery(query.terms, _HOLDING, within)], scope)
        wanted = re.compile(r"\s+".join(map(re.escape, quote.split())))
        for passage in self._passages(LegResults.by([], hits), query, scope, "lexical", _HOLDING):
            if there := wanted.search(passage.chunk.text):
                return passage, *there.span()
        return None

    def _by_id(
        self,
        ids: Sequence[str],
        query: Query,
        scope: ReadScope,
        *,
        mode: SearchMode | None,
        search_filter: SearchFilter,
    ) -> list[Passage]:
        """Passages by id, as the search finds them among themselves; at most `MOST_EARLIER`."""
        places = [_place(id_) for id_ in dict.fromkeys(ids)][:MOST_NAMED]
        live = self._live.live_versions(sorted({place[0] for place in places if place}), scope)
        chunks = [
            point_id(document, live[document].version, index)
            for document, index in filter(None, places)
            if document in live
        ][:MOST_EARLIER]
        if not chunks:
            return []
        search_filter = replace(search_filter, chunks=frozenset(chunks))
        return self.retrieve(
            query, scope, limit=len(chunks), mode=mode, search_filter=search_filter
        )

    def _openings(self, found: Sequence[Passage], scope: ReadScope) -> dict[str, str]:
        """How the documents begin of which several versions were found, by id."""
        several = of_several_versions(found)
        wanted = [(passage, 0) for passage in several]
        first = self._neighbours(wanted, scope) if wanted else {}
        return {document: chunk.text for (document, _), chunk in first.items()}

    def _neighbours(
        self, wanted: Sequence[tuple[Passage, int]], scope: ReadScope
    ) -> dict[tuple[str, int], Chunk]:
        """Chunks by their place, through the same rights as every search."""
        ids = frozenset(
            point_id(passage.chunk.document_id, passage.chunk.version, place)
            for passage, place in wanted
        )
        anywhere = np.full(self._embedder.dimension, self._embedder.dimension**-0.5, np.float32)
        (hits,) = self._store.search(
            [DenseQuery(anywhere, len(ids), SearchFilter(chunks=ids))], scope
        )
        return {(hit.chunk.document_id, hit.chunk.index): hit.chunk for hit in hits}

    def _vector(self, query: Query) -> NDArray[np.float32]:
        if query.whole == query.alone:
            return np.asarray(self._embedder.embed_queries([query.alone])[0], np.float32)
        alone, whole = self._embedder.embed_queries([query.alone, query.whole])
        mixed = (1 - SUBJECT_MEANING) * alone + SUBJECT_MEANING * whole
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)

    def _complete(
        self, found: LegResults, legs: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> LegResults:
        """Ask each leg for its score of what only the other one found.

        A lexical leg with room for more has found every chunk that shares a term.
        """
        dense, lexical = legs
        assert isinstance(dense, DenseQuery)
        assert isinstance(lexical, LexicalQuery)
        without_dense = frozenset(found.hits.keys() - found.dense.keys())
        without_lexical = frozenset(found.hits.keys() - found.lexical.keys())
        if len(found.lexical) < lexical.limit:
            without_lexical = frozenset()
        rest: list[DenseQuery | LexicalQuery] = []
        if without_dense:
            search_filter = SearchFilter(chunks=without_dense)
            rest.append(DenseQuery(dense.vector, len(without_dense), search_filter))
        if without_lexical:
            search_filter = SearchFilter(chunks=without_lexical)
            rest.append(LexicalQuery(lexical.vector, len(without_lexical), search_filter))
        for leg, scores in zip(rest, self._store.scores(rest, scope) if rest else [], strict=True):
            (found.dense if isinstance(leg, DenseQuery) else found.lexical).update(scores)
        return found

    def _passages(
        self, found: LegResults, query: Query, scope: ReadScope, mode: SearchMode, limit: int
    ) -> list[Passage]:
        """The best `limit` of what was found, in order; of them alone passages are made."""
        documents = sorted({hit.chunk.document_id for hit in found.hits.values()})
        live = self._live.live_versions(documents, scope)
        released = {
            id_
            for id_, hit in found.hits.items()
            # A version that was replaced a moment ago, or rights that were: not released.
            if (document := live.get(hit.chunk.document_id)) is not None
            and document.version == hit.chunk.version
        }
        ranked = fuse(
            found.only(released), query, mode=mode, dense_weight=self._settings.dense_weight
        )
        return [_passage(one, live[one.hit.chunk.document_id]) for one in ranked[:limit]]


def _passage(ranked: Ranked, document: LiveDocument) -> Passage:
    stated = Stated.of(document.stated)
    return Passage(
        chunk=ranked.hit.chunk,
        title=document.title,
        uri=document.uri,
        paged=document.paged,
        score=ranked.score,
        score_parts=ranked.parts,
        modified=stated.date or document.modified,
        stated=stated,
        level=max(ranked.hit.level, document.level),  # whichever was told first of a change
    )


def _is_first_of_a_leg(passage: Passage) -> bool:
    return 1 in (passage.score_parts.get("dense_rank"), passage.score_parts.get("lexical_rank"))


def _place(id_: str) -> tuple[str, int] | None:
    """The document and the place in it that a passage's id names; None: it names none."""
    document, _, index = id_.rpartition(":")
    return (document, int(index)) if document and index.isascii() and index.isdigit() else None
