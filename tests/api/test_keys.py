"""Keys over HTTP: made, listed, rotated and ended by admins, and worth nothing afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sovereign_rag.access import Principal
from sovereign_rag.errors import Forbidden
from sovereign_rag.roles import Role, Scope
from sovereign_rag.services.keys import KeyService, NewKey
from tests.api.conftest import Product
from tests.cli.running import CommandLine


def made(product: Product, **wanted: Any) -> dict[str, Any]:
    with product.client("admin") as client:
        response = client.post("/v1/keys", json={"user": "nadia", **wanted})
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


def whoami(product: Product, secret: str) -> dict[str, Any] | None:
    with product.client() as client:
        response = client.get("/v1/me", headers={"Authorization": f"Bearer {secret}"})
    body: dict[str, Any] | None = response.json() if response.status_code == 200 else None
    return body


def test_a_key_made_over_http_stands_for_what_was_wanted(product: Product) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)

    new = made(
        product,
        groups=["finance"],
        clearance=2,
        role="curator",
        scopes=["ingest", "search"],
        curates=["group:finance"],
        expires=ends.isoformat(),
    )

    assert whoami(product, new["secret"]) == {
        "user": "nadia",
        "tenant": "default",
        "groups": ["finance"],
        "clearance": 2,
        "roles": ["curator"],
        "scopes": ["search", "ingest"],
        "curates": ["group:finance"],
    }
    assert (new["key"]["expires"], new["key"]["state"]) == (ends.isoformat(), "valid")


def test_a_secret_is_shown_once(product: Product) -> None:
    new = made(product, name="shown once")
    random = new["secret"].split("_", 2)[2]

    with product.client("admin") as client:
        listed = client.get("/v1/keys")

    assert new["key"]["id"] in {key["id"] for key in listed.json()["keys"]}
    assert random not in listed.text
    assert not any(random in str(record.entry) for record in product.application.audit.read())


def test_a_rotated_key_gives_way_to_one_with_the_same_rights(product: Product) -> None:
    old = made(product, groups=["hr"])
    lasting = made(product, groups=["hr"])

    with product.client("admin") as client:
        new = client.post(f"/v1/keys/{old['key']['id']}/rotate").json()
        place = f"/v1/keys/{lasting['key']['id']}/rotate"
        other = client.post(place, json={"overlap_s": 600}).json()
        again = client.post(f"/v1/keys/{old['key']['id']}/rotate")

    assert whoami(product, old["secret"]) is None
    assert whoami(product, new["secret"]) == whoami(product, lasting["secret"])
    assert whoami(product, other["secret"]) == whoami(product, lasting["secret"])
    assert again.status_code == 400


def test_an_ended_key_opens_nothing_at_the_next_request(product: Product) -> None:
    new = made(product)
    assert whoami(product, new["secret"]) is not None

    with product.client("admin") as client:
        ended = client.delete(f"/v1/keys/{new['key']['id']}").json()

    assert ended["state"] == "revoked"
    assert whoami(product, new["secret"]) is None


@pytest.mark.parametrize("act", ["DELETE", "POST"])
def test_the_keys_of_another_tenant_are_not_there(product: Product, act: str) -> None:
    new = made(product)
    place = f"/v1/keys/{new['key']['id']}" + ("/rotate" if act == "POST" else "")

    with product.client("stranger") as client:
        refused = client.request(act, place)
        listed = client.get("/v1/keys").json()["keys"]

    assert refused.status_code == 404
    assert {key["tenant"] for key in listed} == {"elsewhere"}
    assert whoami(product, new["secret"]) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "king"},
        {"role": "reader", "scopes": ["ingest"]},
        {"role": "curator"},
        {"role": "reader", "curates": ["group:hr"]},
        {"role": "curator", "curates": ["everyone"]},
        {"scopes": []},
        {"expires": "2020-01-01T00:00:00Z"},
        {"expires": "2099-01-01T00:00:00"},
        {"front_end": "unknown"},
        {"tenant": "elsewhere"},
        {"user": "nadia bo"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(product: Product, wrong: dict[str, Any]) -> None:
    with product.client("admin") as client:
        before = len(client.get("/v1/keys").json()["keys"])
        refused = client.post("/v1/keys", json={"user": "nadia", **wrong})
        after = len(client.get("/v1/keys").json()["keys"])

    assert (refused.status_code, after) == (400, before)


@pytest.mark.parametrize("beyond", [True, False])
def test_admins_give_what_they_have_not_only_where_the_settings_let_them(
    product: Product, beyond: bool
) -> None:
    application = product.application
    keys = KeyService(
        catalog=application.catalog,
        audit=application.audit,
        operations=application.operations,
        front_ends=(),
        beyond_own_rights=beyond,
    )
    admin = Principal("adam", frozenset({"it"}), roles=frozenset({Role.ADMIN}))

    assert keys.create(NewKey("nadia", groups=frozenset({"it"})), admin)[0].groups == {"it"}
    if beyond:
        assert keys.create(NewKey("nadia", groups=frozenset({"hr"})), admin)[0].groups == {"hr"}
    else:
        with pytest.raises(Forbidden):
            keys.create(NewKey("nadia", groups=frozenset({"hr"})), admin)


def test_the_command_line_makes_rotates_and_ends_keys(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(product.application.settings.data_dir, capsys)
    curator = ("--user", "hugo", "--role", "curator", "--curates", "group:hr", "--groups", "hr")

    new = cli("keys", "create", *curator, "--json").json
    rotated = cli("keys", "rotate", new["key"]["id"], "--json").json
    refused = cli("keys", "create", "--user", "hugo", "--role", "curator")
    listed = cli("keys", "list").out

    assert new["key"]["scopes"] == [Scope.SEARCH, Scope.ANSWER, Scope.INGEST]
    assert whoami(product, new["secret"]) is None
    assert (whoami(product, rotated["secret"]) or {})["curates"] == ["group:hr"]
    assert refused.code == 2
    assert "curator, group:hr" in listed


def test_who_made_a_key_is_on_the_record(product: Product) -> None:
    new = made(product, role="admin")

    *_, begun, done = product.application.audit.read()

    assert (begun.entry.action, begun.entry.principal) == ("key.create", "user:adam")
    assert (done.entry.action, done.entry.detail["key"]) == ("key.create.done", new["key"]["id"])
    assert done.entry.detail["role"] == "admin"
