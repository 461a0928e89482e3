"""The body of a search, read quickly.

Qdrant's models try every kind of condition and query that there is, which takes longer than many a
search. But the filters of a batch are the same few over and over, so they are read once; and what
holds them has few parts. A request that has others is left to the models as a whole.
"""

from functools import lru_cache
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError
from qdrant_client.http import models as rest

_NUMBERS: Final = TypeAdapter(list[float])
_NAMES: Final = TypeAdapter(list[str] | None)


class _Unusual(Exception):
    """Not what the store sends."""


def queries_of(body: bytes) -> rest.QueryRequestBatch:
    """Raises ValidationError: it is no batch of queries."""
    try:
        match orjson.loads(body):
            case {"searches": [*searches], **more} if not more:
                read = [_query(given) for given in searches]
                return rest.QueryRequestBatch.model_construct(searches=read)
    except (_Unusual, ValidationError, orjson.JSONDecodeError):
        pass  # the models say what is wrong, if anything is
    return rest.QueryRequestBatch.model_validate_json(body)


def _query(given: object) -> rest.QueryRequest:
    match given:
        case {
            "query": query,
            "using": str() as using,
            "filter": dict() as chosen,
            "params": dict() as params,
            "limit": int() as limit,
            "with_payload": bool() as with_payload,
            **more,
        } if more.keys() <= {"with_vector"} and not isinstance(limit, bool):
            return rest.QueryRequest.model_construct(
                query=_NUMBERS.validate_python(query, strict=True)
                if isinstance(query, list)
                else rest.SparseVector.model_validate(query),
                using=using,
                filter=_filter(orjson.dumps(chosen)),
                params=_params(orjson.dumps(params)),
                limit=limit,
                with_payload=with_payload,
                with_vector=_NAMES.validate_python(more.get("with_vector")),
            )
    raise _Unusual


@lru_cache(maxsize=256)
def _filter(given: bytes) -> rest.Filter:
    return rest.Filter.model_validate_json(given)


@lru_cache(maxsize=256)
def _params(given: bytes) -> rest.SearchParams:
    return rest.SearchParams.model_validate_json(given)
