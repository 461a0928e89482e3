"""Names that a directory uses -> groups and roles here, by the patterns of the settings."""

import re
from collections.abc import Iterable, Sequence

from sovereign_rag.roles import READER_ALONE, Role
from sovereign_rag.settings.ldap import ARROW, OF


def groups_of(names: Iterable[str], rules: Sequence[str]) -> frozenset[str]:
    """What groups are called here; one that no pattern fits is left out, without any all stay."""
    if not rules:
        return frozenset(names)
    return frozenset(filter(None, (_renamed(name, rules) for name in names)))


def roles_of(names: Iterable[str], rules: Sequence[str]) -> tuple[frozenset[Role], frozenset[str]]:
    """What somebody is for, and what they curate; whom no name makes anything else, reads."""
    roles, curates = set[Role](), set[str]()
    for name in names:
        said = (_renamed(name, rules) or "") if rules else name
        role, _, reach = said.partition(OF)
        if role == Role.CURATOR and reach.startswith(("group:", "source:")):
            curates.add(reach)
            roles.add(Role.CURATOR)
        elif role in set(Role) - {Role.CURATOR}:
            roles.add(Role(role))
    return frozenset(roles) or READER_ALONE, frozenset(curates)


def _renamed(name: str, rules: Sequence[str]) -> str | None:
    for rule in rules:
        pattern, _, here = rule.rpartition(ARROW)
        if fits := re.fullmatch(pattern, name):
            return fits.expand(here)
    return None
