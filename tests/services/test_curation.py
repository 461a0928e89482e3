"""A curator looks after the documents of given groups and sources, and after nothing else."""

import pytest

from sovereign_rag.access import Principal, local_owner, may_curate
from sovereign_rag.roles import Role, Scope

HR, FINANCE = "group:hr", "group:finance"


def curator(*reaches: str, held_to: frozenset[Scope] | None = None) -> Principal:
    return Principal(
        "cora", roles=frozenset({Role.CURATOR}), curates=frozenset(reaches), held_to=held_to
    )


@pytest.mark.parametrize(
    ("readers", "sources", "is_own", "allowed"),
    [
        ({HR}, (), False, True),
        ({HR, "user:cora"}, (), False, True),
        ({HR, FINANCE}, (), False, False),  # the others' readers would lose it
        ({FINANCE}, (), False, False),
        ({"everyone"}, (), False, False),
        ({"user:ana"}, (), False, False),
        (set(), (), False, False),  # nobody's: the owner's alone
        ({FINANCE}, ("contracts",), False, True),
        ({FINANCE}, ("letters",), False, False),
        ({FINANCE}, (), True, True),
    ],
)
def test_a_curator_looks_after_given_groups_and_sources(
    readers: set[str], sources: tuple[str, ...], is_own: bool, allowed: bool
) -> None:
    cora = curator(HR, "source:contracts")

    assert may_curate(cora, readers=readers, sources=sources, is_own=is_own) is allowed
    assert may_curate(local_owner(), readers=readers)


@pytest.mark.parametrize(
    ("somebody", "allowed"),
    [
        (Principal("rita", frozenset({"hr"})), False),
        (Principal("olga", roles=frozenset({Role.AUDITOR})), False),
        (curator(HR, held_to=frozenset({Scope.SEARCH})), False),
        (curator(HR, held_to=frozenset({Scope.INGEST})), True),
        (Principal("adam", roles=frozenset({Role.ADMIN})), True),
        (Principal("adam", roles=frozenset({Role.ADMIN}), held_to=frozenset({Scope.ADMIN})), False),
    ],
)
def test_only_curators_and_admins_change_documents(somebody: Principal, allowed: bool) -> None:
    assert may_curate(somebody, readers={HR}) is allowed
