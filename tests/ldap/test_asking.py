"""What is asked of the directory: groups within groups, over TLS, and of no other server."""

import socket
from typing import Any

import pytest

from sovereign_rag.errors import DirectoryLost
from sovereign_rag.ldap.connection import connected, is_password
from sovereign_rag.ldap.people import find_person, typed
from tests.ldap import slapd
from tests.ldap.slapd import Slapd, dn_of, group_dn

pytestmark = pytest.mark.skipif(slapd.PROGRAM is None, reason=slapd.MISSING)


def groups_of(house: Slapd, user: str, **more: Any) -> set[str] | None:
    settings = house.settings(**more)
    with connected(settings) as directory:
        person = find_person(directory, typed(user, settings), settings)
    return None if person is None else set(person.groups)


@pytest.mark.parametrize("nested", ["walk", "member_of"])
def test_somebody_is_in_the_groups_of_their_groups_and_in_no_others(
    house: Slapd, nested: str
) -> None:
    assert groups_of(house, "ana", nested=nested) == {"finance", "house", "all"}
    assert groups_of(house, "dan", nested=nested) == set()


def test_a_server_without_active_directory_s_rule_puts_nobody_in_a_group(house: Slapd) -> None:
    assert groups_of(house, "ana", nested="matching_rule") == set()


@pytest.mark.parametrize("nested", ["walk", "member_of"])
def test_more_groups_than_the_server_gives_at_a_time_are_asked_for_page_by_page(
    house: Slapd, nested: str
) -> None:
    assert groups_of(house, "cleo", nested=nested, page_size=2) == {f"team-{n}" for n in range(5)}


def test_a_name_is_no_filter(house: Slapd) -> None:
    for name in ("*", "a*", "ana)(uid=*", "nobody", ""):
        assert groups_of(house, name) is None
    assert groups_of(house, "ANA") == {"finance", "house", "all"}


def test_groups_are_those_below_the_base_and_within_the_filter(house: Slapd) -> None:
    narrow = "(&(objectClass=groupOfNames)(!(cn=house)))"

    assert groups_of(house, "ana", groups_filter=narrow) == {"finance"}
    assert groups_of(house, "ana", group_attribute="dn", nested="member_of") == {
        group_dn(name) for name in ("finance", "house", "all")
    }


def test_a_password_is_somebody_s_or_nobody_s(house: Slapd) -> None:
    settings = house.settings()

    told = {word: is_password(settings, dn_of("ana"), word) for word in ("secret", "wrong", "")}

    assert told == {"secret": True, "wrong": False, "": False}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"ca_file": None}, "CERTIFICATE_VERIFY_FAILED"),
        ({"url": "ldaps://127.0.0.1:{tls_port}"}, "127.0.0.1"),  # not the certificate's name
        ({"url": "ldaps://localhost:{port}"}, "ca_file"),  # speaks no TLS there
        ({"bind_dn": dn_of("ana")}, "refuses"),
        ({"people_base": "ou=elsewhere,dc=house"}, "people_base"),
        ({"url": "ldaps://localhost:9"}, "can't be asked"),
    ],
)
def test_a_directory_that_is_not_the_one_that_was_named_is_told_nothing(
    house: Slapd, wrong: dict[str, Any], word: str
) -> None:
    ports = {"port": house.port, "tls_port": house.tls_port}
    named = {key: value.format(**ports) if key == "url" else value for key, value in wrong.items()}

    with pytest.raises(DirectoryLost, match=word):
        groups_of(house, "ana", **named)


def test_an_address_without_tls_is_taken_where_it_is_allowed_or_asked_for_tls(
    house: Slapd,
) -> None:
    plain = f"ldap://localhost:{house.port}"

    with pytest.raises(ValueError, match="start_tls"):
        house.settings(url=plain)
    assert groups_of(house, "bo", url=plain, start_tls=True) is not None
    assert groups_of(house, "bo", url=plain, allow_plain=True) is not None
    with pytest.raises(DirectoryLost):
        groups_of(house, "bo", url=plain, start_tls=True, ca_file=None)


def test_no_referral_is_followed(house: Slapd) -> None:
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        elsewhere.setblocking(False)
        port = elsewhere.getsockname()[1]
        away = f"ou=away,{slapd.GROUPS}"
        house.add(
            f"dn: {away}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\n"
            f"ref: ldap://127.0.0.1:{port}/{away}\n"
        )

        beside = groups_of(house, "ana")
        with pytest.raises(DirectoryLost, match="never followed"):
            groups_of(house, "ana", groups_base=f"ou=below,{away}")

        assert beside == {"finance", "house", "all"}
        with pytest.raises(BlockingIOError):  # nobody came
            elsewhere.accept()
