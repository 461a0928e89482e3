"""Roles that people have without a key: granted here, beside what their directory says."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.app import create_app
from sovereign_rag.catalog.sessions import Vouched
from sovereign_rag.errors import BadInput, Forbidden, NotFound
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.api.identity_provider import Provider
from tests.cli.running import CommandLine

OWNER = local_owner()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().running() as provider:
        yield provider


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings], provider: Provider
) -> Iterator[Application]:
    oidc = provider.settings(roles_claim="roles", tenant_claim="org")
    with open_service(product_settings(identity={"oidc": oidc.model_dump()})) as application:
        yield application


@pytest.fixture(scope="module")
def client(application: Application) -> Iterator[httpx.Client]:
    with (
        serving(create_app(application)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def admin(application: Application) -> dict[str, str]:
    return bearer(application.catalog.keys.create("a", "adam", role=Role.ADMIN)[1])


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def me(client: httpx.Client, secret: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/v1/me", headers=bearer(secret)).json()
    return body


def test_a_granted_role_counts_from_the_next_request_on_and_no_longer_than_it_is_granted(
    client: httpx.Client, provider: Provider, admin: dict[str, str], application: Application
) -> None:
    token = provider.token(sub="grete", org="default", groups=["hr"], roles=["reader"])
    before = me(client, token)["roles"]

    wanted = {"user": "grete", "role": "curator", "curates": ["group:hr", "source:wiki"]}
    client.post("/v1/roles", json=wanted, headers=admin).raise_for_status()
    granted = me(client, token)
    client.delete("/v1/roles/grete/curator?curates=group:hr", headers=admin).raise_for_status()
    less = me(client, token)
    client.delete("/v1/roles/grete/curator", headers=admin).raise_for_status()

    assert (before, granted["roles"]) == (["reader"], ["reader", "curator"])
    assert (granted["curates"], less["curates"]) == (["group:hr", "source:wiki"], ["source:wiki"])
    assert granted["groups"] == ["hr"]  # nothing more is read for it
    assert me(client, token)["roles"] == ["reader"]
    acts = [r.entry for r in application.audit.read() if r.entry.detail.get("user") == "grete"]
    told = [
        (act.action, act.principal) for act in acts if act.action in ("role.grant", "role.revoke")
    ]
    assert told == [("role.grant", "user:adam"), *[("role.revoke", "user:adam")] * 2]


def test_a_claim_that_changed_counts_with_the_next_token(
    client: httpx.Client, provider: Provider
) -> None:
    before = me(client, provider.token(sub="cleo", org="default", groups=["hr"], roles=["admin"]))
    after = me(client, provider.token(sub="cleo", org="default", groups=["it"]))

    assert (before["groups"], before["roles"]) == (["hr"], ["admin"])
    assert (after["groups"], after["roles"]) == (["it"], ["reader"])


def test_a_grant_counts_in_its_tenant_and_for_no_key(
    client: httpx.Client, provider: Provider, application: Application
) -> None:
    application.identities.roles.grant("toni", Role.AUDITOR, (), OWNER)
    _, key = application.catalog.keys.create("k", "toni")

    assert me(client, provider.token(sub="toni", org="default"))["roles"] == ["reader", "auditor"]
    assert me(client, provider.token(sub="toni", org="acme"))["roles"] == ["reader"]
    assert me(client, key)["roles"] == ["reader"]


def test_sessions_of_the_directory_s_people_have_granted_roles_too(
    client: httpx.Client, provider: Provider, application: Application
) -> None:
    directory = application.identities.tokens
    assert directory is not None
    person = directory.principal_for(provider.token(sub="sam", org="default"))
    session = application.catalog.sessions.create(person, 1, key_id=None)
    vouched = application.catalog.sessions.create(
        person, 1, key_id=None, vouched=Vouched(provider.issuer, "sam")
    )
    application.identities.roles.grant("sam", Role.ADMIN, (), OWNER)

    def console(token: str) -> int:
        sent = {"Cookie": f"srag_session={token}", "Accept": "text/html"}
        return client.get("/admin/people", headers=sent).status_code

    assert (console(vouched), console(session)) == (200, 403)
    application.identities.roles.revoke("sam", Role.ADMIN, (), OWNER)
    assert console(vouched) == 403


@pytest.mark.parametrize(
    ("user", "role", "curates"),
    [("a b", Role.ADMIN, ()), ("ana", Role.CURATOR, ()), ("ana", Role.ADMIN, ("group:hr",))],
)
def test_what_can_not_be_is_not_granted(
    application: Application, user: str, role: Role, curates: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput):
        application.identities.roles.grant(user, role, curates, OWNER)
    with pytest.raises(Forbidden):
        application.identities.roles.grant("ana", Role.ADMIN, (), Principal("ana"))
    with pytest.raises(NotFound, match="roles list"):
        application.identities.roles.revoke("nobody", Role.ADMIN, (), OWNER)


def test_the_console_grants_and_revokes_roles(
    client: httpx.Client, admin: dict[str, str], application: Application
) -> None:
    sent = {**admin, "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    wanted = {"user": "pia", "role": "curator", "curates": "group:hr, source:wiki"}

    done = client.post("/admin/people/roles", data=wanted, headers=sent, follow_redirects=True)
    (granted,) = application.catalog.granted_roles.of_person("default", "pia")
    client.post("/admin/people/roles/revoke", data=wanted, headers=sent).headers["Location"]

    assert "applies from the person" in done.text
    assert "group:hr, source:wiki" in done.text
    assert sorted(granted.curates) == ["group:hr", "source:wiki"]
    assert granted.granted_by == "user:adam"
    assert application.catalog.granted_roles.of_person("default", "pia") == []


def test_the_command_line_grants_lists_and_revokes_roles(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(application.settings.data_dir, capsys)

    cli("roles", "grant", "kim", "curator", "--curates", "group:it")
    listed = [one for one in cli("roles", "list", "--json").json["roles"] if one["user"] == "kim"]
    revoked = cli("roles", "revoke", "kim", "curator", "--json").json
    again = cli("roles", "revoke", "kim", "curator")

    assert [(one["role"], one["curates"]) for one in listed] == [("curator", ["group:it"])]
    assert listed[0]["granted_by"] == "owner"
    assert revoked == {"revoked": {"user": "kim", "role": "curator"}}
    assert again.code != 0
