"""People sign in on the page with their organisation's account, and it signs them out."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from sovereign_rag.app import create_app
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.api.identity_provider import CLIENT, CLIENT_SECRET, Provider

Change = Callable[[str], str]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().running() as provider:
        yield provider


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    secret = tmp_path_factory.mktemp("secrets") / "client"
    secret.write_text(f"{CLIENT_SECRET}\n", encoding="utf-8")
    named = provider.settings(
        client_id=CLIENT,
        client_secret_file=str(secret),
        authorize_url=f"{provider.issuer}/authorize",
        token_url=f"{provider.issuer}/token",
        scopes=["openid", "groups"],
    )
    with open_service(product_settings(identity={"oidc": named.model_dump()})) as application:
        yield application


@pytest.fixture(scope="module")
def url(application: Application) -> Iterator[str]:
    with serving(create_app(application)) as url:
        yield url


@pytest.fixture
def browser(url: str, provider: Provider) -> Iterator[httpx.Client]:
    provider.person = {}
    with httpx.Client(base_url=url, headers={"Accept": "text/html"}, timeout=60) as browser:
        yield browser


def back_address(browser: httpx.Client, to: str = "/documents") -> str:
    """Where the provider sends a browser back to, once its person has signed in there."""
    begun = browser.get("/sign-in/directory", params={"next": to})
    return httpx.get(begun.headers["Location"]).headers["Location"]


def sign_in(browser: httpx.Client) -> None:
    assert browser.get(back_address(browser)).status_code == 303


def is_in(browser: httpx.Client) -> bool:
    return browser.get("/documents").status_code == 200


def test_somebody_signs_in_with_their_organisation_s_account(
    application: Application, browser: httpx.Client, provider: Provider
) -> None:
    provider.person = {"sub": "eva", "groups": ["hr"], "clearance": 1}
    offered = browser.get("/sign-in", params={"next": "/documents"}).text

    back = browser.get(back_address(browser))

    assert "/sign-in/directory?next=/documents" in offered
    assert back.headers["Location"] == "/documents"
    assert is_in(browser)
    entries = [record.entry for record in application.audit.read()]
    signed = next(entry for entry in reversed(entries) if entry.action == "sign_in")
    assert (signed.principal, signed.by["groups"]) == ("user:eva", ["hr"])
    assert (signed.by["issuer"], entries[-1].by["issuer"]) == (provider.issuer, provider.issuer)


@pytest.mark.parametrize(
    "change",
    [
        lambda back: back.replace("state=", "state=x"),
        lambda back: back.replace("code=", "code=x"),
        lambda back: back.partition("?")[0],
    ],
)
def test_an_answer_to_another_sign_in_opens_nothing(browser: httpx.Client, change: Change) -> None:
    refused = browser.get(change(back_address(browser)))
    before = is_in(browser)
    sign_in(browser)

    assert (refused.status_code, before, is_in(browser)) == (403, False, True)


def test_a_code_that_somebody_else_began_or_used_opens_nothing(
    browser: httpx.Client, url: str
) -> None:
    back = back_address(browser)
    with httpx.Client(base_url=url, headers={"Accept": "text/html"}, timeout=60) as victim:
        lured = victim.get(back)
        begun = back_address(victim)
        state = dict(parse_qsl(urlsplit(begun).query))["state"]
        code = dict(parse_qsl(urlsplit(back).query))["code"]
        injected = victim.get("/sign-in/back", params={"code": code, "state": state})

        assert (lured.status_code, injected.status_code, is_in(victim)) == (403, 403, False)


@pytest.mark.parametrize(
    "person",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://elsewhere.example"},
        {"exp": int(time.time()) - 600},
        {"groups": None},
        {"groups": None, "_claim_names": {"groups": "src1"}},
    ],
)
def test_somebody_whom_the_directory_does_not_vouch_for_is_not_signed_in(
    browser: httpx.Client, provider: Provider, person: dict[str, Any]
) -> None:
    provider.person = person
    refused = browser.get(back_address(browser))
    before = is_in(browser)
    provider.person = {}
    sign_in(browser)

    assert (refused.status_code, before, is_in(browser)) == (403, False, True)


@pytest.mark.parametrize("to", ["https://elsewhere.example/", "//elsewhere.example"])
def test_signing_in_leads_nowhere_else(browser: httpx.Client, to: str) -> None:
    assert browser.get(back_address(browser, to)).headers["Location"] == "/"


@pytest.mark.parametrize(
    ("named", "ends"),
    [
        ({"sub": "eva"}, True),
        ({"sub": None, "sid": "s1"}, True),
        ({"sub": "eva", "sid": "s1"}, True),
        ({"sub": "bo"}, False),
        ({"sub": "eva", "sid": "s2"}, False),
    ],
)
def test_whom_the_directory_signs_out_is_out_at_once(
    browser: httpx.Client, provider: Provider, named: dict[str, Any], ends: bool
) -> None:
    provider.person = {"sub": "eva", "sid": "s1"}
    sign_in(browser)

    told = httpx.post(
        f"{browser.base_url}/sign-in/logout",
        data={"logout_token": provider.logout_token(**named)},
        timeout=60,
    )

    assert told.status_code == 200
    assert is_in(browser) is not ends


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another"},
        {"iss": "https://elsewhere.example"},
        {"events": None},
        {"nonce": "one"},
        {"iat": int(time.time()) - 3_600},
        {"exp": int(time.time()) - 600},
        {"sub": None},
    ],
)
def test_a_logout_token_that_does_not_hold_ends_nothing(
    browser: httpx.Client, provider: Provider, wrong: dict[str, Any]
) -> None:
    provider.person = {"sub": "eva"}
    sign_in(browser)

    told = httpx.post(
        f"{browser.base_url}/sign-in/logout",
        data={"logout_token": provider.logout_token(**{"sub": "eva", **wrong})},
        timeout=60,
    )

    assert told.status_code == 400
    assert is_in(browser)
