"""People come in by an OpenID Connect provider that is not of the tests' own making.

It is oidc-provider-mock's, over Authlib: what we read of the protocol is held to what others do.
"""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from sovereign_rag.app import create_app
from sovereign_rag.errors import Unauthenticated
from sovereign_rag.services.directory_sign_in import DirectorySignIn, Pending
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving

# It goes by parts of its library that are to be replaced.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

AUDIENCE = "the-page"


@pytest.fixture(scope="module")
def discovered() -> Iterator[dict[str, str]]:
    """Where the provider is, as it tells itself."""
    from oidc_provider_mock import User, run_server_in_thread

    ana = User(sub="ana", claims={"groups": ["hr"]})
    bo = User(sub="bo", claims={})  # in no group that it tells of
    with run_server_in_thread(user_claims=(ana, bo)) as server:
        address = f"http://localhost:{server.server_port}/.well-known/openid-configuration"
        yield httpx.get(address).raise_for_status().json()


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    discovered: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    secret = tmp_path_factory.mktemp("secrets") / "client"
    secret.write_text("any, for this provider\n", encoding="utf-8")
    oidc = {
        "issuer": discovered["issuer"],
        "audience": AUDIENCE,
        "jwks_url": discovered["jwks_uri"],
        "client_id": AUDIENCE,
        "client_secret_file": str(secret),
        "authorize_url": discovered["authorization_endpoint"],
        "token_url": discovered["token_endpoint"],
        "scopes": ["openid", "profile"],
    }
    with open_service(product_settings(identity={"oidc": oidc})) as application:
        yield application


@pytest.fixture(scope="module")
def url(application: Application) -> Iterator[str]:
    with serving(create_app(application)) as url:
        yield url


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Accept": "text/html"}, timeout=60) as browser:
        yield browser


def back_address(browser: httpx.Client, user: str) -> str:
    """Where the provider sends a browser back to, once `user` has signed in there."""
    begun = browser.get("/sign-in/directory", params={"next": "/documents"})
    return httpx.post(begun.headers["Location"], data={"sub": user}).headers["Location"]


def id_token(discovered: dict[str, str], user: str, client: str) -> str:
    """What it signs for another program of the house, or for ours."""
    asked = {"response_type": "code", "client_id": client, "redirect_uri": "http://localhost/back"}
    where = discovered["authorization_endpoint"]
    answer = httpx.post(where, params={**asked, "scope": "openid"}, data={"sub": user})
    code = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]
    redeemed = {**asked, "grant_type": "authorization_code", "code": code, "client_secret": "any"}
    token = httpx.post(discovered["token_endpoint"], data=redeemed).raise_for_status().json()
    return str(token["id_token"])


def test_somebody_signs_in_by_a_code_and_is_in_their_groups(
    application: Application, browser: httpx.Client, discovered: dict[str, str]
) -> None:
    back = browser.get(back_address(browser, "ana"))
    inside = browser.get("/documents").status_code

    entries = [record.entry for record in application.audit.read()]
    signed = next(entry for entry in reversed(entries) if entry.action == "sign_in")
    assert (back.status_code, inside) == (303, 200)
    assert (signed.principal, signed.by["groups"]) == ("user:ana", ["hr"])
    assert signed.by["issuer"] == discovered["issuer"]


def test_somebody_of_whom_it_names_no_groups_is_not_let_in(browser: httpx.Client) -> None:
    assert browser.get(back_address(browser, "bo")).status_code == 403
    assert browser.get("/documents").status_code != 200


def test_a_code_is_taken_once_and_only_by_who_asked_for_it(browser: httpx.Client) -> None:
    back = back_address(browser, "ana")
    stolen = httpx.get(back, headers={"Accept": "text/html"})
    first, second = browser.get(back).status_code, browser.get(back).status_code

    assert (stolen.status_code, first, second) == (403, 303, 403)


def test_a_token_of_its_opens_the_api_where_it_names_us(
    url: str, discovered: dict[str, str]
) -> None:
    def listed(client: str) -> int:
        headers = {"Authorization": f"Bearer {id_token(discovered, 'ana', client)}"}
        return httpx.get(f"{url}/v1/documents", headers=headers, timeout=60).status_code

    assert (listed(AUDIENCE), listed("payroll")) == (200, 401)


def test_an_admin_learns_from_the_log_that_the_provider_knows_another_secret(
    application: Application, browser: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    configured, tokens = application.settings.identity.oidc, application.identities.tokens
    assert tokens is not None
    without = DirectorySignIn(configured.model_copy(update={"client_secret_file": None}), tokens)
    back = str(browser.base_url.join("/sign-in/back"))
    pending = Pending.begun("/documents")
    answer = httpx.post(without.address(pending, back), data={"sub": "ana"})
    code = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]

    with pytest.raises(Unauthenticated):
        without.finish(pending, state=pending.state, code=code, back=back)

    assert "invalid_client" in caplog.text
    assert code not in caplog.messages[-1]
