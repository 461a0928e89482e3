"""A person in the directory, and every group that they are in, through groups within groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.errors import DirectoryLost
from sovereign_rag.ldap.connection import LdapConnection, LdapEntry, escaped
from sovereign_rag.settings.ldap import LdapSettings

_IN_CHAIN: Final = "1.2.840.113556.1.4.1941"  # Active Directory: members of members, too
_MOST_GROUPS: Final = 5_000  # of one person
_AT_ONCE: Final = 50  # groups that one question is about


@dataclass(frozen=True, slots=True)
class DirectoryPerson:
    """Somebody as the directory has them."""

    dn: str
    user: str  # the attribute that names them here
    groups: frozenset[str]  # as the directory calls them
    clearance: int


def typed(user: str, settings: LdapSettings) -> str:
    """The filter for the name that somebody signs in with."""
    return settings.people_filter.replace("{user}", escaped(user))


def named(user: str, settings: LdapSettings) -> str:
    """The filter for a person as they are named here, as long as they may sign in at all."""
    anybody = settings.people_filter.replace("{user}", "*")
    return f"(&{anybody}({settings.user_attribute}={escaped(user)}))"


def find_person(
    directory: LdapConnection, condition: str, settings: LdapSettings
) -> DirectoryPerson | None:
    """Who fits a filter, with all groups; None: the directory knows nobody who does.

    Raises:
        DirectoryLost: It can't be asked, or several entries fit.
    """
    asked = [settings.user_attribute, "memberOf"]
    if settings.clearance_attribute is not None:
        asked.append(settings.clearance_attribute)
    found = list(directory.search(settings.people_base, condition, asked))
    if len(found) > 1:
        raise DirectoryLost(
            f"{len(found)} entries of the directory fit {condition}, so that nobody is let in by "
            "that name: narrow identity.ldap.people_filter or people_base."
        )
    if not found or (named := found[0].first(settings.user_attribute)) is None:
        return None
    names = (one.first(settings.group_attribute) for one in _groups(directory, found[0], settings))
    return DirectoryPerson(
        dn=found[0].dn,
        user=named,
        groups=frozenset(filter(None, names)),
        clearance=_clearance(found[0], settings),
    )


def _groups(
    directory: LdapConnection, person: LdapEntry, settings: LdapSettings
) -> Iterator[LdapEntry]:
    """Each group once, whatever circles there are."""
    if settings.nested == "matching_rule":
        yield from _with_member(directory, [person.dn], settings, rule=f":{_IN_CHAIN}:")
        return
    seen: set[str] = set()
    next_ones = [person]
    while next_ones:
        if settings.nested == "member_of":
            found = list(_member_of(directory, next_ones, seen, settings))
        else:
            found = list(_with_member(directory, [one.dn for one in next_ones], settings))
        next_ones = [one for one in found if _key(one.dn) not in seen]
        seen.update(_key(one.dn) for one in next_ones)
        if len(seen) > _MOST_GROUPS:
            raise DirectoryLost(
                f"{person.dn} is in more than {_MOST_GROUPS} groups: narrow "
                "identity.ldap.groups_base or groups_filter to those of this service."
            )
        yield from {_key(one.dn): one for one in next_ones}.values()


def _with_member(
    directory: LdapConnection, dns: Sequence[str], settings: LdapSettings, rule: str = ""
) -> Iterator[LdapEntry]:
    """The groups that list one of these entries."""
    for start in range(0, len(dns), _AT_ONCE):
        some = "".join(
            f"({settings.member_attribute}{rule}={escaped(dn)})"
            for dn in dns[start : start + _AT_ONCE]
        )
        condition = f"(&{settings.groups_filter}(|{some}))"
        yield from directory.search(settings.groups_base, condition, [_named_by(settings)])


def _member_of(
    directory: LdapConnection,
    entries: Sequence[LdapEntry],
    seen: set[str],
    settings: LdapSettings,
) -> Iterator[LdapEntry]:
    """The groups that these entries say they are in."""
    base, asked = "," + _key(settings.groups_base), [_named_by(settings), "memberOf"]
    for dn in dict.fromkeys(dn for one in entries for dn in one.attributes.get("memberof", ())):
        if _key(dn).endswith(base) and _key(dn) not in seen:
            yield from directory.search(dn, settings.groups_filter, asked, is_entry=True)


def _named_by(settings: LdapSettings) -> str:
    is_dn = settings.group_attribute.lower() == "dn"
    return "cn" if is_dn else settings.group_attribute


def _key(dn: str) -> str:
    """A name as it is compared, without regard to capitals and to spaces after commas."""
    return ",".join(part.strip() for part in dn.lower().split(","))


def _clearance(person: LdapEntry, settings: LdapSettings) -> int:
    said = person.first(settings.clearance_attribute) if settings.clearance_attribute else None
    return int(said) if said is not None and said.isascii() and said.isdigit() else 0
