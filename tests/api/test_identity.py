"""Who calls: nobody gets in without an identity, and no other site speaks for somebody."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.requests import HTTPConnection

from sovereign_rag.http.identity import may_be_anonymous
from sovereign_rag.settings import ServerSettings
from tests.api.conftest import Product

ROUTES = [
    ("POST", "/v1/answers"),
    ("POST", "/v1/search"),
    ("POST", "/v1/search/facets"),
    ("POST", "/v1/documents"),
    ("GET", "/v1/documents"),
    ("GET", "/v1/documents/11111111-1111-5111-8111-111111111111"),
    ("DELETE", "/v1/documents/11111111-1111-5111-8111-111111111111"),
    ("GET", "/v1/documents/11111111-1111-5111-8111-111111111111/pages/1"),
    ("GET", "/v1/documents/11111111-1111-5111-8111-111111111111/pages/1/image"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/11111111-1111-5111-8111-111111111111"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_without_an_identity(product: Product, method: str, path: str) -> None:
    with product.client() as client:
        response = client.request(method, path, json={"question": "Who?", "query": "who"})

    assert response.status_code == 401
    assert response.json()["error"] == "Unauthenticated"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "authorization", ["Bearer srag_0123_wrong", "Bearer", "Basic YW5hOmFuYQ==", ""]
)
def test_a_wrong_key_is_refused_even_beside_a_good_session(
    product: Product, authorization: str
) -> None:
    with signed_in(product, "ana") as client:
        without = client.get("/v1/documents")
        wrong = client.get("/v1/documents", headers={"Authorization": authorization})

    assert without.status_code == 200
    assert wrong.status_code == 401


def test_an_identity_in_the_body_is_refused(product: Product) -> None:
    body = {"question": "What is the salary band of grade seven?"}
    with product.client("ana") as client:
        plain = client.post("/v1/answers", json=body)
        claimed = client.post("/v1/answers", json={**body, "groups": ["hr"]})

    assert plain.status_code == 200
    assert claimed.status_code == 400
    assert claimed.json()["error"] == "BadInput"
    assert claimed.json()["detail"] == "groups: Extra inputs are not permitted"


def test_a_session_ends_with_signing_out(product: Product) -> None:
    with signed_in(product, "ana") as client:
        token = client.cookies["srag_session"]
        before = client.get("/v1/documents")
        client.post("/sign-out", headers={"Origin": product.url})
        forgotten = "srag_session" not in client.cookies
        again = client.get("/v1/documents", headers={"Cookie": f"srag_session={token}"})

    assert before.status_code == 200
    assert forgotten
    assert again.status_code == 401


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(product: Product) -> None:
    with product.client() as client:
        response = sign_in(client, product, "ana")

    attributes = response.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    assert "path=/" in attributes


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "SELF"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({}, 403),  # a browser always says, so who doesn't is none
    ],
)
def test_another_site_can_not_act_with_the_visitors_cookie(
    product: Product, headers: dict[str, str], status: int
) -> None:
    headers = {name: product.url if v == "SELF" else v for name, v in headers.items()}
    with signed_in(product, "ana") as client:
        response = client.post("/v1/search", json={"query": "Heizung"}, headers=headers)

    assert response.status_code == status


def test_a_key_in_the_header_is_no_cookie_and_needs_no_origin(product: Product) -> None:
    with product.client("ana") as client:
        response = client.post(
            "/v1/search", json={"query": "Heizung"}, headers={"Origin": "https://app.example"}
        )

    assert response.status_code == 200


def test_another_site_can_not_sign_a_visitor_in(product: Product) -> None:
    with product.client() as client:
        response = client.post(
            "/sign-in",
            data={"key": product.keys["ana"]},
            headers={"Origin": "https://evil.example"},
        )

    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    ("to", "leads_to"),
    [
        ("/documents?after=x", "/documents?after=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_signing_in_leads_to_this_site_alone(product: Product, to: str, leads_to: str) -> None:
    with product.client() as client:
        response = sign_in(client, product, "ana", to=to)

    assert response.status_code == 303
    assert response.headers["location"] == leads_to


@pytest.mark.parametrize(
    ("allowed", "address", "headers", "may"),
    [
        (True, "127.0.0.1", {"host": "127.0.0.1:8080"}, True),
        (True, "::1", {"host": "[::1]:8080"}, True),
        (True, "127.0.0.1", {"host": "LOCALHOST"}, True),
        (False, "127.0.0.1", {"host": "127.0.0.1:8080"}, False),
        (True, "10.0.0.5", {"host": "127.0.0.1:8080"}, False),
        (True, "127.0.0.1", {"host": "rag.example"}, False),  # DNS rebinding
        (True, "127.0.0.1", {"host": "localhost", "x-forwarded-for": "10.0.0.5"}, False),
        (True, "127.0.0.1", {"host": "localhost", "forwarded": "for=10.0.0.5"}, False),
        (True, "not an address", {"host": "localhost"}, False),
    ],
)
def test_only_this_machine_may_be_anonymous_and_only_on_request(
    allowed: bool, address: str, headers: dict[str, str], may: bool
) -> None:
    connection = HTTPConnection(
        {
            "type": "http",
            "client": (address, 50_000),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )

    server = ServerSettings(allow_anonymous=allowed, no_proxy=True)
    assert may_be_anonymous(connection, server) is may
    assert not may_be_anonymous(connection, ServerSettings(allow_anonymous=allowed))


def sign_in(client: httpx.Client, product: Product, who: str, to: str = "/") -> httpx.Response:
    return client.post(
        "/sign-in",
        data={"key": product.keys[who], "next": to},
        headers={"Origin": product.url},
    )


@contextmanager
def signed_in(product: Product, who: str) -> Iterator[httpx.Client]:
    """A browser's connection after signing in."""
    with product.client() as client:
        assert sign_in(client, product, who).status_code == 303
        yield client
