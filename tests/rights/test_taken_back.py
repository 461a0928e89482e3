"""What is taken from somebody is worth nothing within two seconds, at every service of the house.

Two services share one catalog. It is taken back at the first, and tried at both.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.roles import Role
from sovereign_rag.settings import CatalogSettings, Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.api.identity_provider import CLIENT, CLIENT_SECRET, Provider
from tests.hashed import HashEmbedder
from tests.ldap import slapd
from tests.ldap.slapd import Slapd, dn_of

WITHIN_S = 2.0
INTERVAL_S = 1.5  # after which the directory is asked anew
BOARD = "board.txt"
PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass
class House:
    """Two services, a provider of tokens and a directory, if there is one on this machine."""

    services: list[Application]
    urls: list[str]
    provider: Provider
    directory: Slapd | None
    admin: str = field(init=False)

    def __post_init__(self) -> None:
        _, self.admin = self.services[0].catalog.keys.create("Admin", "adam", role=Role.ADMIN)

    def reads_board(self, url: str, **sent: str) -> bool:
        """Whether somebody who sends these headers is shown the board's paper."""
        told = httpx.get(f"{url}/v1/documents", headers=sent, timeout=60)
        return told.is_success and BOARD in told.text


@pytest.fixture(scope="module")
def house(
    product_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "client").write_text(CLIENT_SECRET, encoding="utf-8")
    (folder / BOARD).write_text("The board meets in the tower.", encoding="utf-8")
    catalog = CatalogSettings(url=SecretStr(f"sqlite:///{folder}/catalog.sqlite3"))
    with ExitStack() as open_:
        provider = open_.enter_context(Provider().running())
        oidc = provider.settings(
            client_id=CLIENT,
            client_secret_file=str(folder / "client"),
            authorize_url=f"{provider.issuer}/authorize",
            token_url=f"{provider.issuer}/token",
        )
        identity = {"oidc": oidc.model_dump()}
        directory = None
        if slapd.PROGRAM is not None:
            (folder / "slapd").mkdir()
            directory = open_.enter_context(slapd.running(folder / "slapd"))
            directory.add_person("dan")
            directory.add_group("board", dn_of("dan"), slapd.READER)
            ldap = directory.settings(refresh_s=INTERVAL_S, max_age_s=60)
            identity["ldap"] = ldap.model_dump()
        services = [
            open_.enter_context(
                open_service(
                    product_settings(catalog=catalog, parse={"workers": 1}, identity=identity),
                    embedder=HashEmbedder(),
                )
            )
            for _ in range(2)
        ]
        readers = frozenset({"group:board"})
        services[0].ingestion.ingest([folder / BOARD], local_owner(), readers=readers)
        urls = [open_.enter_context(serving(create_app(service))) for service in services]
        yield House(services, urls, provider, directory)


@dataclass(frozen=True)
class Taken:
    """What somebody sends, and how it is taken from them."""

    sent: dict[str, str]
    take: Callable[[], object]
    within_s: float = WITHIN_S


def a_key(house: House) -> Taken:
    key, secret = house.services[0].catalog.keys.create("Ana", "ana", groups=["board"])
    headers = {"Authorization": f"Bearer {house.admin}"}

    def take() -> None:
        address = f"{house.urls[0]}/v1/keys/{key.id}"
        httpx.delete(address, headers=headers, timeout=60).raise_for_status()

    return Taken({"Authorization": f"Bearer {secret}"}, take)


def a_session(house: House) -> Taken:
    _, secret = house.services[0].catalog.keys.create("Bo", "bo", groups=["board"])
    sent = signed_in(house, {"key": secret})

    def take() -> None:
        out = httpx.post(f"{house.urls[0]}/sign-out", headers={**PAGE, **sent}, timeout=60)
        assert out.status_code == 303

    return Taken(sent, take)


def a_group_of_the_directory(house: House) -> Taken:
    directory = house.directory
    if directory is None:
        pytest.skip(slapd.MISSING)
    sent = signed_in(house, {"user": "dan", "password": "secret"})

    def take() -> None:
        directory.leave_group("board", dn_of("dan"))  # nobody tells the services

    return Taken(sent, take, within_s=INTERVAL_S + WITHIN_S)


def signed_in(house: House, form: dict[str, str]) -> dict[str, str]:
    with httpx.Client(base_url=house.urls[0], headers=PAGE, timeout=60) as browser:
        assert browser.post("/sign-in", data=form).status_code == 303
        return cookie_of(browser)


def a_claim(house: House) -> Taken:
    earlier = int(time.time()) - 20
    token = house.provider.token(sub="cleo", groups=["board"], iat=earlier)
    return Taken({"Authorization": f"Bearer {token}"}, lambda: says_less_of(house, "cleo"))


def a_claim_behind_a_session(house: House) -> Taken:
    house.provider.person = {"sub": "eva", "groups": ["board"], "iat": int(time.time()) - 20}
    with httpx.Client(base_url=house.urls[0], headers=PAGE, timeout=60) as browser:
        begun = browser.get("/sign-in/directory", params={"next": "/documents"})
        back = httpx.get(begun.headers["Location"]).headers["Location"]
        assert browser.get(back).status_code == 303
        sent = cookie_of(browser)
    return Taken(sent, lambda: says_less_of(house, "eva"))


def says_less_of(house: House, user: str) -> None:
    """The provider signs a new token, without the group, and the first service is shown it."""
    newer = house.provider.token(sub=user, groups=["canteen"])
    assert not house.reads_board(house.urls[0], Authorization=f"Bearer {newer}")


def cookie_of(browser: httpx.Client) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


KINDS: dict[str, Callable[[House], Taken]] = {
    "a revoked key": a_key,
    "an ended session": a_session,
    "a removed group": a_group_of_the_directory,
    "a changed claim": a_claim,
    "a changed claim behind a session": a_claim_behind_a_session,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_back_at_one_service_is_worth_nothing_at_both_within_two_seconds(
    house: House, kind: str, record_testsuite_property: Callable[[str, object], None]
) -> None:
    _, untouched = house.services[0].catalog.keys.create("Udo", "udo", groups=["board"])
    taken = KINDS[kind](house)
    before = [house.reads_board(url, **taken.sent) for url in house.urls]

    taken.take()
    begun = time.monotonic()
    last_s = [_seconds_of_use(house, url, taken, begun) for url in house.urls]

    after = [house.reads_board(url, **taken.sent) for url in house.urls]
    others = [house.reads_board(url, Authorization=f"Bearer {untouched}") for url in house.urls]
    for url, seconds in zip(house.urls, last_s, strict=True):
        record_testsuite_property(
            f"{kind}, at port {urlsplit(url).port}: last use after s", seconds
        )
    assert (before, after, others) == ([True, True], [False, False], [True, True])
    assert max(last_s) < taken.within_s


def _seconds_of_use(house: House, url: str, taken: Taken, begun: float) -> float:
    """How long after it was taken the last request that it still opened was begun; 0: none."""
    last = 0.0
    while True:
        asked = time.monotonic() - begun
        if not house.reads_board(url, **taken.sent):
            return round(last, 3)
        last = asked
        assert asked < 60, "it was not taken back"
        time.sleep(0.05)
