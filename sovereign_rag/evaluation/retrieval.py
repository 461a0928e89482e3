"""How well passages are found: a labelled set's queries against its corpus."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sovereign_rag.domain import Passage, SearchMode
from sovereign_rag.evaluation.datasets import LabelledQuery, RetrievalSet
from sovereign_rag.evaluation.measures import RANKING_MEASURES, judge_rankings, mean
from sovereign_rag.evaluation.scratch import Progress, Searchable, corpus_id

DEPTH = 10
"""Documents that are judged for each query."""
_CHUNKS = (50, 100)
"""Chunks asked for; more where the first ones come from fewer documents than are judged."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What one query found. Kept one by one: a comparison of two runs pairs them."""

    id: str
    language: str
    text: str
    ranking: tuple[str, ...]  # document ids, best first
    values: Mapping[str, float]  # by measure, each in [0, 1]
    ms: float  # wall time of its search


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    set_name: str
    mode: str
    model: str
    documents: int
    results: tuple[QueryResult, ...]

    def table(self) -> dict[str, dict[str, float]]:
        """Means by language, then "all": the measures, `queries`, and the median `ms`."""
        languages = dict.fromkeys(result.language for result in self.results)
        rows = {code: [r for r in self.results if r.language == code] for code in languages}
        rows["all"] = list(self.results)
        return {
            name: {
                "queries": len(row),
                **{m: mean(r.values[m] for r in row) or 0.0 for m in RANKING_MEASURES},
                "ms": statistics.median(r.ms for r in row),
            }
            for name, row in rows.items()
        }


def evaluate_retrieval(
    labelled: RetrievalSet,
    index: Searchable,
    *,
    mode: SearchMode,
    limit_queries: int | None = None,
    on_progress: Progress,
) -> RetrievalReport:
    """Search every query (or `limit_queries` of them, spread evenly) and judge what comes back.

    A document stands where its best chunk stands. A query that follows on others is searched with
    what was asked before it, as the product does in a conversation.
    """
    queries = spread(labelled.queries, limit_queries)
    rankings: dict[str, tuple[str, ...]] = {}
    ms: dict[str, float] = {}
    for done, query in enumerate(queries, start=1):
        begin = time.perf_counter()
        rankings[query.id] = _rank(query, index, mode)
        ms[query.id] = (time.perf_counter() - begin) * 1000
        on_progress(done, len(queries))
    values = judge_rankings(rankings, {query.id: labelled.relevant[query.id] for query in queries})
    return RetrievalReport(
        set_name=labelled.name,
        mode=mode,
        model=index.model_id,
        documents=len(index.present()),
        results=tuple(
            QueryResult(q.id, q.language, q.text, rankings[q.id], values[q.id], ms[q.id])
            for q in queries
        ),
    )


def spread(items: Sequence[_Item], limit: int | None) -> Sequence[_Item]:
    """`limit` of the items, evenly spread, the same ones each time; None: all of them."""
    if limit is None or limit >= len(items):
        return items
    return [items[position * len(items) // limit] for position in range(limit)]


def best_documents(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The documents of passages, each at the place of its best one."""
    return tuple(dict.fromkeys(corpus_id(passage.uri) for passage in passages))


def _rank(query: LabelledQuery, index: Searchable, mode: SearchMode) -> tuple[str, ...]:
    documents: tuple[str, ...] = ()
    for chunks in _CHUNKS:
        passages = index.search(query.text, mode=mode, limit=chunks, history=query.history)
        documents = best_documents(passages)
        if len(documents) >= DEPTH or len(passages) < chunks:
            break
    return documents[:DEPTH]
