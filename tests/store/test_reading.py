"""A search is read quickly or by Qdrant's models, and means the same either way."""

import uuid
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
from pydantic import ValidationError
from qdrant_client.http import models as rest

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.domain import SparseVector
from sovereign_rag.store.embedded.reading import queries_of
from sovereign_rag.store.protocol import DenseQuery, LexicalQuery, SearchFilter
from sovereign_rag.store.queries import request_of, weighing

ANA = read_scope(Principal("ana", frozenset({"hr", "it"}), clearance=2))
ID = str(uuid.UUID(int=7))
FILTERS = (
    SearchFilter(),
    SearchFilter(chunks=frozenset({ID}), languages=frozenset({"fr", "de"})),
    SearchFilter(
        exclude_documents=frozenset({ID}),
        sources=frozenset({"file:///a"}),
        modified_from=datetime(2026, 1, 2, tzinfo=UTC),
        modified_before=datetime(2026, 3, 4, tzinfo=UTC),
    ),
)
VECTOR = np.array([0.25, -0.5, 1.0], np.float32)
TERMS = SparseVector((3, 99), (1.0, 0.5))


def body(*searches: rest.QueryRequest) -> bytes:
    """As the client writes it."""
    batch = rest.QueryRequestBatch(searches=list(searches))
    return batch.model_dump_json(exclude_unset=True, by_alias=True).encode()


@pytest.mark.parametrize("search_filter", FILTERS, ids=["none", "some", "others"])
def test_what_the_store_asks_is_read_as_the_models_read_it(search_filter: SearchFilter) -> None:
    dense = request_of(DenseQuery(VECTOR, 50, search_filter), ANA)
    lexical = request_of(LexicalQuery(TERMS, 50, search_filter), ANA)
    given = body(dense, lexical, weighing(3, ANA))

    for _ in range(2):  # also what was read before
        read = queries_of(given)

        right = rest.QueryRequestBatch.model_validate_json(given)
        assert read.model_dump(exclude_none=True) == right.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 3},  # known to the models, and refused later
        {"with_payload": ["text"]},
        {"filter": None},
        {"limit": None},
        {"params": {"exact": True}},
    ],
    ids=str,
)
def test_another_request_is_read_by_the_models(change: dict[str, object]) -> None:
    (search,) = orjson.loads(body(request_of(DenseQuery(VECTOR, 5), ANA)))["searches"]
    given = orjson.dumps({"searches": [{**search, **change}]})

    assert queries_of(given).model_dump(exclude_none=True) == (
        rest.QueryRequestBatch.model_validate_json(given).model_dump(exclude_none=True)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"query": ["a"]},
        {"using": 3},
        {"filter": {"must": [{"key": "tenant", "match": {"values": "x"}}]}},
        {"filter": {"must": [{"has_id": "x"}], "unless": []}},
        {"params": {"speed": "high"}},
        {"with_vector": [3]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_what_the_models_refuse_is_refused(change: dict[str, object]) -> None:
    (search,) = orjson.loads(body(request_of(DenseQuery(VECTOR, 5), ANA)))["searches"]
    given = orjson.dumps({"searches": [{**search, **change}]})

    with pytest.raises(ValidationError):
        queries_of(given)


def test_a_body_that_is_no_batch_of_searches_is_refused() -> None:
    for given in (b"", b"[]", b"{}", b'{"searches": 3}', b'{"searches": [], "more": 1}', b"\xff"):
        with pytest.raises(ValidationError):
            queries_of(given)
