"""Our queries as Qdrant's requests."""

from functools import lru_cache

from qdrant_client import models

from sovereign_rag.access import ReadScope
from sovereign_rag.store.filters import filter_of, is_open, of_tenant
from sovereign_rag.store.protocol import DenseQuery, LexicalQuery
from sovereign_rag.store.schema import DENSE, LEXICAL

# Of a graph, which a server has: chosen by the recall measured for decision 0018. With ef 128, or
# ACORN below some selectivity alone, filters of middling size lost a third of what is right.
_DENSE_PARAMS = models.SearchParams(
    hnsw_ef=512,
    acorn=models.AcornSearchParams(enable=True, max_selectivity=1.0),
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0),
)


def request_of(query: DenseQuery | LexicalQuery, scope: ReadScope) -> models.QueryRequest:
    """The query within the scope and its own filter, with the payload of what it finds."""
    asked: list[float] | models.SparseVector
    if isinstance(query, LexicalQuery):
        indices, values = query.vector.indices, query.vector.values
        asked = models.SparseVector(indices=list(indices), values=list(values))
    else:
        asked = query.vector.tolist()
    return models.QueryRequest(
        query=asked,
        using=LEXICAL if isinstance(query, LexicalQuery) else DENSE,
        filter=filter_of(scope, query.search_filter),
        params=_lexical_params(scope.tenant) if isinstance(query, LexicalQuery) else _DENSE_PARAMS,
        limit=query.limit,
        with_payload=True,
    )


def can_match(query: DenseQuery | LexicalQuery, scope: ReadScope) -> bool:
    """Whether it needs asking at all."""
    has_terms = not isinstance(query, LexicalQuery) or bool(query.vector.indices)
    return query.limit > 0 and has_terms and is_open(query.search_filter, scope)


def is_found(point: models.ScoredPoint, query: DenseQuery | LexicalQuery) -> bool:
    """A small filtered set may be scanned whole by the sparse index, with 0 for no common term."""
    return point.score > 0 or isinstance(query, DenseQuery)


def weighing(term: int, scope: ReadScope) -> models.QueryRequest:
    """One point of the tenant that holds the term; see `QdrantStore.search_and_weigh`."""
    return models.QueryRequest(
        query=models.SparseVector(indices=[term], values=[1.0]),
        using=LEXICAL,
        filter=_tenant(scope.tenant),
        params=_lexical_params(scope.tenant),
        limit=1,
        with_payload=False,
        with_vector=[LEXICAL],
    )


def stored_weight(point: models.ScoredPoint, term: int) -> float:
    """Of a term in the point's lexical vector, which came along; 0 if it isn't there."""
    stored = point.vector.get(LEXICAL) if isinstance(point.vector, dict) else None
    if not isinstance(stored, models.SparseVector) or term not in stored.indices:
        return 0.0
    return stored.values[stored.indices.index(term)]


_tenant = lru_cache(maxsize=1024)(of_tenant)


@lru_cache(maxsize=1024)
def _lexical_params(tenant: str) -> models.SearchParams:
    """Statistics of the tenant alone: exact, and silent about what other tenants write."""
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=_tenant(tenant)))


def by_ids(chosen: models.Filter, limit: int, dimension: int) -> models.QueryRequest:
    """Points that are named by their ids, with all they have: a search, as engines are asked."""
    return models.QueryRequest(
        query=[1.0] + [0.0] * (dimension - 1),
        using=DENSE,
        filter=chosen,
        params=models.SearchParams(exact=True),
        limit=limit,
        with_payload=True,
        with_vector=[DENSE, LEXICAL],
    )
