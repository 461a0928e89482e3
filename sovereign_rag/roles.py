"""What somebody may do, beside what they may read: roles, and the scopes that a key is held to.

A role opens operations and no document: who reads what is `access.py`'s to judge, by labels. What
each operation needs stands in `http/permissions.py`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sovereign_rag.errors import BadInput


class Scope(StrEnum):
    """A kind of operation."""

    SEARCH = "search"  # find passages; list and open documents
    ANSWER = "answer"  # ask questions
    INGEST = "ingest"  # take documents in, delete them, change who reads them
    ADMIN = "admin"  # keys, roles, people, sources, settings
    AUDIT = "audit"  # the record and the usage, no documents


class Role(StrEnum):
    """What somebody is for; one person may have several."""

    READER = "reader"
    CURATOR = "curator"  # of the documents of given groups or sources
    ADMIN = "admin"
    AUDITOR = "auditor"


_READING: Final = frozenset({Scope.SEARCH, Scope.ANSWER})
SCOPES_OF: Final = {
    Role.READER: _READING,
    Role.CURATOR: _READING | {Scope.INGEST},
    Role.ADMIN: _READING | {Scope.INGEST, Scope.ADMIN},
    Role.AUDITOR: frozenset({Scope.AUDIT}),
}
READER_ALONE: Final = frozenset({Role.READER})
_REACHES: Final = ("group", "source")


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """All that these roles open."""
    return frozenset[Scope]().union(*(SCOPES_OF[role] for role in roles))


def role_named(word: str) -> Role:
    """Raises BadInput: There is no such role."""
    try:
        return Role(word.strip().lower())
    except ValueError as error:
        raise BadInput(f"{word!r} is no role; there are {', '.join(Role)}.") from error


def scopes_named(words: Iterable[str], role: Role) -> frozenset[Scope]:
    """The scopes that a key of `role` is held to.

    Raises:
        BadInput: One is unknown or not the role's, or none is named.
    """
    wanted = {word.strip().lower() for word in words if word.strip()}
    has = SCOPES_OF[role]
    if beyond := sorted(wanted - has):
        raise BadInput(f"The role {role} has no scope {', '.join(beyond)}; it has {_listed(has)}.")
    if not wanted:
        raise BadInput(f"A key that is held to no scope opens nothing; {role} has {_listed(has)}.")
    return frozenset(Scope(word) for word in wanted)


def reaches_named(words: Iterable[str], roles: Iterable[Role]) -> frozenset[str]:
    """What a curator looks after: labels such as `group:finance` and `source:contracts`.

    Raises:
        BadInput: A label has another kind or no name, a curator looks after nothing, or somebody
            who is no curator looks after something.
    """
    labels = frozenset(word.strip() for word in words if word.strip())
    for label in labels:
        kind, _, name = label.partition(":")
        if kind not in _REACHES or not name:
            raise BadInput(f"{label!r} can't be curated: write group:NAME or source:NAME.")
    if bool(labels) != (Role.CURATOR in roles):
        raise BadInput(
            "A curator looks after the documents of given groups or sources, and nobody else does: "
            "name the role curator together with group:NAME or source:NAME."
        )
    return labels


def _listed(scopes: Iterable[Scope]) -> str:
    return ", ".join(scope for scope in Scope if scope in set(scopes))
