"""Deleted text is erased by writing the shard anew, beside everybody who uses it meanwhile."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client.http import models as rest

from sovereign_rag.store.embedded.engine import Collection, Engine
from sovereign_rag.store.schema import PAYLOAD_INDEXES, create_request

POINTS = 4_000
PER_DOCUMENT = 40


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    engine.create("chunks", create_request(2, None))
    collection = engine.collection("chunks")
    for field, schema in PAYLOAD_INDEXES.items():
        collection.index(rest.CreateFieldIndex(field_name=field, field_schema=schema))
    collection.upsert([point(number) for number in range(POINTS)])
    yield engine
    engine.close()


def point(number: int, *, reader: str = "everyone") -> rest.PointStruct:
    return rest.PointStruct(
        # Spread over the ids, in whose order the copy is made.
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        vector={"dense": [1.0, 0.0], "bm25": rest.SparseVector(indices=[number % 7], values=[1.0])},
        payload={
            "tenant": "default",
            "readers": [reader],
            "level": 0,
            "document_id": document(number // PER_DOCUMENT),
            "text": f"text {number}. of document {number // PER_DOCUMENT}.",
        },
    )


def document(number: int) -> str:
    return str(uuid.UUID(int=number))


def where(key: str, value: str) -> rest.Filter:
    return rest.Filter(must=[rest.FieldCondition(key=key, match=rest.MatchValue(value=value))])


EVERYTHING = where("tenant", "default")


def erase_all(collection: Collection) -> None:
    while collection.erase_some(hurry=True):
        pass


def files_with(folder: Path, needle: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if needle.encode() in path.read_bytes()]


def test_what_happens_during_the_erasing_is_in_the_new_shard(
    engine: Engine, tmp_path: Path
) -> None:
    collection = engine.collection("chunks")
    collection.delete(where("document_id", document(1)))
    assert collection.erase_some(hurry=True)
    assert collection.erasing  # not done in one step

    for number in (2, 3, 4):
        collection.delete(where("document_id", document(number)))
    for number in (5, 6, 7):
        collection.set_payload({"readers": ["group:hr"]}, where("document_id", document(number)))
    collection.upsert([point(POINTS + extra, reader="group:new") for extra in range(50)])
    erase_all(collection)

    assert collection.count(EVERYTHING) == POINTS - 4 * PER_DOCUMENT + 50
    assert collection.count(where("readers", "group:hr")) == 3 * PER_DOCUMENT
    assert collection.count(where("readers", "group:new")) == 50
    for number in range(1, 5):
        assert collection.count(where("document_id", document(number))) == 0
        assert files_with(tmp_path, f"of document {number}.") == []
    assert files_with(tmp_path, "of document 5.") != []
    assert not collection.to_erase


def test_a_search_scores_the_same_before_and_after(engine: Engine) -> None:
    collection = engine.collection("chunks")
    collection.delete(where("document_id", document(1)))
    question = rest.QueryRequest(
        query=rest.SparseVector(indices=[3], values=[1.0]),
        using="bm25",
        filter=EVERYTHING,
        params=rest.SearchParams(idf=rest.IdfCorpusParams(corpus=EVERYTHING)),
        limit=1_000,
    )

    (before,) = collection.query([question])
    erase_all(collection)
    (after,) = collection.query([question])

    assert {hit.id for hit in after} == {hit.id for hit in before}
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before])


def test_an_erasing_that_was_cut_short_leaves_the_shard_as_it_was(
    engine: Engine, tmp_path: Path
) -> None:
    collection = engine.collection("chunks")
    collection.delete(where("document_id", document(1)))
    collection.erase_some(hurry=True)
    collection.flush()
    killed = tmp_path.with_name("killed")
    shutil.copytree(tmp_path, killed)  # as a killed process leaves it

    again = Engine(killed)

    found = again.collection("chunks")
    assert found.count(EVERYTHING) == POINTS - PER_DOCUMENT
    assert found.to_erase
    erase_all(found)
    assert files_with(killed, "of document 1.") == []
    again.close()


def test_a_swap_that_was_cut_short_is_completed(engine: Engine, tmp_path: Path) -> None:
    engine.close()
    folder = tmp_path / "chunks"
    shutil.copytree(folder / "shard", folder / "shard.new")
    (folder / "shard").rename(folder / "shard.old")

    again = Engine(tmp_path)

    assert again.collection("chunks").count(EVERYTHING) == POINTS
    assert {path.name for path in folder.iterdir()} == {"collection.json", "shard"}
    again.close()
