"""Integrators name documents by ids of their own, and replace only what they have seen."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import pytest

from sovereign_rag.client import Client
from sovereign_rag.errors import BadInput, DocumentChanged
from tests.api.conftest import Product

FIRST, SECOND, THIRD = (f"The lift number {n} is out of order.".encode() for n in range(3))


@pytest.fixture
def admin(product: Product) -> Iterator[httpx.Client]:
    with product.client("admin") as client:
        yield client


def sent(
    admin: httpx.Client, content: bytes, own_id: str | None = None, **more: Any
) -> httpx.Response:
    headers = {"If-Match": f'"{more.pop("if_match")}"'} if "if_match" in more else {}
    named = {} if own_id is None else {"id": own_id}
    return admin.post(
        "/v1/documents",
        files={"file": (more.pop("name", "lift.txt"), content)},
        data={**named, **more},
        headers=headers,
    )


def listed(admin: httpx.Client, own_id: str) -> list[dict[str, Any]]:
    source = f"upload:user:adam/id/{own_id}"
    found: list[dict[str, Any]] = admin.get("/v1/documents", params={"source": source}).json()[
        "documents"
    ]
    return found


def hash_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_the_same_id_again_replaces_the_document_whatever_its_file_is_called(
    product: Product, admin: httpx.Client
) -> None:
    sent(admin, FIRST, "ticket-4711", name="a.txt").raise_for_status()
    product.work_off()
    sent(admin, SECOND, "ticket-4711", name="b.txt").raise_for_status()
    product.work_off()

    (one,) = listed(admin, "ticket-4711")

    assert (one["name"], one["sha256"]) == ("b.txt", hash_of(SECOND))


def test_a_document_is_replaced_as_long_as_it_is_the_one_that_was_seen(
    product: Product, admin: httpx.Client
) -> None:
    sent(admin, FIRST, "seen").raise_for_status()

    late = sent(admin, THIRD, "seen", if_match=hash_of(SECOND))  # the first is on its way
    follows = sent(admin, SECOND, "seen", if_match=hash_of(FIRST))
    product.work_off()
    again = sent(admin, THIRD, "seen", if_match=hash_of(FIRST))

    assert (late.status_code, follows.status_code, again.status_code) == (412, 202, 412)
    assert again.json()["error"] == "DocumentChanged"
    assert hash_of(SECOND) in again.json()["detail"]
    assert "If-Match" in again.json()["detail"]
    assert [one["sha256"] for one in listed(admin, "seen")] == [hash_of(SECOND)]
    assert sent(admin, THIRD, "not there", if_match=hash_of(FIRST)).status_code == 400
    assert sent(admin, THIRD, "none", if_match=hash_of(FIRST)).status_code == 412


def test_a_document_that_is_there_is_not_replaced_where_that_is_not_wanted(
    product: Product, admin: httpx.Client
) -> None:
    made = sent(admin, FIRST, "once", replace="false")
    refused = sent(admin, SECOND, "once", replace="false")
    product.work_off()
    still = sent(admin, SECOND, "once", replace="false")
    allowed = sent(admin, SECOND, "once", replace="true")

    codes = [one.status_code for one in (made, refused, still, allowed)]
    assert codes == [202, 412, 412, 202]
    assert "there already" in still.json()["detail"]
    product.work_off()


def test_ids_are_the_ids_of_who_sends_them(product: Product, admin: httpx.Client) -> None:
    with product.client("other admin") as olga:
        one = sent(admin, FIRST, "shared", replace="false")
        other = sent(olga, FIRST, "shared", replace="false")
    product.work_off()

    assert (one.status_code, other.status_code) == (202, 202)
    assert len(listed(admin, "shared")) == 1


@pytest.mark.parametrize("own_id", ["", "a b", "../x", "a/b", "x" * 201])
def test_what_can_name_no_document_is_refused(admin: httpx.Client, own_id: str) -> None:
    refused = sent(admin, FIRST, own_id)

    assert (refused.status_code, "id names" in refused.json()["detail"]) == (400, True)


def test_an_id_and_a_condition_are_of_one_file(admin: httpx.Client) -> None:
    files = [("file", ("a.txt", FIRST)), ("file", ("b.txt", SECOND))]
    condition = {"If-Match": f'"{hash_of(FIRST)}"'}

    named = admin.post("/v1/documents", files=files, data={"id": "two"})
    matched = admin.post("/v1/documents", files=files, headers=condition)

    assert (named.status_code, matched.status_code) == (400, 400)
    assert sent(admin, FIRST, replace="perhaps").status_code == 400


def test_the_client_says_the_same(product: Product, tmp_path: Any) -> None:
    file = tmp_path / "lift.txt"
    file.write_bytes(FIRST)

    with Client(product.url, product.keys["admin"]) as client:
        client.upload(file, own_id="by-client")
        with pytest.raises(DocumentChanged):
            client.upload(file, own_id="by-client", replace=False)
        with pytest.raises(DocumentChanged):
            client.upload(file, own_id="by-client", if_match=hash_of(SECOND))
        client.upload(file, own_id="by-client", if_match=hash_of(FIRST))
        with pytest.raises(BadInput):
            client.upload(file, own_id="by client")
    product.work_off()
