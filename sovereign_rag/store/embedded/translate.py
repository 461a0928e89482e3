"""Qdrant's REST models -> the engine's own. What isn't known here is refused, never passed over."""

import uuid
from collections.abc import Sequence
from typing import Final

import qdrant_edge as edge
from qdrant_client.http import models as rest

from sovereign_rag.store.embedded.access_keys import with_keys

_DISTANCES: Final = {
    rest.Distance.COSINE: edge.Distance.Cosine,
    rest.Distance.DOT: edge.Distance.Dot,
}
_NEVER_A_GRAPH: Final = 1_000_000_000  # KB before an index is built

# Beside each dense vector a copy of it in 8 bits, which a search compares first; the best of them,
# this many times as many as are asked for, are compared by the vectors themselves. By decision
# 0019 none of the best fifty was lost with two times as many.
_COMPARED_AGAIN: Final = 4.0


class Refused(ValueError):
    """The request asks for what the embedded engine doesn't offer, or for too much."""


def shard_config(wanted: rest.CreateCollection) -> edge.EdgeConfig:
    """Every vector is looked at, by its 8-bit copy; and a log of every write.

    A graph would take seconds to minutes to build, with every caller waiting, and misses more.
    """
    known = {"vectors", "sparse_vectors"}
    if (more := wanted.model_fields_set - known) and any(getattr(wanted, f) for f in more):
        raise Refused(f"The embedded engine doesn't offer {', '.join(sorted(more))}")
    dense = wanted.vectors
    if not isinstance(dense, dict) or not dense:
        raise Refused("A collection needs named vectors")
    return edge.EdgeConfig(
        vectors={name: _dense_params(params) for name, params in dense.items()},
        sparse_vectors={
            name: _sparse_params(params) for name, params in (wanted.sparse_vectors or {}).items()
        },
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_A_GRAPH),
    )


def index_type(schema: rest.PayloadFieldSchema | None) -> edge.PayloadSchemaType:
    """The kind of index alone: what else a schema says would shape a graph."""
    match schema:
        case rest.KeywordIndexParams():
            return edge.PayloadSchemaType.Keyword
        case rest.IntegerIndexParams():
            return edge.PayloadSchemaType.Integer
        case rest.UuidIndexParams():
            return edge.PayloadSchemaType.Uuid
    raise Refused(f"The embedded engine has no index {schema!r}")


def filter_of(given: rest.Filter | None) -> edge.Filter:
    """Raises Refused also for an empty filter: to the engine it would mean every point."""
    if given is None or not given.must or given.should or given.min_should:
        raise Refused("Every request needs a filter with conditions that must hold")
    return edge.Filter(must=_conditions(given.must), must_not=_conditions(given.must_not))


def point_of(given: rest.PointStruct) -> edge.Point:
    if not isinstance(given.vector, dict):
        raise Refused("A point needs named vectors")
    return edge.Point(
        id=_id(given.id),
        vector={name: _vector(vector) for name, vector in given.vector.items()},
        payload=with_keys(given.payload),
    )


def query_of(
    given: rest.QueryRequest,
    chosen: rest.Filter | None,
    *,
    corpus: rest.Filter | None,
    most: int,
) -> edge.QueryRequest:
    """`chosen` and `corpus`: what stands for the query's own; no corpus: every point."""
    if given.prefetch or given.offset or given.lookup_from or given.score_threshold is not None:
        raise Refused("The embedded engine answers plain nearest-point queries")
    query = given.query.nearest if isinstance(given.query, rest.NearestQuery) else given.query
    limit = 10 if given.limit is None else given.limit
    if not isinstance(query, list | rest.SparseVector):
        raise Refused("A query is a dense or a sparse vector")
    if not 1 <= limit <= most:
        raise Refused(f"A query's limit is 1 to {most}, not {limit}")
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(_vector(query), using=given.using),
        filter=filter_of(chosen),
        params=_search_params(given.params, corpus),
        with_payload=given.with_payload is True,
        with_vector=given.with_vector if isinstance(given.with_vector, list) else False,
    )


def vector_out(vector: object) -> object:
    """A vector as JSON has it."""
    if isinstance(vector, dict):
        return {name: vector_out(part) for name, part in vector.items()}
    if isinstance(vector, edge.SparseVector):
        return {"indices": vector.indices, "values": vector.values}
    return vector


def _dense_params(given: rest.VectorParams) -> edge.EdgeVectorParams:
    if given.model_fields_set - {"size", "distance"} or given.distance not in _DISTANCES:
        raise Refused("The embedded engine's dense vectors have a size and a distance, no more")
    return edge.EdgeVectorParams(
        size=given.size,
        distance=_DISTANCES[given.distance],
        # The one kind that needs no training, so that each point has its copy from the start.
        quantization_config=edge.TurboQuantQuantizationConfig(
            bits=edge.TurboQuantBitSize.Bits8, memory=edge.Memory.Pinned
        ),
    )


def _sparse_params(given: rest.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    if given.index is not None:
        raise Refused("The embedded engine's sparse vectors have a modifier, no more")
    idf = given.modifier is rest.Modifier.IDF
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if idf else None)


def _search_params(
    given: rest.SearchParams | None, corpus: rest.Filter | None
) -> edge.SearchParams:
    """The corpus of the IDF, and whether copies will do: the rest steers a graph."""
    return edge.SearchParams(
        exact=given is not None and given.exact is True,
        quantization=edge.QuantizationSearchParams(rescore=True, oversampling=_COMPARED_AGAIN),
        idf=edge.IdfParams(corpus=filter_of(corpus)) if corpus else None,
    )


def _conditions(
    given: Sequence[rest.Condition] | rest.Condition | None,
) -> "list[edge.ConditionType]":
    if given is None:
        return []
    if isinstance(given, Sequence):
        return [_condition(condition) for condition in given]
    return [_condition(given)]


def _condition(given: rest.Condition) -> "edge.ConditionType":
    match given:
        case rest.Filter(must=None, should=None, min_should=None, must_not=[*never]) if never:
            return edge.Filter(must_not=_conditions(never))
        case rest.HasIdCondition(has_id=ids):
            return edge.HasIdCondition({_id(found) for found in ids})
        case rest.FieldCondition(key=key, match=rest.MatchValue(value=value)):
            return edge.FieldCondition(key, match=edge.MatchValue(value))
        case rest.FieldCondition(key=key, match=rest.MatchAny(any=values)):
            return edge.FieldCondition(key, match=edge.MatchAny(values))
        case rest.FieldCondition(key=key, range=rest.Range(lte=lte, gte=gte, lt=lt, gt=gt)):
            return edge.FieldCondition(key, range=edge.RangeFloat(lte=lte, gte=gte, lt=lt, gt=gt))
    raise Refused(f"The embedded engine has no condition {type(given).__name__} like this one")


def _vector(given: object) -> "list[float] | edge.SparseVector":
    if isinstance(given, rest.SparseVector):
        return edge.SparseVector(indices=given.indices, values=given.values)
    if isinstance(given, list):
        return given
    raise Refused("A vector is a list of numbers or a sparse vector")


def _id(given: object) -> uuid.UUID:
    if isinstance(given, uuid.UUID):
        return given
    if isinstance(given, str):
        return uuid.UUID(given)
    raise Refused("A point's id is a UUID")
