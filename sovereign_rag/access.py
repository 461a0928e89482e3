"""Principal -> ReadScope: the only judge of who reads what.

Labels carry their kind (`user:ana`, `group:finance`, `everyone`). Every chunk holds the labels of
its readers and the owner's; a search holds the labels of its caller; a chunk is found when they
meet, in the caller's tenant and within the caller's clearance. There is no wildcard and no
bypass: the owner of the data folder has a label of their own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from sovereign_rag.errors import BadInput, Forbidden, Unauthenticated
from sovereign_rag.roles import READER_ALONE, Role, Scope, scopes_of

EVERYONE: Final = "everyone"  # every principal of the tenant
OWNER: Final = "owner"  # the person at the command line of the data folder; no key carries it
HIGHEST_LEVEL: Final = 1_000
DEFAULT_TENANT: Final = "default"

_NAME = re.compile(r"[\w.@+-]{1,128}", re.UNICODE)
_ISSUED_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Caller:
    """By which way somebody came in, for the record alone: no right hangs on it."""

    key: str | None = None  # the public id of their key
    address: str | None = None  # where the request came from
    front_end: str | None = None  # that spoke for them
    issuer: str | None = None  # the directory that vouched for them by a token


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `clearance` is the highest document level they may read, 0 unless said."""

    user: str
    groups: frozenset[str] = frozenset()
    tenant: str = DEFAULT_TENANT
    clearance: int = 0
    is_owner: bool = False  # set by `local_owner` alone
    roles: frozenset[Role] = READER_ALONE  # open operations; nothing more is read for them
    held_to: frozenset[Scope] | None = None  # of what the roles open; None: all of it
    curates: frozenset[str] = frozenset()  # `group:NAME`, `source:NAME`, of a curator
    is_view: bool = field(default=False, compare=False)  # the owner looks as this user would
    front_end: str | None = None  # whose people a key speaks for: by itself it is nobody
    caller: Caller = field(default=Caller(), compare=False)

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

    @property
    def scopes(self) -> frozenset[Scope]:
        """The kinds of operation that are open to it."""
        opened = scopes_of(self.roles)
        return opened if self.held_to is None else opened & self.held_to

    @property
    def is_admin(self) -> bool:
        """Whether it administers its tenant; it reads nothing more for it."""
        return Scope.ADMIN in self.scopes

    @property
    def reads_documents(self) -> bool:
        """Whether it reads any; an auditor reads the record alone."""
        return not self.scopes <= {Scope.AUDIT}

    def may(self, *scopes: Scope) -> bool:
        """Whether one of these kinds of operation is open to it."""
        return not self.scopes.isdisjoint(scopes)

    def from_address(self, address: str | None) -> "Principal":
        """The same one, with where the request came from."""
        return replace(self, caller=replace(self.caller, address=address))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a scope may read a document, condition by condition; all three must hold."""

    is_same_tenant: bool
    is_cleared: bool  # the document's level is within the clearance
    meets: frozenset[str]  # labels that the document and the scope have in common

    @property
    def allows(self) -> bool:
        return self.is_same_tenant and self.is_cleared and bool(self.meets)


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
        return self.judge(tenant=tenant, readers=readers, level=level).allows

    def judge(self, *, tenant: str, readers: Iterable[str], level: int) -> Judgement:
        """The same rule, with what of it holds."""
        return Judgement(
            is_same_tenant=tenant == self.tenant,
            is_cleared=level <= self.clearance,
            meets=self.labels.intersection(readers),
        )


def is_name(text: str) -> bool:
    """Whether a user, a group or a tenant can be called that."""
    return _NAME.fullmatch(text) is not None


def read_scope(principal: Principal) -> ReadScope:
    """What `principal` may read.

    Raises:
        Unauthenticated: It is a front end, which speaks for its people and reads nothing itself.
        Forbidden: It audits, and so reads the record and no documents.
    """
    if principal.front_end is not None:
        raise Unauthenticated(
            "This key speaks for the people of a front end, and the request names none of them."
        )
    if not principal.reads_documents:
        raise Forbidden(
            "An auditor reads the record and the usage, no documents. Ask with a reader's key."
        )
    return ReadScope(
        tenant=principal.tenant,
        labels=principal.labels,
        clearance=principal.clearance,
        _issuer=_ISSUED_HERE,
    )


def group_scope(group: str, tenant: str = DEFAULT_TENANT, clearance: int = 0) -> ReadScope:
    """What anybody of `group` may read for being in it, whoever they are besides."""
    somebody = Principal("somebody", frozenset({group}), tenant, clearance)
    return replace(read_scope(somebody), labels=somebody.labels - {somebody.label})


def local_owner(tenant: str = DEFAULT_TENANT) -> Principal:
    """The person at the command line, who owns the data folder and could read its files anyway."""
    return Principal(
        user="owner",
        tenant=tenant,
        clearance=HIGHEST_LEVEL,
        is_owner=True,
        roles=frozenset({Role.ADMIN, Role.AUDITOR}),
    )


def may_curate(
    principal: Principal,
    *,
    readers: Iterable[str],
    sources: Iterable[str] = (),
    is_own: bool = False,
) -> bool:
    """Whether a document with these readers is the principal's to take in, change or delete.

    An admin looks after the tenant's. A curator looks after what is read by groups of theirs and
    by themselves alone, what a source of theirs holds, and what they handed in. That a document
    is readable is asked elsewhere: who may not read it is told that there is none.

    Args:
        readers: Labels; of a change, those before and those after are each asked for.
        sources: The names of the sources that hold the document.
        is_own: The principal handed it in.
    """
    if Scope.INGEST not in principal.scopes:
        return False
    if Role.ADMIN in principal.roles:
        return True
    if is_own or not principal.curates.isdisjoint(f"source:{name}" for name in sources):
        return True
    labels = frozenset(readers) - {OWNER}
    return bool(labels) and labels <= principal.curates | {principal.label}


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


def in_both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """Labels such that whoever meets them meets each of the two sets.

    A person may be among both sets by two labels of theirs and by none of these: it is what is
    sure, for as long as a change is on its way.
    """
    if EVERYONE in one:
        return other
    if EVERYONE in other:
        return one
    return one & other


def stored_readers(readers: Iterable[str]) -> frozenset[str]:
    """The labels that a chunk is stored with: its readers, and always the owner."""
    return frozenset(readers) | {OWNER}
