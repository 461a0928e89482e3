"""Documents over HTTP: seen, shown and deleted within the caller's rights."""

from io import BytesIO

import pytest
from PIL import Image

from tests.api.conftest import Product

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
    assert hidden.json() == missing.json()


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


def _yellow(png: bytes) -> int:
    """How many pixels have the highlighter's colour."""
    with Image.open(BytesIO(png)) as image:
        counts = image.convert("RGB").getcolors(1 << 24) or []
    return sum(n for n, colour in counts if colour == (255, 226, 92))
