"""A directory with people, groups within groups, and a circle of them."""

from collections.abc import Iterator

import pytest

from tests.ldap import slapd
from tests.ldap.slapd import Slapd, dn_of, group_dn


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Ana is in finance, which is in house, which is in all, which is in finance again."""
    with slapd.running(tmp_path_factory.mktemp("slapd")) as house:
        for user in ("ana", "bo", "cleo", "dan"):
            house.add_person(user)
        house.add_group("finance", dn_of("ana"))
        house.add_group("house", group_dn("finance"))
        house.add_group("all", group_dn("house"), dn_of("bo"))
        house.join_group("finance", group_dn("all"))
        house.add_group("rag-admins", dn_of("bo"))
        house.add_group("Night shift", dn_of("bo"))
        for n in range(5):
            house.add_group(f"team-{n}", dn_of("cleo"))
        yield house
