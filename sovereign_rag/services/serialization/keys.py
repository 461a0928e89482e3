"""Keys and who somebody is, as they go out: everything but a secret, of which a hash is kept."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import Field

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.roles import Role, Scope
from sovereign_rag.services.serialization.body import Body, iso


class KeyOut(Body):
    """A key: who it stands for and what it opens."""

    id: str = Field(description="Its public part; the secret is not shown again.")
    name: str
    tenant: str
    user: str
    groups: list[str]
    clearance: int
    role: Role
    scopes: list[Scope] = Field(description="What it opens: the role's scopes, or fewer.")
    curates: list[str] = Field(description="What a curator's looks after: group:, source:.")
    admin: bool
    front_end: str | None = Field(description="Whose people it speaks for; null: for its user.")
    state: Literal["valid", "expired", "revoked"]
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None = Field(description="To the minute; null: never.")

    @classmethod
    def of(cls, record: KeyRecord) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            tenant=record.tenant,
            user=record.user,
            groups=sorted(record.groups),
            clearance=record.clearance,
            role=record.role,
            scopes=_in_order(record.scopes),
            curates=sorted(record.curates),
            admin=Scope.ADMIN in record.scopes,
            front_end=record.front_end,
            state=state_of(record),
            created=record.created.isoformat(),
            expires=iso(record.expires),
            revoked=iso(record.revoked),
            last_used=iso(record.last_used),
        )


class KeysOut(Body):
    keys: list[KeyOut]


class NewKeyOut(Body):
    """A key that was just made."""

    key: KeyOut
    secret: str = Field(description="Shown this once. Send it as `Authorization: Bearer SECRET`.")


class MeOut(Body):
    """Who calls, as this service knows them."""

    user: str
    tenant: str
    groups: list[str]
    clearance: int
    roles: list[Role]
    scopes: list[Scope]
    curates: list[str]

    @classmethod
    def of(cls, principal: Principal) -> Self:
        return cls(
            user=principal.user,
            tenant=principal.tenant,
            groups=sorted(principal.groups),
            clearance=principal.clearance,
            roles=[role for role in Role if role in principal.roles],
            scopes=_in_order(principal.scopes),
            curates=sorted(principal.curates),
        )


def state_of(record: KeyRecord) -> Literal["valid", "expired", "revoked"]:
    if record.revoked is not None:
        return "revoked"
    return "expired" if record.expires and record.expires <= datetime.now(UTC) else "valid"


def _in_order(scopes: Iterable[Scope]) -> list[Scope]:
    has = frozenset(scopes)
    return [scope for scope in Scope if scope in has]
