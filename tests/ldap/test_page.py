"""Signing in by the directory on the page, and its commands."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from sovereign_rag.app import create_app
from sovereign_rag.compliance.egress import destinations
from sovereign_rag.settings import Settings
from sovereign_rag.settings.ldap import LdapSettings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.cli.running import CommandLine
from tests.ldap import slapd
from tests.ldap.slapd import Slapd, dn_of, group_dn

pytestmark = pytest.mark.skipif(slapd.PROGRAM is None, reason=slapd.MISSING)

HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


def name_directory(settings: LdapSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands, as an admin would: by the environment."""
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        told = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"SOVEREIGN_RAG_IDENTITY__LDAP__{name.upper()}", told)


@pytest.fixture(scope="module")
def application(product_settings: Callable[..., Settings], house: Slapd) -> Iterator[Application]:
    ldap = house.settings(roles_rename=["rag-admins -> admin"])
    with open_service(product_settings(identity={"ldap": ldap.model_dump()})) as application:
        yield application


@pytest.fixture(scope="module")
def url(application: Application) -> Iterator[str]:
    with serving(create_app(application)) as url:
        yield url


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers=HTML, timeout=60) as browser:
        yield browser


def test_somebody_signs_in_on_the_page_with_their_name_and_password(
    application: Application, browser: httpx.Client
) -> None:
    form = {"user": "bo", "password": "secret", "next": "/documents"}
    offered = browser.get("/sign-in").text

    wrong = browser.post("/sign-in", data={**form, "password": "wrong"})
    empty = browser.post("/sign-in", data={**form, "password": ""})
    signed = browser.post("/sign-in", data=form)

    assert 'name="password"' in offered
    assert (wrong.status_code, empty.status_code) == (401, 401)
    assert (signed.status_code, signed.headers["Location"]) == (303, "/documents")
    me = browser.get("/v1/me").json()
    assert (me["user"], me["roles"]) == ("bo", ["admin"])
    assert set(me["groups"]) == {"finance", "house", "all", "rag-admins"}
    assert "rag-admins" in browser.get("/admin/people").text
    (way,) = application.explainer.people("bo", "default")
    assert (way.known_by, "house" in way.principal.groups) == ("the directory", True)
    tried = [r.entry for r in application.audit.read() if r.entry.action.startswith("sign_in")]
    assert [one.action for one in tried if one.action == "sign_in.failed"]
    assert (tried[-1].principal, "secret" in str(tried)) == ("user:bo", False)


def test_a_group_that_is_lost_by_command_opens_nothing_at_the_next_request(
    application: Application,
    browser: httpx.Client,
    house: Slapd,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house.add_group("short", dn_of("cleo"))
    browser.post("/sign-in", data={"user": "cleo", "password": "secret"})
    before = browser.get("/v1/me").json()["groups"]
    name_directory(application.settings.identity.ldap, monkeypatch)
    cli = CommandLine(application.settings.data_dir, capsys)
    house.remove(group_dn("short"))

    told = cli("directory", "refresh", "--json").json
    shown = cli("directory", "show", "cleo", "--json").json

    assert ("short" in before, told["changed"]) == (True, ["cleo"])
    assert "short" not in browser.get("/v1/me").json()["groups"]
    assert (shown["dn"], len(shown["groups"])) == (dn_of("cleo"), 5)


def test_the_doctor_says_whether_the_directory_answers(
    application: Application,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cli = CommandLine(application.settings.data_dir, capsys)
    found = []
    ldap = application.settings.identity.ldap
    for one in (ldap, ldap.model_copy(update={"url": "ldaps://localhost:9"})):
        name_directory(one, monkeypatch)
        checks = cli("doctor", "--json").json["checks"]
        found += [check for check in checks if check["check"] == "directory"]

    assert [one["state"] for one in found] == ["ok", "missing"]
    assert "can't be asked" in found[1]["detail"]


def test_the_directory_is_among_the_addresses_that_may_be_contacted(
    application: Application, house: Slapd
) -> None:
    (one,) = destinations(application.settings)

    assert (one.setting, one.address, one.is_local) == ("identity.ldap.url", house.url, True)
