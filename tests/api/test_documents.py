"""Documents over HTTP: seen, shown and deleted within the caller's rights."""

from io import BytesIO

import pytest
from PIL import Image

from tests.api.conftest import Product
from tests.refused import told

MISSING = "11111111-1111-5111-8111-111111111111"
PUBLIC = {
    "Temperature-de-chauffage.pdf",
    "Informationsfreiheitsgesetz-Auszug.eml",
    "Foot-Locker-2022-08-19-Press-Release.eml",
}


@pytest.mark.parametrize(
    ("who", "sees_public", "sees_salaries"),
    [
        ("ana", True, False),
        ("hugo", True, True),
        ("admin", True, False),
        ("stranger", False, False),
    ],
)
def test_the_list_holds_what_the_caller_may_read(
    product: Product, who: str, sees_public: bool, sees_salaries: bool
) -> None:
    with product.client(who) as client:
        documents = client.get("/v1/documents").json()["documents"]

    names = {document["name"] for document in documents}
    assert (names >= PUBLIC) is sees_public
    assert ("salaries.md" in names) is sees_salaries


def test_the_list_of_documents_comes_in_pages(product: Product) -> None:
    names: list[str] = []
    with product.client("hugo") as client:
        whole = client.get("/v1/documents").json()["documents"]
        after = None
        while True:
            query = {"limit": 1} if after is None else {"limit": 1, "after": after}
            body = client.get("/v1/documents", params=query).json()
            names += [document["name"] for document in body["documents"]]
            after = body["next"]
            if after is None:
                break

    assert names == [document["name"] for document in whole]


@pytest.mark.parametrize("path", ["", "/pages/1", "/pages/1/image", "/pages/1/image?start=0&end=5"])
def test_what_may_not_be_read_answers_like_what_does_not_exist(product: Product, path: str) -> None:
    salaries = product.documents["salaries.md"]
    with product.client("ana") as client:
        hidden = client.get(f"/v1/documents/{salaries}{path}")
        missing = client.get(f"/v1/documents/{MISSING}{path}")

    assert hidden.status_code == missing.status_code == 404
    assert told(hidden) == told(missing)


def test_its_readers_see_the_hidden_document(product: Product) -> None:
    with product.client("hugo") as client:
        page = client.get(f"/v1/documents/{product.documents['salaries.md']}/pages/1")

    assert page.status_code == 200
    assert "74,000" in page.json()["text"]
    assert page.json()["has_image"] is False


def test_a_quote_is_marked_on_the_image_of_its_page(product: Product) -> None:
    heating = product.documents["Temperature-de-chauffage.pdf"]
    address = f"/v1/documents/{heating}/pages/1"
    with product.client("ana") as client:
        page = client.get(address).json()
        start = page["text"].index("19°C")
        plain = client.get(f"{address}/image")
        marked = client.get(f"{address}/image", params={"start": start, "end": start + 4})

    assert page["has_image"]
    assert plain.headers["content-type"] == "image/png"
    assert _yellow(plain.content) == 0
    assert _yellow(marked.content) > 50


def test_a_page_comes_as_a_small_picture_to_who_may_read_it(product: Product) -> None:
    address = f"/v1/documents/{product.documents['Temperature-de-chauffage.pdf']}/pages/1/image"
    hidden = f"/v1/documents/{product.documents['salaries.md']}/pages/1/image"
    with product.client("ana") as client:
        whole, small = client.get(address), client.get(address, params={"width": 160})
        huge = client.get(address, params={"width": 100_000})
        refused = client.get(hidden, params={"width": 160})

    with Image.open(BytesIO(small.content)) as picture:
        assert picture.width == 160
    assert len(small.content) < len(whole.content) / 5
    assert (huge.status_code, refused.status_code) == (400, 404)


@pytest.mark.parametrize(
    "query", [{"start": 3}, {"end": 3}, {"start": 5, "end": 5}, {"start": -1, "end": 5}]
)
def test_a_quote_without_start_or_end_is_refused(product: Product, query: dict[str, int]) -> None:
    heating = product.documents["Temperature-de-chauffage.pdf"]
    with product.client("ana") as client:
        response = client.get(f"/v1/documents/{heating}/pages/1/image", params=query)

    assert response.status_code == 400


def test_a_page_beyond_the_last_is_not_found(product: Product) -> None:
    heating = product.documents["Temperature-de-chauffage.pdf"]
    with product.client("ana") as client:
        response = client.get(f"/v1/documents/{heating}/pages/99")

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        ("ana", "Informationsfreiheitsgesetz-Auszug.eml", 403),  # reads it, and is no admin
        ("admin", "salaries.md", 404),  # an admin, who may not know of it
        ("stranger", "Informationsfreiheitsgesetz-Auszug.eml", 404),
    ],
)
def test_who_may_not_delete_leaves_the_document_there(
    product: Product, who: str, name: str, status: int
) -> None:
    address = f"/v1/documents/{product.documents[name]}"
    with product.client(who) as client, product.client("hugo") as reader:
        refused = client.delete(address)
        still = reader.get(address)

    assert refused.status_code == status
    assert still.status_code == 200


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        ("ana", "Informationsfreiheitsgesetz-Auszug.eml", 403),  # reads it, and is no admin
        ("admin", "salaries.md", 404),  # an admin, who may not know of it
        ("admin", "Informationsfreiheitsgesetz-Auszug.eml", 202),
    ],
)
def test_an_admin_has_a_document_read_again_that_they_may_read(
    product: Product, who: str, name: str, status: int
) -> None:
    with product.client(who) as client:
        answered = client.post(f"/v1/documents/{product.documents[name]}/reread")

        assert answered.status_code == status
        if status == 202:
            job = answered.json()
            assert answered.headers["location"] == f"/v1/jobs/{job['job_id']}"
            assert job["total"] == 1


def test_a_document_says_which_parser_has_read_it(product: Product) -> None:
    address = f"/v1/documents/{product.documents['Informationsfreiheitsgesetz-Auszug.eml']}"
    with product.client("ana") as client:
        document = client.get(address).json()

    assert document["parser"].startswith("p")
    assert document["outdated"] is False


def _yellow(png: bytes) -> int:
    """How many pixels have the highlighter's colour."""
    with Image.open(BytesIO(png)) as image:
        counts = image.convert("RGB").getcolors(1 << 24) or []
    return sum(n for n, colour in counts if colour == (255, 226, 92))


def test_a_list_is_filtered_counted_and_put_in_order(product: Product) -> None:
    asked = {"q": "chauffage", "type": "application/pdf", "sort": "-date", "status": "indexed"}
    with product.client("ana") as client:
        found = client.get("/v1/documents", params=asked).json()
        other = client.get("/v1/documents", params={**asked, "type": "text/plain"}).json()
        secret = client.get("/v1/documents", params={"q": "salaries"}).json()

    assert [one["name"] for one in found["documents"]] == ["Temperature-de-chauffage.pdf"]
    assert (found["total"], found["next"]) == (1, None)
    assert (other["documents"], other["total"]) == ([], 0)
    assert (secret["documents"], secret["total"]) == ([], 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "size"},
        {"from": "yesterday"},
        {"to": "9999-12-31"},
        {"status": "gone"},
        {"after": "x", "sort": "title"},
    ],
)
def test_a_list_that_cannot_be_is_refused_with_the_reason(
    product: Product, wrong: dict[str, str]
) -> None:
    with product.client("ana") as client:
        refused = client.get("/v1/documents", params=wrong)

    assert refused.status_code == 400
    assert refused.json()["detail"]


@pytest.mark.parametrize("path", ["chunks", "original", "export", "export?format=markdown"])
def test_what_a_document_is_made_of_is_for_its_readers_and_on_the_record(
    product: Product, path: str
) -> None:
    salaries = product.documents["salaries.md"]
    with product.client("hugo") as reader, product.client("ana") as other:
        seen = reader.get(f"/v1/documents/{salaries}/{path}")
        hidden = other.get(f"/v1/documents/{salaries}/{path}")
        missing = other.get(f"/v1/documents/{MISSING}/{path}")

    recorded = [record.entry for record in product.application.audit.read()]
    assert "74,000" in seen.text
    assert hidden.status_code == missing.status_code == 404
    assert told(hidden) == told(missing)
    assert [(e.action, e.principal) for e in recorded][-1] == (path[:8].rstrip("?f"), "user:hugo")


def test_chunks_come_in_pages_and_say_where_they_stand(product: Product) -> None:
    address = f"/v1/documents/{product.documents['Informationsfreiheitsgesetz-Auszug.eml']}"
    with product.client("ana") as client:
        whole = client.get(f"{address}/chunks").json()
        first = client.get(f"{address}/chunks", params={"limit": 1}).json()
        second = client.get(f"{address}/chunks", params={"limit": 1, "after": 0}).json()
        text = client.get(f"{address}/pages/1").json()["text"]

    span = whole["chunks"][0]["spans"][0]
    assert whole["total"] == len(whole["chunks"]) > 1
    assert whole["next"] is None
    assert first["chunks"] + second["chunks"] == whole["chunks"][:2]
    assert text[span["start"] : span["end"]] in whole["chunks"][0]["text"]


def test_an_original_comes_byte_for_byte_to_be_saved_and_never_shown(product: Product) -> None:
    address = f"/v1/documents/{product.documents['salaries.md']}/original"
    with product.client("hugo") as client:
        whole = client.get(address)
        again = client.get(address, headers={"If-None-Match": whole.headers["etag"]})

    assert whole.content == product.ingested.read_bytes()
    assert whole.headers["content-disposition"].startswith('attachment; filename="salaries.md"')
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert (again.status_code, again.content) == (304, b"")
