"""Somebody is who the organisation's directory says they are, by a token that it signed."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import DirectoryLost, Forbidden, Unauthenticated
from sovereign_rag.roles import Role
from sovereign_rag.services.oidc import TokenDirectory
from sovereign_rag.settings import Settings
from sovereign_rag.settings.identity import OidcSettings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.api.identity_provider import AUDIENCE, Provider
from tests.api.test_delegation import signed_with

STRANGER = RSAKey.generate_key(2048, parameters={"kid": "one"})  # with the very id of theirs


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().running() as provider:
        yield provider


@pytest.fixture
def another() -> Iterator[Provider]:
    """A provider of the test's own, whose keys change."""
    with Provider().running() as provider:
        yield provider


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "board.txt").write_text("The board meets in the tower.", encoding="utf-8")
    (folder / "canteen.txt").write_text("The canteen opens at noon.", encoding="utf-8")
    settings = product_settings(
        parse={"workers": 1}, identity={"oidc": provider.settings().model_dump()}
    )
    with open_service(settings, embedder=embedder) as application:
        ingest = application.ingestion.ingest
        ingest([folder / "board.txt"], local_owner(), readers=frozenset({"group:board"}), level=1)
        ingest([folder / "canteen.txt"], local_owner(), readers=frozenset({"everyone"}))
        yield application


@pytest.fixture(scope="module")
def url(application: Application) -> Iterator[str]:
    with serving(create_app(application)) as url:
        yield url


def listed(url: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{url}/v1/documents", headers=headers, timeout=60)


@pytest.mark.parametrize(
    ("person", "readable"),
    [
        ({}, {"canteen.txt"}),
        ({"groups": ["board"]}, {"canteen.txt"}),  # cleared for level 0
        ({"groups": ["board"], "clearance": 1}, {"canteen.txt", "board.txt"}),
        ({"groups": ["hr"], "clearance": 1}, {"canteen.txt"}),
        ({"sub": "board", "clearance": 1}, {"canteen.txt"}),
        ({"aud": ["other", AUDIENCE]}, {"canteen.txt"}),
    ],
)
def test_a_person_reads_by_what_the_directory_says_of_them(
    url: str, provider: Provider, person: dict[str, Any], readable: set[str]
) -> None:
    body = listed(url, provider.token(**person)).raise_for_status().json()

    assert {one["name"] for one in body["documents"]} == readable


def unsigned(provider: Provider) -> str:
    parts = (b'{"alg":"none"}', json.dumps(provider.claims()).encode(), b"")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def by_an_elliptic_curve(provider: Provider) -> str:
    key = ECKey.generate_key("P-256", parameters={"kid": "one"})
    return jwt.encode({"alg": "ES256", "kid": "one"}, provider.claims(), key)


REFUSED: dict[str, Callable[[Provider], str]] = {
    "another issuer": lambda p: p.token(iss="https://elsewhere.example"),
    "another audience": lambda p: p.token(aud="payroll"),
    "no audience": lambda p: p.token(aud=None),
    "expired": lambda p: p.token(exp=int(time.time()) - 60),
    "never expires": lambda p: p.token(exp=None),
    "not yet": lambda p: p.token(nbf=int(time.time()) + 600),
    "not signed": unsigned,
    "signed by a stranger": lambda p: jwt.encode(
        {"alg": "RS256", "kid": "one"}, p.claims(), STRANGER
    ),
    "an unknown key": lambda p: jwt.encode({"alg": "RS256", "kid": "two"}, p.claims(), STRANGER),
    "an algorithm that is not named": by_an_elliptic_curve,
    "the public key taken for a secret": lambda p: signed_with(
        p.keys["one"].as_pem(private=False), p.claims()
    ),
    "a shared secret": lambda p: jwt.encode(
        {"alg": "HS256", "kid": "one"}, p.claims(), OctKey.generate_key(256)
    ),
    "cut short": lambda p: p.token()[:-8],
    "no token": lambda p: "a.b.c",
    "nobody": lambda p: p.token(sub=None),
    "a name that can't be": lambda p: p.token(sub="a b"),
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_a_token_that_does_not_hold_opens_nothing(
    url: str, provider: Provider, token: Callable[[Provider], str]
) -> None:
    assert listed(url, token(provider)).status_code == 401
    assert listed(url, provider.token()).status_code == 200


@pytest.mark.parametrize(
    ("person", "word"),
    [
        ({"groups": None}, "lists no groups"),
        ({"groups": "board"}, "lists no groups"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "more groups than fit"),
        ({"groups": None, "hasgroups": True}, "more groups than fit"),
        ({"clearance": "9"}, "no number"),
        ({"clearance": True}, "no number"),
    ],
)
def test_whose_token_does_not_say_what_they_may_read_reads_nothing(
    url: str, provider: Provider, person: dict[str, Any], word: str
) -> None:
    refused = listed(url, provider.token(**person))

    assert (refused.status_code, word in refused.json()["detail"]) == (403, True)


def test_what_the_person_asked_is_on_the_record_with_who_vouched_for_them(
    application: Application, url: str, provider: Provider
) -> None:
    listed(url, provider.token(sub="eva@example.org", groups=["hr"])).raise_for_status()

    entry = list(application.audit.read())[-1].entry
    assert (entry.principal, entry.by["groups"]) == ("user:eva@example.org", ["hr"])
    assert entry.by["issuer"] == provider.issuer


def test_keys_of_this_service_go_on_beside_tokens(application: Application, url: str) -> None:
    _, secret = application.catalog.keys.create("laptop", "ana")

    assert listed(url, secret).status_code == 200
    assert listed(url, secret[:-1] + "?").status_code == 401


class SetClock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_rotated_and_a_withdrawn_one_ends_with_the_time_they_are_kept(
    another: Provider,
) -> None:
    clock = SetClock()
    directory = TokenDirectory(another.settings(keys_max_age_s=300), clock=clock)
    before = another.token()
    assert directory.principal_for(before).user == "ana"
    another.keys = {"two": RSAKey.generate_key(2048, parameters={"kid": "two"})}
    clock.now += 11

    assert directory.principal_for(another.token(kid="two")).user == "ana"
    with pytest.raises(Unauthenticated):
        directory.principal_for(before)


def test_tokens_with_invented_keys_make_no_storm_of_fetches(another: Provider) -> None:
    directory = TokenDirectory(another.settings(), clock=SetClock())
    directory.principal_for(another.token())

    for number in range(20):
        header = {"alg": "RS256", "kid": f"invented {number}"}
        with pytest.raises(Unauthenticated):
            directory.principal_for(jwt.encode(header, another.claims(), STRANGER))

    assert another.fetches == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_directory_that_can_not_be_asked_is_trusted_no_longer_than_its_keys_are_kept(
    another: Provider, status: int
) -> None:
    clock = SetClock()
    directory = TokenDirectory(another.settings(keys_max_age_s=300), clock=clock)
    token = another.token()
    directory.principal_for(token)
    another.status = status

    clock.now += 299
    still = directory.principal_for(token)
    clock.now += 2
    with pytest.raises(DirectoryLost):
        directory.principal_for(token)
    another.status = 200
    clock.now += 11

    assert still == directory.principal_for(token)


def test_groups_get_the_names_that_the_settings_give_them(another: Provider) -> None:
    rules = (r"/departments/(\w+) -> \1", "Domain Admins -> it")
    directory = TokenDirectory(another.settings(groups_rename=rules))
    listed = ["/departments/hr", "Domain Admins", "finance", "/departments/a/b"]

    principal = directory.principal_for(another.token(groups=listed))

    assert principal.groups == {"hr", "it"}
    assert not principal.is_admin


@pytest.mark.parametrize(
    ("listed", "roles", "curates"),
    [
        (["house-admin"], {Role.ADMIN}, set()),
        (["house-auditor"], {Role.AUDITOR}, set()),
        (["house-auditor", "house-reader"], {Role.AUDITOR, Role.READER}, set()),
        (["curate-hr", "curate-it"], {Role.CURATOR}, {"group:hr", "group:it"}),
        (["admin", "curator"], {Role.READER}, set()),  # names that no pattern fits
        ([], {Role.READER}, set()),
        ("house-admin", {Role.READER}, set()),  # no list
        (None, {Role.READER}, set()),
    ],
)
def test_roles_come_from_the_claim_that_the_settings_name(
    another: Provider, listed: object, roles: set[Role], curates: set[str]
) -> None:
    rules = [rf"house-{role} -> {role}" for role in ("admin", "auditor", "reader")]
    rules.append(r"curate-(\w+) -> curator of group:\1")
    renamed = TokenDirectory(another.settings(roles_claim="roles", roles_rename=tuple(rules)))
    unnamed = TokenDirectory(another.settings())
    claims: dict[str, Any] = {} if listed is None else {"roles": listed}
    token = another.token(**claims)

    principal = renamed.principal_for(token)

    assert (set(principal.roles), set(principal.curates)) == (roles, curates)
    assert unnamed.principal_for(token).roles == {Role.READER}


def test_the_tenant_is_what_the_claim_says_where_one_is_named(another: Provider) -> None:
    directory = TokenDirectory(another.settings(tenant_claim="org"))

    assert directory.principal_for(another.token(org="acme")).tenant == "acme"
    with pytest.raises(Forbidden):
        directory.principal_for(another.token())


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"audience": None}, "needs"),
        ({"jwks_url": "http://directory.example/jwks"}, "https"),
        ({"jwks_url": "file:///etc/passwd"}, "https"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"groups_rename": ["/departments/(.+"]}, "PATTERN -> NAME"),
        ({"groups_rename": ["/departments/(.+ -> x"]}, "groups_rename"),
    ],
)
def test_settings_that_would_trust_too_much_are_refused(wrong: dict[str, Any], word: str) -> None:
    named = {"issuer": "https://id.example", "audience": "a", "jwks_url": "https://id.example/k"}

    assert OidcSettings.model_validate(named).issuer == "https://id.example"
    with pytest.raises(ValueError, match=word):
        OidcSettings.model_validate({**named, **wrong})
