"""A front end that serves many people with one key: each is themselves, by a signed token alone."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.cli import run_arguments
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, Forbidden, SettingsError
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving

SECRET = "a secret of the front end, forty characters"
SIGNS = RSAKey.generate_key(2048, parameters={"kid": "one"})
HEADER = "X-OpenWebUI-User-Jwt"
HIDDEN = "The board meets in the tower."
PUBLIC = "The canteen opens at noon."
SERVED = {"webui": {"secret": SECRET, "issuer": "open-webui", "audience": "rag"}}


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("documents")
    jwks = folder / "jwks.json"
    public = SIGNS.as_dict(private=False)
    jwks.write_text(json.dumps({"keys": [public]}), encoding="utf-8")
    settings = product_settings(
        parse={"workers": 1},
        front_ends={**SERVED, "portal": {"jwks": str(jwks), "issuer": "portal"}},
    )
    (folder / "board.txt").write_text(HIDDEN, encoding="utf-8")
    (folder / "canteen.txt").write_text(PUBLIC, encoding="utf-8")
    with open_service(settings, embedder=embedder) as application:
        ingest = application.ingestion.ingest
        ingest([folder / "board.txt"], local_owner(), readers=frozenset({"group:board"}), level=1)
        ingest([folder / "canteen.txt"], local_owner(), readers=frozenset({"everyone"}))
        yield application


@pytest.fixture(scope="module")
def url(application: Application) -> Iterator[str]:
    with serving(create_app(application)) as url:
        yield url


@pytest.fixture(scope="module")
def key(application: Application) -> str:
    """The front end's, which may speak for the board up to level 1."""
    return application.catalog.keys.create(
        "webui", "webui", groups=["board"], clearance=1, front_end="webui"
    )[1]


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    known = {"sub": "ana", "iss": "open-webui", "aud": "rag", "iat": now, "exp": now + 3_600}
    return {**known, **more}


def token(secret: str = SECRET, **more: Any) -> str:
    return jwt.encode({"alg": "HS256"}, claims(**more), OctKey.import_key(secret))


def signed_with(secret: bytes, known: dict[str, Any]) -> str:
    """A token by hand: the library itself signs nothing with a public key."""
    parts = (b'{"alg":"HS256"}', json.dumps(known).encode())
    head = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.new(secret, head, hashlib.sha256).digest()
    return (head + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def listed(url: str, key: str, signed: str | None, **headers: str) -> httpx.Response:
    if signed is not None:
        headers[HEADER] = signed
    headers["Authorization"] = f"Bearer {key}"
    return httpx.get(f"{url}/v1/documents", headers=headers, timeout=60)


def names(response: httpx.Response) -> set[str]:
    return {one["name"] for one in response.raise_for_status().json()["documents"]}


@pytest.mark.parametrize(
    ("person", "readable"),
    [
        ({}, {"canteen.txt"}),
        ({"groups": ["board"]}, {"canteen.txt"}),  # cleared for level 0
        ({"groups": ["board"], "clearance": 1}, {"canteen.txt", "board.txt"}),
        ({"groups": ["board"], "clearance": 9}, {"canteen.txt", "board.txt"}),  # held to the key's
        ({"groups": ["hr"], "clearance": 1}, {"canteen.txt"}),
        ({"sub": "board", "clearance": 1}, {"canteen.txt"}),
    ],
)
def test_a_person_reads_by_what_their_token_says_within_the_key(
    url: str, key: str, person: dict[str, Any], readable: set[str]
) -> None:
    assert names(listed(url, key, token(**person))) == readable


def test_what_a_person_asks_through_a_front_end_is_recorded_as_theirs(
    application: Application, url: str, key: str
) -> None:
    response = httpx.post(
        f"{url}/v1/chat/completions",
        json={
            "model": "sovereign-rag-extracts",
            "messages": [{"role": "user", "content": "When does the canteen open?"}],
        },
        headers={"Authorization": f"Bearer {key}", HEADER: token(sub="ana@example.org")},
        timeout=60,
    )

    assert "noon" in response.raise_for_status().text
    entry = list(application.audit.read())[-1].entry
    assert (entry.action, entry.principal) == ("answer", "user:ana@example.org")
    assert entry.by["front_end"] == "webui"


NOT_SIGNED = ".".join(
    base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    for part in (b'{"alg":"none"}', json.dumps(claims()).encode(), b"")
)


@pytest.mark.parametrize(
    "signed",
    [
        None,
        "",
        "ana",
        NOT_SIGNED,
        token(secret="another secret of forty characters, and more"),
        token(aud="another"),
        token(iss="another"),
        token(exp=int(time.time()) - 3_600),
        token(nbf=int(time.time()) + 3_600),
        token(sub=""),
        token(sub="a b"),
        token(sub=7),
        token(groups="board"),
        jwt.encode({"alg": "HS512"}, claims(), OctKey.import_key(SECRET * 2), ["HS512"]),
        jwt.encode({"alg": "RS256"}, claims(), SIGNS),
        jwt.encode(
            {"alg": "HS256"},
            {name: value for name, value in claims().items() if name != "exp"},
            OctKey.import_key(SECRET),
        ),
    ],
)
def test_a_token_that_does_not_hold_opens_nothing(url: str, key: str, signed: str | None) -> None:
    assert listed(url, key, signed).status_code == 401
    assert listed(url, key, token()).status_code == 200


def test_plain_headers_name_nobody(url: str, key: str) -> None:
    claimed = {"X-OpenWebUI-User-Id": "ana", "X-OpenWebUI-User-Email": "ana@example.org"}

    assert listed(url, key, None, **claimed).status_code == 401


def test_an_ordinary_key_stays_its_user_s_whatever_token_comes_along(
    application: Application, url: str
) -> None:
    _, ordinary = application.catalog.keys.create("Olga", "olga")

    forged = listed(url, ordinary, token(groups=["board"], clearance=1))

    assert names(forged) == {"canteen.txt"}
    assert (
        httpx.get(f"{url}/v1/documents", headers={HEADER: token()}, timeout=60).status_code == 401
    )


def test_a_public_key_is_never_taken_for_a_shared_secret(
    application: Application, url: str
) -> None:
    _, portal = application.catalog.keys.create("portal", "portal", front_end="portal")
    known = claims(iss="portal")
    confused = signed_with(SIGNS.as_pem(private=False), known)
    signed = jwt.encode({"alg": "RS256", "kid": "one"}, known, SIGNS)

    assert listed(url, portal, confused).status_code == 401
    assert names(listed(url, portal, signed)) == {"canteen.txt"}


def test_a_front_end_of_another_tenant_speaks_for_nobody_here(
    application: Application, url: str
) -> None:
    _, elsewhere = application.catalog.keys.create(
        "webui", "webui", groups=["board"], clearance=1, tenant="elsewhere", front_end="webui"
    )

    assert names(listed(url, elsewhere, token(groups=["board"], clearance=1))) == set()


def test_a_front_end_itself_sees_which_models_there_are_and_nothing_else(
    url: str, key: str
) -> None:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as front_end:
        models = front_end.get("/v1/models")
        search = front_end.post("/v1/search", json={"query": "board"})
        tools = front_end.post("/mcp", json={})
        page = front_end.post("/sign-in", data={"key": key}, headers={"Origin": url})

    assert models.status_code == 200
    assert [search.status_code, tools.status_code] == [401, 401]
    assert page.status_code in {401, 403}
    assert "set-cookie" not in page.headers


def test_a_front_end_that_the_settings_do_not_name_opens_nothing(
    application: Application, url: str
) -> None:
    _, lost = application.catalog.keys.create("lost", "lost", front_end="lost")

    assert listed(url, lost, token()).status_code == 401


def test_a_front_end_s_key_is_no_admin_s(application: Application) -> None:
    with pytest.raises(BadInput, match="role reader"):
        application.catalog.keys.create("webui", "webui", front_end="webui", role=Role.ADMIN)
    front_end = application.catalog.keys.principal_for(
        application.catalog.keys.create("webui", "webui", front_end="webui")[1]
    )
    with pytest.raises(Forbidden):
        application.catalog.sessions.create(front_end, 1, key_id=None)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"issuer": "x"}, "either"),
        ({"issuer": "x", "secret": "short"}, "32"),
        ({"issuer": "x", "secret": SECRET, "jwks": "keys.json"}, "either"),
        ({"secret": SECRET}, "issuer"),
    ],
)
def test_a_front_end_that_could_not_be_trusted_is_no_setting(
    tmp_path: Path, wrong: dict[str, str], word: str
) -> None:
    with pytest.raises(SettingsError, match=word):
        load_settings(overrides={"data_dir": tmp_path, "front_ends": {"webui": wrong}})


def test_a_key_is_made_for_a_front_end_that_the_settings_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "rag.toml"
    config.write_text(
        f'[front_ends.webui]\nsecret = "{SECRET}"\nissuer = "open-webui"\n', encoding="utf-8"
    )
    common = ["--data-dir", str(tmp_path / "data"), "--config", str(config), "--json"]
    create = ["keys", "create", "--user", "webui", "--front-end"]

    assert run_arguments([*create, "another", *common]) == 2
    capsys.readouterr()
    assert run_arguments([*create, "webui", *common]) == 0
    assert json.loads(capsys.readouterr().out)["key"]["front_end"] == "webui"
