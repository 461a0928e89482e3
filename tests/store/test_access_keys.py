"""The embedded engine finds the readable by numbers, and answers as by the three conditions."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import qdrant_edge as edge
from qdrant_client.http import models as rest
from starlette.testclient import TestClient

from sovereign_rag.access import Principal, ReadScope, read_scope
from sovereign_rag.store.embedded import access_keys, translate
from sovereign_rag.store.embedded.engine import Collection, Engine
from sovereign_rag.store.embedded.rest_server import create_app
from sovereign_rag.store.filters import document, filter_of
from sovereign_rag.store.protocol import NO_FILTER, SearchFilter
from sovereign_rag.store.schema import PAYLOAD_INDEXES, create_request

HR, IT = (str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in ("hr", "it"))
ANA = read_scope(Principal("ana", frozenset({"hr"}), clearance=1))
BO = read_scope(Principal("bo"))
STRANGER = read_scope(Principal("ana", frozenset({"hr"}), tenant="other", clearance=1))


def point(number: int, *readers: str, level: int = 0, of: str = HR) -> rest.PointStruct:
    return rest.PointStruct(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        vector={"dense": [1.0, 0.0], "bm25": rest.SparseVector(indices=[7], values=[1.0])},
        payload={
            "tenant": "default",
            "readers": list(readers),
            "level": level,
            "document_id": of,
            "text": f"text {number}",
        },
    )


POINTS = [
    *(point(n, "everyone") for n in range(0, 200)),
    *(point(n, "group:hr", "user:cleo") for n in range(200, 260)),
    *(point(n, "group:hr", level=1, of=IT) for n in range(260, 280)),
    *(point(n, "everyone", level=2) for n in range(280, 310)),
    *(point(n) for n in range(310, 320)),  # nobody's
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    engine.create("chunks", create_request(2, None))
    collection = engine.collection("chunks")
    for field, schema in PAYLOAD_INDEXES.items():
        collection.index(rest.CreateFieldIndex(field_name=field, field_schema=schema))
    collection.upsert(POINTS)
    yield engine
    engine.close()


@pytest.fixture
def collection(engine: Engine) -> Collection:
    return engine.collection("chunks")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A collection as it was written before points had keys, and vectors copies."""
    folder = tmp_path / "chunks"
    wanted = create_request(2, None)
    (folder / "shard").mkdir(parents=True)
    (folder / "collection.json").write_text(
        wanted.model_dump_json(exclude_unset=True, exclude_none=True)
    )
    shard = edge.EdgeShard.create(str(folder / "shard"), translate.shard_config(wanted))
    for field, schema in PAYLOAD_INDEXES.items():
        kind = translate.index_type(schema)
        shard.update(edge.UpdateOperation.create_field_index(field, kind))
    plain = [
        edge.Point(p.id, {"dense": [1.0, 0.0], "bm25": edge.SparseVector([7], [1.0])}, p.payload)
        for p in map(translate.point_of, POINTS)
    ]
    without = [edge.Point(p.id, p.vector, _without_keys(p.payload)) for p in plain]
    shard.update(edge.UpdateOperation.upsert_points(without))
    shard.flush()
    shard.close()
    return tmp_path


def _without_keys(payload: rest.Payload | None) -> rest.Payload:
    return {k: value for k, value in (payload or {}).items() if k != access_keys.FIELD}


def readable(
    collection: Collection, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
) -> int:
    return collection.count(filter_of(scope, search_filter))


def few(condition: rest.FieldCondition) -> int:
    """Of a tenant's hundred points a caller can read ten."""
    return 100 if condition.key == "tenant" else 10


def most(condition: rest.FieldCondition) -> int:
    return 100 if condition.key == "tenant" else 90


def test_the_three_conditions_of_a_scope_become_one() -> None:
    narrowed = filter_of(ANA, SearchFilter(labels=frozenset({"group:hr"})))

    found = access_keys.by_key(narrowed, {0, 1, 2}, few)

    assert found is not None
    assert isinstance(found.must, list)
    keys, labels = found.must
    assert isinstance(keys, rest.FieldCondition)
    assert isinstance(keys.match, rest.MatchAny)
    assert keys.key == access_keys.FIELD
    assert len(keys.match.any) == len(ANA.labels) * 2  # of the levels up to hers
    assert isinstance(labels, rest.FieldCondition)
    assert labels.key == "readers"  # the filter's own condition stays


def test_where_most_of_a_tenant_is_readable_the_rest_of_it_is_left_out() -> None:
    excluded = SearchFilter(exclude_documents=frozenset({HR}))

    found = access_keys.by_key(filter_of(ANA, excluded), {0, 1, 2}, most)

    assert found is not None
    assert isinstance(found.must, list)
    assert isinstance(found.must_not, list)
    (tenant,) = found.must
    document_, unreadable = found.must_not
    assert isinstance(tenant, rest.FieldCondition)
    assert tenant.key == "tenant"
    assert isinstance(document_, rest.FieldCondition)
    assert document_.key == "document_id"
    assert isinstance(unreadable, rest.Filter)
    assert unreadable.must is None
    assert isinstance(unreadable.must_not, list)
    (readable_,) = unreadable.must_not
    assert isinstance(readable_, rest.FieldCondition)
    assert readable_.key == access_keys.FIELD


@pytest.mark.parametrize(
    "given",
    [
        document("default", HR),
        rest.Filter(must=filter_of(ANA, NO_FILTER).must[:2]),  # type: ignore[index]  # a list
        None,
    ],
)
def test_a_filter_without_rights_is_not_rewritten_as_keys(given: rest.Filter | None) -> None:
    assert access_keys.by_key(given, {0, 1}, few) is given


def test_a_filter_that_would_name_too_many_keys_stays_as_it_is() -> None:
    given = filter_of(
        read_scope(Principal("ana", frozenset(f"g{n}" for n in range(99)), clearance=99)),
        NO_FILTER,
    )

    assert access_keys.by_key(given, set(range(10)), few) is not given
    assert access_keys.by_key(given, set(range(100)), few) is given


def test_each_reader_finds_what_is_theirs(collection: Collection) -> None:
    assert readable(collection, ANA) == 200 + 60 + 20
    assert readable(collection, BO) == 200
    assert readable(collection, STRANGER) == 0


def test_a_change_of_readers_or_level_alone_changes_who_finds_it(collection: Collection) -> None:
    collection.set_payload({"readers": ["user:bo"]}, document("default", IT))
    assert (readable(collection, ANA), readable(collection, BO)) == (260, 200)  # level 1 still

    collection.set_payload({"level": 0}, document("default", IT))
    assert (readable(collection, ANA), readable(collection, BO)) == (260, 220)


def test_a_level_that_nothing_had_before_is_found(collection: Collection) -> None:
    board = read_scope(Principal("bo", clearance=7))
    collection.upsert([point(900, "user:bo", level=6)])

    assert readable(collection, board) == 200 + 30 + 1
    assert readable(collection, BO) == 200


def test_the_keys_stay_within_the_engine(engine: Engine) -> None:
    asked = rest.QueryRequest(
        query=[1.0, 0.0],
        using="dense",
        filter=filter_of(BO, NO_FILTER),
        limit=1,
        with_payload=True,
    )
    batch = rest.QueryRequestBatch(searches=[asked]).model_dump_json(exclude_unset=True)
    with TestClient(create_app(engine)) as client:
        answer = client.post("/collections/chunks/points/query/batch", content=batch).json()
        info = client.get("/collections/chunks").json()

    (hit,) = answer["result"][0]["points"]
    assert hit["payload"]["readers"] == ["everyone"]
    assert access_keys.FIELD not in hit["payload"]
    assert info["result"]["payload_schema"].keys() == PAYLOAD_INDEXES.keys()


def test_a_collection_from_before_answers_the_same_while_it_is_given_keys_and_after(
    older: Path,
) -> None:
    engine = Engine(older)
    collection = engine.collection("chunks")
    before = [readable(collection, scope) for scope in (ANA, BO, STRANGER)]

    assert collection.to_erase
    assert before == [280, 200, 0]
    collection.set_payload({"readers": ["group:it"], "level": 0}, document("default", IT))
    while collection.erase_some(hurry=True):
        assert readable(collection, BO) == 200

    assert [readable(collection, scope) for scope in (ANA, BO, STRANGER)] == [260, 200, 0]
    engine.close()
    again = Engine(older)
    assert not again.collection("chunks").to_erase  # once is enough
    assert readable(again.collection("chunks"), ANA) == 260
    again.close()
