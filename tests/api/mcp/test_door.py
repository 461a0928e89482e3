"""Who gets in: a key of ours, from no other site's page, by a name that we answer for."""

from typing import Any

import anyio
import httpx
import pytest
from mcp.client.client import Client
from mcp.types.version import LATEST_HANDSHAKE_VERSION

from tests.api.conftest import Product
from tests.api.mcp.conftest import connected

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": LATEST_HANDSHAKE_VERSION,
}


def post(product: Product, who: str | None, **headers: str) -> httpx.Response:
    with product.client(who) as client:
        return client.post("/mcp", json=PING, headers={**ACCEPT, **headers})


def test_a_key_opens_the_door(product: Product) -> None:
    response = post(product, "ana")

    assert response.status_code == 200
    assert len(response.json()["result"]["tools"]) == 4


@pytest.mark.parametrize("key", [None, "srag_0123_wrong", "eyJhbGciOiJub25lIn0.e30."])
def test_who_has_no_key_is_told_where_to_read_how_to_identify_oneself(
    product: Product, key: str | None
) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    response = post(product, None, **headers)
    challenge = response.headers["www-authenticate"]
    address = challenge.partition('resource_metadata="')[2].rstrip('"')
    told: dict[str, Any] = httpx.get(address).json()

    assert response.status_code == 401
    assert address == f"{product.url}/.well-known/oauth-protected-resource/mcp"
    assert told["resource"] == f"{product.url}/mcp"
    assert told["bearer_methods_supported"] == ["header"]


def test_a_revoked_key_is_worth_nothing_at_the_next_call(product: Product) -> None:
    record, secret = product.application.catalog.keys.create("Rudi", "rudi")

    headers = {"Authorization": f"Bearer {secret}"}
    before = post(product, None, **headers)

    product.application.catalog.keys.revoke(record.id)

    assert before.status_code == 200
    assert post(product, None, **headers).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"), [("SELF", 200), ("https://evil.example", 403), ("null", 403)]
)
def test_pages_of_other_sites_call_nothing(product: Product, origin: str, status: int) -> None:
    response = post(product, "ana", Origin=product.url if origin == "SELF" else origin)

    assert response.status_code == status


def test_a_host_name_that_is_not_ours_is_not_answered(product: Product) -> None:
    assert post(product, "ana", Host="rag.evil.example").status_code == 400
    assert post(product, "ana", Host="localhost").status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_are_no_sessions_to_listen_to_or_to_end(product: Product, method: str) -> None:
    with product.client("ana") as client:
        response = client.request(method, "/mcp", headers=ACCEPT)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_a_cookie_is_no_key_for_another_site_s_page(product: Product) -> None:
    with product.client() as client:
        signed_in = client.post(
            "/sign-in", data={"key": product.keys["ana"]}, headers={"Origin": product.url}
        )
        foreign = client.post("/mcp", json=PING, headers={**ACCEPT, "Sec-Fetch-Site": "cross-site"})

    assert signed_in.status_code == 303
    assert foreign.status_code == 403


def test_a_client_of_before_the_current_revision_is_understood(product: Product) -> None:
    async def versions() -> tuple[str, str]:
        key = product.keys["ana"]
        async with (
            connected(product.url, key) as new,
            connected(product.url, key, mode="legacy") as old,
        ):
            return _version(new), _version(old)

    assert anyio.run(versions) == ("2026-07-28", LATEST_HANDSHAKE_VERSION)


def _version(client: Client) -> str:
    return str(client.protocol_version)
