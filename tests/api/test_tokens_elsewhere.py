"""A token, key or session opens the door, tenant and service that it was made for, and no other."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.api.identity_provider import CLIENT, Provider

QUESTION = [{"role": "user", "content": "Where does the board meet?"}]
CALL = {"name": "list_documents", "arguments": {}}
ACCEPTS = {"Accept": "application/json, text/event-stream"}
Door = Callable[[httpx.Client, dict[str, str]], httpx.Response]
DOORS: dict[str, Door] = {
    "JSON": lambda client, sent: client.get("/v1/documents", headers=sent),
    "answers": lambda client, sent: client.post(
        "/v1/answers", json={"question": "Where does the board meet?"}, headers=sent
    ),
    "OpenAI's": lambda client, sent: client.post(
        "/v1/chat/completions",
        json={"model": "sovereign-rag-extracts", "messages": QUESTION},
        headers=sent,
    ),
    "MCP": lambda client, sent: client.post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL},
        headers={**ACCEPTS, **sent},
    ),
    "page": lambda client, sent: client.get("/documents", headers={"Accept": "text/html", **sent}),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().running() as provider:
        yield provider


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    """Tenants are named by the token; `acme` and `other` have a document each."""
    folder, oidc = tmp_path_factory.mktemp("documents"), provider.settings(tenant_claim="org")
    settings = product_settings(parse={"workers": 1}, identity={"oidc": oidc.model_dump()})
    with open_service(settings, embedder=embedder) as application:
        for tenant in ("acme", "other"):
            path = folder / f"{tenant}.txt"
            path.write_text(f"The board of {tenant} meets in the tower.", encoding="utf-8")
            everyone = frozenset({"everyone"})
            application.ingestion.ingest([path], local_owner(tenant), readers=everyone)
        yield application


@pytest.fixture(scope="module")
def client(application: Application) -> Iterator[httpx.Client]:
    with (
        serving(create_app(application)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_what_was_made_for_another_service_opens_no_door(
    client: httpx.Client, provider: Provider, application: Application, door: Door
) -> None:
    session = application.catalog.sessions.create(
        application.catalog.keys.principal_for(application.catalog.keys.create("a", "ana")[1]),
        1,
        key_id=None,
    )
    elsewhere = {
        "another audience": provider.token(org="acme", aud="payroll"),
        "sign-in on our page": provider.token(org="acme", aud=CLIENT),
        "another issuer": provider.token(org="acme", iss="https://elsewhere.example"),
        "a session is no key": session,
    }

    refused = {what: door(client, bearer(token)) for what, token in elsewhere.items()}
    allowed = door(client, bearer(provider.token(org="acme")))

    # The page leads whom it doesn't know to where one signs in.
    assert {response.status_code for response in refused.values()} <= {401, 303}
    assert not any("acme.txt" in response.text for response in refused.values())
    assert allowed.status_code == 200


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_token_of_one_tenant_shows_nothing_of_another(
    client: httpx.Client, provider: Provider, door: Door
) -> None:
    ours = door(client, bearer(provider.token(org="acme")))
    theirs = door(client, bearer(provider.token(org="other")))

    assert ("acme" in ours.text, "other.txt" in ours.text) == (True, False)
    assert ("other" in theirs.text, "acme.txt" in theirs.text) == (True, False)


def test_a_key_is_no_session_and_a_token_no_cookie(
    client: httpx.Client, provider: Provider, application: Application
) -> None:
    _, secret = application.catalog.keys.create("a", "ana", tenant="acme")
    cookies = (secret, provider.token(org="acme"))

    for value in cookies:
        sent = {"Accept": "text/html", "Cookie": f"srag_session={value}"}
        assert client.get("/documents", headers=sent).status_code == 303
    assert client.get("/documents", headers=bearer(secret)).status_code == 200
