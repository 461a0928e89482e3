"""What an admin says of a document that is there: who may read it, and what it is."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import Product


@pytest.fixture
def memo(product: Product) -> Iterator[str]:
    """A document of the admin's and ana's own, by its id."""
    with product.client("admin") as client:
        client.post(
            "/v1/documents",
            files={"file": ("memo.txt", b"The safe opens by the number 4711.")},
            data={"readers": "user:adam,user:ana"},
        )
        product.work_off()
        listed = client.get("/v1/documents", params={"q": "memo.txt"}).json()["documents"]
        yield listed[0]["document_id"]
        client.delete(f"/v1/documents/{listed[0]['document_id']}")


def test_an_admin_changes_who_may_read_a_document_and_nothing_is_read_again(
    product: Product, memo: str
) -> None:
    address = f"/v1/documents/{memo}"
    with product.client("admin") as admin, product.client("ana") as ana:
        before = ana.get(address)
        narrowed = admin.patch(address, json={"readers": ["user:adam"], "level": 0})
        after = ana.get(address)
        found = ana.post("/v1/search", json={"query": "number of the safe"}).json()["passages"]
        admin.patch(address, json={"readers": ["user:adam", "user:ana"]})
        again = ana.post("/v1/search", json={"query": "number of the safe"}).json()["passages"]

    told = narrowed.json()
    assert (before.status_code, narrowed.status_code, after.status_code) == (200, 200, 404)
    assert (told["settled"], told["document"]["readers"]) == (True, ["user:adam"])
    assert memo not in {passage["document_id"] for passage in found}
    assert memo in {passage["document_id"] for passage in again}


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        ("ana", "Informationsfreiheitsgesetz-Auszug.eml", 403),  # reads it, and is no admin
        ("admin", "salaries.md", 404),  # an admin, who may not know of it
        ("stranger", "Informationsfreiheitsgesetz-Auszug.eml", 404),
    ],
)
def test_who_may_not_change_a_document_leaves_it_as_it_is(
    product: Product, who: str, name: str, status: int
) -> None:
    address = f"/v1/documents/{product.documents[name]}"
    with product.client(who) as client, product.client("hugo") as reader:
        refused = client.patch(address, json={"readers": ["user:eve"]})

        assert refused.status_code == status
        assert reader.get(address).status_code == 200


@pytest.mark.parametrize(
    ("body", "if_match", "status"),
    [
        ({}, None, 400),
        ({"readers": ["hr"]}, None, 400),
        ({"level": 1_001}, None, 400),
        ({"colour": "red"}, None, 400),
        ({"level": 0}, "not a hash", 400),
        ({"level": 0}, f'"{"0" * 64}"', 412),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    product: Product, memo: str, body: dict[str, object], if_match: str | None, status: int
) -> None:
    headers = {} if if_match is None else {"If-Match": if_match}
    with product.client("admin") as admin:
        refused = admin.patch(f"/v1/documents/{memo}", json=body, headers=headers)

    assert refused.status_code == status
    assert refused.json()["detail"]


def test_a_change_hangs_on_the_content_that_was_seen(product: Product, memo: str) -> None:
    address = f"/v1/documents/{memo}"
    with product.client("admin") as admin:
        seen = admin.get(address).json()["sha256"]
        changed = admin.patch(address, json={"level": 0}, headers={"If-Match": f'"{seen}"'})

    assert changed.status_code == 200


def test_what_is_said_of_a_document_narrows_lists_and_searches_and_is_counted(
    product: Product, memo: str
) -> None:
    said = {"title": "The safe", "tags": ["keys", "house"], "author": "Ana", "date": "2001-02-03"}
    keys, safe = {"tags": ["keys"]}, {"query": "number of the safe"}
    with product.client("admin") as admin, product.client("ana") as ana:
        edited = admin.patch(f"/v1/documents/{memo}", json={"metadata": said})
        listed = ana.get("/v1/documents", params={"tag": "keys", "to": "2001-02-03"}).json()
        found = ana.post("/v1/search", json={**safe, **keys}).json()["passages"]
        before_it = ana.post("/v1/search", json={**safe, "modified_before": "2001-02-04T00:00:00Z"})
        counted = ana.post("/v1/search/facets", json=keys).json()["facts"]
        admin.patch(f"/v1/documents/{memo}", json={"metadata": {"tags": None}})
        after = ana.post("/v1/search", json={**safe, **keys}).json()["passages"]
    with product.client("hugo") as stranger:
        hidden = stranger.get("/v1/documents", params={"tag": "keys"}).json()
        uncounted = stranger.post("/v1/search/facets", json={}).json()["facts"]

    assert edited.json()["document"]["title"] == "The safe"
    assert ([one["document_id"] for one in listed["documents"]], listed["total"]) == ([memo], 1)
    assert {one["document_id"] for one in found} == {memo}
    assert found[0]["metadata"]["tags"] == ["house", "keys"]
    assert {one["document_id"] for one in before_it.json()["passages"]} == {memo}
    assert counted == {"author=Ana": 1, "tag=house": 1, "tag=keys": 1}
    assert after == []
    assert (hidden["total"], uncounted) == (0, {})


def test_a_stated_language_decides_by_which_words_a_document_is_found(product: Product) -> None:
    document = {"file": ("notices.txt", b"K\xc3\xbcndigungen im Archiv des Hauses, 4712")}
    form = {"readers": "user:adam", "metadata": '{"language": "en"}'}
    asked = {"query": "Wo liegt die K\u00fcndigung?", "mode": "lexical"}  # another form of the word
    with product.client("admin") as admin:

        def found() -> list[tuple[str, str]]:
            passages = admin.post("/v1/search", json=asked).json()["passages"]
            return [(one["document_id"], one["language"]) for one in passages]

        admin.post("/v1/documents", files=document, data=form)
        product.work_off()
        (listed,) = admin.get("/v1/documents", params={"q": "notices.txt"}).json()["documents"]
        address, id_ = f"/v1/documents/{listed['document_id']}", listed["document_id"]
        as_english = found()
        german = admin.patch(address, json={"metadata": {"language": "de-AT"}}).json()
        as_german = found()
        counted = admin.post("/v1/search/facets", json={"documents": [id_]}).json()["language"]
        in_german = admin.post("/v1/search", json={**asked, "languages": ["de"]}).json()
        admin.patch(address, json={"metadata": {"language": "en"}})
        as_english_again = found()
        admin.patch(address, json={"metadata": {"language": None}})
        as_told = found()
        admin.delete(address)

    said = german["document"]
    assert (listed["language"], listed["metadata"]["language"]) == ("en", "en")
    assert (said["language"], said["metadata"]["language"]) == ("de", "de-AT")
    assert german["settled"] is True
    assert counted == {"de": 1}
    assert id_ not in dict(as_english)
    assert id_ not in dict(as_english_again)
    assert dict(as_german)[id_] == dict(as_told)[id_] == "de"
    assert id_ in {one["document_id"] for one in in_german["passages"]}


def test_an_upload_says_what_its_document_is(product: Product) -> None:
    form = {"readers": "user:adam", "metadata": '{"title": "Minutes", "tags": ["board"]}'}
    with product.client("admin") as admin:
        admin.post("/v1/documents", files={"file": ("m.txt", b"The board met.")}, data=form)
        product.work_off()
        (listed,) = admin.get("/v1/documents", params={"tag": "board"}).json()["documents"]
        found = admin.post("/v1/search", json={"query": "board met", "tags": ["board"]}).json()
        admin.delete(f"/v1/documents/{listed['document_id']}")

    assert listed["title"] == "Minutes"
    assert [one["title"] for one in found["passages"]] == ["Minutes"]


@pytest.mark.parametrize(
    "said",
    [
        {"fields": {"colour": "red"}},  # no field of the settings
        {"address": "javascript:alert(1)"},
        {"title": ""},
        {"tags": ["x" * 101]},
        {"owner": "ana"},
        {"language": "french"},
        {"language": "xx"},
    ],
)
def test_what_cannot_be_said_of_a_document_is_refused(
    product: Product, memo: str, said: dict[str, object]
) -> None:
    with product.client("admin") as admin:
        refused = admin.patch(f"/v1/documents/{memo}", json={"metadata": said})

    assert refused.status_code == 400
    assert refused.json()["detail"]


def test_several_documents_are_changed_and_deleted_together_or_not_at_all(
    product: Product, memo: str
) -> None:
    salaries = product.documents["salaries.md"]  # which the admin may not read
    with product.client("admin") as admin, product.client("ana") as ana:
        mixed = [memo, salaries]
        refused = [
            admin.post("/v1/documents/edit", json={"documents": mixed, "readers": ["user:adam"]}),
            admin.post("/v1/documents/delete", json={"documents": mixed}),
            ana.post("/v1/documents/delete", json={"documents": [memo]}),
        ]
        still = ana.get(f"/v1/documents/{memo}")
        body = {"documents": [memo], "readers": ["user:adam"], "metadata": {"tags": ["x"]}}
        edited = admin.post("/v1/documents/edit", json=body).json()["edited"]
        gone = ana.get(f"/v1/documents/{memo}")
        deleted = admin.post("/v1/documents/delete", json={"documents": [memo, memo]})
        missing = admin.get(f"/v1/documents/{memo}")

    assert [one.status_code for one in refused] == [404, 404, 403]
    assert (still.status_code, gone.status_code) == (200, 404)
    assert edited[0]["document"]["metadata"]["tags"] == ["x"]
    assert (deleted.status_code, missing.status_code) == (204, 404)
