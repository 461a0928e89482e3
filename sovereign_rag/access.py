"""Principal -> ReadScope: the only judge of who reads what.

Labels carry their kind (`user:ana`, `group:finance`, `everyone`). Every chunk holds the labels of
its readers and the owner's; a search holds the labels of its caller; a chunk is found when they
meet, in the caller's tenant and within the caller's clearance. There is no wildcard and no
bypass: the owner of the data folder has a label of their own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sovereign_rag.errors import BadInput, Unauthenticated

EVERYONE: Final = "everyone"  # every principal of the tenant
OWNER: Final = "owner"  # the person at the command line of the data folder; no key carries it
HIGHEST_LEVEL: Final = 1_000
DEFAULT_TENANT: Final = "default"

_NAME = re.compile(r"[\w.@+-]{1,128}", re.UNICODE)
_ISSUED_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `clearance` is the highest document level they may read, 0 unless said."""

    user: str
    groups: frozenset[str] = frozenset()
    tenant: str = DEFAULT_TENANT
    clearance: int = 0
    is_owner: bool = False  # set by `local_owner` alone
    is_admin: bool = False  # may ingest and delete through the API; reads nothing more for it
    is_view: bool = field(default=False, compare=False)  # the owner looks as this user would

    def __post_init__(self) -> None:
        for what, name in (("user", self.user), ("tenant", self.tenant)):
            if not _NAME.fullmatch(name):
                raise BadInput(f"{name!r} is no {what} name: use letters, digits and . _ @ + -")
        for group in self.groups:
            if not _NAME.fullmatch(group):
                raise BadInput(f"{group!r} is no group name: use letters, digits and . _ @ + -")

    @property
    def label(self) -> str:
        """Who it is, in one word: on the record, as a submitter, as a reader of its own."""
        return OWNER if self.is_owner else f"user:{self.user}"

    @property
    def labels(self) -> frozenset[str]:
        """The reader labels that this principal answers to."""
        own = {EVERYONE, f"user:{self.user}", *(f"group:{group}" for group in self.groups)}
        return frozenset(own | {OWNER}) if self.is_owner else frozenset(own)


@dataclass(frozen=True, slots=True)
class ReadScope:
    """What one search may see. Made by `read_scope` alone; no search has a default for it."""

    tenant: str
    labels: frozenset[str]
    clearance: int
    _issuer: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._issuer is not _ISSUED_HERE:
            raise Unauthenticated("A scope comes from read_scope(principal) and nowhere else.")
        if not self.tenant or not self.labels:
            # An empty filter matches everything in Qdrant.
            raise Unauthenticated("A scope needs a tenant and at least one label.")

    def allows(self, *, tenant: str, readers: Iterable[str], level: int) -> bool:
        """The rule itself, in Python: the reference for the stores and the check on their hits."""
        return (
            tenant == self.tenant
            and level <= self.clearance
            and not self.labels.isdisjoint(readers)
        )


def read_scope(principal: Principal) -> ReadScope:
    """What `principal` may read."""
    return ReadScope(
        tenant=principal.tenant,
        labels=principal.labels,
        clearance=principal.clearance,
        _issuer=_ISSUED_HERE,
    )


def local_owner(tenant: str = DEFAULT_TENANT) -> Principal:
    """The person at the command line, who owns the data folder and could read its files anyway."""
    return Principal(
        user="owner", tenant=tenant, clearance=HIGHEST_LEVEL, is_owner=True, is_admin=True
    )


def parse_readers(text: str) -> frozenset[str]:
    """Read labels as an admin writes them: "group:finance,user:ana" or "everyone".

    Raises:
        BadInput: A label has no kind or an impossible name.
    """
    labels = {part.strip() for part in text.split(",") if part.strip()}
    for label in labels:
        kind, _, name = label.partition(":")
        if label != EVERYONE and (kind not in {"user", "group"} or not _NAME.fullmatch(name)):
            raise BadInput(
                f"{label!r} names no reader. Write user:NAME, group:NAME or everyone, "
                "separated by commas."
            )
    return frozenset(labels)


def stored_readers(readers: Iterable[str]) -> frozenset[str]:
    """The labels that a chunk is stored with: its readers, and always the owner."""
    return frozenset(readers) | {OWNER}
