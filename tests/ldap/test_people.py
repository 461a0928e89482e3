"""What the directory says of people counts here: at once, within the interval, and no longer."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import Busy, DirectoryLost, Unauthenticated
from sovereign_rag.roles import Role
from sovereign_rag.services.ldap_directory import LdapDirectory
from sovereign_rag.settings import Settings
from sovereign_rag.settings.ldap import LdapSettings
from sovereign_rag.storage.audit import AuditLog
from tests.ldap import slapd
from tests.ldap.slapd import Slapd, dn_of, group_dn

pytestmark = pytest.mark.skipif(slapd.PROGRAM is None, reason=slapd.MISSING)


class SetClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def opened(product_settings: Callable[..., Settings]) -> Iterator[tuple[Catalog, AuditLog]]:
    settings = product_settings()
    with Catalog.open(settings) as catalog:
        audit = AuditLog(settings.data_dir)
        yield catalog, audit
        audit.close()


def directory_of(
    settings: LdapSettings, opened: tuple[Catalog, AuditLog], clock: SetClock
) -> LdapDirectory:
    catalog, audit = opened
    return LdapDirectory(settings, catalog=catalog, audit=audit, clock=clock, seconds=clock.seconds)


def test_who_leaves_a_group_has_left_it_here_within_the_interval_and_at_once_by_command(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    clock, leaves = SetClock(), ("left", dn_of("dan"))
    directory = directory_of(house.settings(refresh_s=300), opened, clock)
    house.add_group("left", dn_of("dan"), slapd.READER)
    dan, _ = directory.sign_in("dan", "secret")

    house.leave_group(*leaves)
    clock.pass_s(299)
    meanwhile = directory.current(dan)
    clock.pass_s(1)
    by_itself = directory.current(dan)
    house.join_group(*leaves)
    joined = directory.refresh()
    again = directory.current(dan)
    house.leave_group(*leaves)
    left = directory.refresh(["dan"])

    seen = [sorted(one.groups) for one in (dan, meanwhile, by_itself, again)]
    assert seen == [["left"], ["left"], [], ["left"]]
    assert (joined.changed, left.people, left.changed) == (("dan",), 1, ("dan",))
    assert directory.current(dan).groups == frozenset()
    told = [r.entry.detail["groups"] for r in opened[1].read() if "directory" in r.entry.action]
    assert told == [["left"], [], ["left"], []]


def test_whoever_is_gone_from_the_directory_is_out_and_so_are_their_sessions(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    clock, sessions = SetClock(), opened[0].sessions
    directory = directory_of(house.settings(), opened, clock)
    house.add_person("gast")
    gast, vouched = directory.sign_in("gast", "secret")
    bo, bo_vouched = directory.sign_in("bo", "secret")
    token, bos = (
        sessions.create(who, 1, key_id=None, vouched=by)
        for who, by in ((gast, vouched), (bo, bo_vouched))
    )

    house.remove(dn_of("gast"))
    gone = directory.refresh().gone

    assert gone == ("gast",)
    with pytest.raises(Unauthenticated):
        directory.current(gast)
    with pytest.raises(Unauthenticated):
        sessions.principal_for(token)
    assert directory.current(sessions.principal_for(bos)).user == "bo"


def test_a_directory_that_can_not_be_reached_counts_no_longer_than_its_age(
    tmp_path: Path, opened: tuple[Catalog, AuditLog]
) -> None:
    clock = SetClock()
    with slapd.running(tmp_path) as house:
        house.add_person("ana")
        house.add_group("hr", dn_of("ana"))
        directory = directory_of(house.settings(refresh_s=60, max_age_s=600), opened, clock)
        ana, _ = directory.sign_in("ana", "secret")
    # It is down from here on.

    clock.pass_s(599)
    still = directory.current(ana)
    clock.pass_s(10)

    assert still.groups == {"hr"}
    with pytest.raises(DirectoryLost, match="can't be asked"):
        directory.current(ana)
    with pytest.raises(DirectoryLost):
        directory.refresh()
    with pytest.raises(DirectoryLost):
        directory.sign_in("ana", "secret")


def test_what_was_read_by_other_settings_lets_nobody_in(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    clock, rules = SetClock(), ("rag-admins -> admin",)
    before = directory_of(house.settings(roles_rename=rules), opened, clock)
    bo, _ = before.sign_in("bo", "secret")

    after = directory_of(house.settings(), opened, clock)

    assert bo.roles == before.current(bo).roles == {Role.ADMIN}
    assert after.current(bo).roles == {Role.READER}


def test_groups_get_the_names_of_the_settings_and_impossible_ones_are_left_out(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    clock = SetClock()
    plain = directory_of(house.settings(), opened, clock)
    renamed = directory_of(
        house.settings(
            groups_rename=["Night shift -> night", "rag-(.+) -> \\1"],
            clearance_attribute="employeeNumber",
            tenant="acme",
        ),
        opened,
        clock,
    )

    bo, acme = plain.sign_in("bo", "secret")[0], renamed.sign_in("bo", "secret")[0]

    assert bo.groups == {"finance", "house", "all", "rag-admins"}
    assert (bo.clearance, bo.tenant) == (0, "default")
    assert acme.groups == {"night", "admins"}
    assert (acme.clearance, acme.tenant) == (2, "acme")


def test_passwords_are_not_guessed_by_the_dozen(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    directory = directory_of(house.settings(), opened, SetClock())
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            directory.sign_in("cleo", "wrong")

    with pytest.raises(Busy):
        directory.sign_in("Cleo", "secret")
    assert directory.sign_in("bo", "secret")[0].user == "bo"


def test_the_schedule_asks_anew_without_anybody_coming(
    house: Slapd, opened: tuple[Catalog, AuditLog]
) -> None:
    clock, stop = SetClock(), threading.Event()
    directory = directory_of(house.settings(refresh_s=0.04, max_age_s=60), opened, clock)
    house.add_group("nightly", dn_of("ana"))
    directory.sign_in("ana", "secret")
    house.remove(group_dn("nightly"))
    clock.pass_s(1)

    thread = threading.Thread(target=directory.keep_fresh, args=(stop,))
    thread.start()
    try:
        for _ in range(3_000):
            (ana,) = opened[0].directory_people.known(directory.issuer)
            if "nightly" not in ana.groups:
                break
            stop.wait(0.02)
    finally:
        stop.set()
        thread.join(30)

    assert "house" in ana.groups
    assert "nightly" not in ana.groups


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"url": "http://dc.example"}, "ldaps"),
        ({"url": "ldap://dc.example"}, "start_tls"),
        ({"start_tls": True}, "start_tls"),
        ({"people_base": ""}, "people_base"),
        ({"people_filter": "(uid=ana)"}, "{user}"),
        ({"people_filter": "uid={user}"}, "parentheses"),
        ({"bind_password_file": None}, "belong together"),
        ({"max_age_s": 1}, "refresh_s"),
        ({"roles_rename": ["x -> king"]}, "no role"),
        ({"nested": "magic"}, "nested"),
    ],
)
def test_settings_that_would_trust_too_much_are_refused(wrong: dict[str, Any], word: str) -> None:
    named = {
        "url": "ldaps://dc.example",
        "people_base": "ou=people",
        "groups_base": "ou=groups",
        "bind_dn": "cn=reader",
        "bind_password_file": "/etc/reader",
    }

    assert LdapSettings.model_validate(named).url == "ldaps://dc.example"
    with pytest.raises(ValueError, match=word):
        LdapSettings.model_validate({**named, **wrong})
