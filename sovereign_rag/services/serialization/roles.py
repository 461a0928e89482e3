"""Granted roles, as they go out."""

from typing import Self

from pydantic import Field

from sovereign_rag.catalog.granted_roles import GrantedRole
from sovereign_rag.roles import Role
from sovereign_rag.services.serialization.body import Body


class GrantOut(Body):
    """A role that somebody was granted here."""

    user: str
    role: Role
    curates: list[str] = Field(description="What a curator looks after: group:, source:.")
    granted: str
    granted_by: str = Field(description="A label: user:adam, or owner.")

    @classmethod
    def of(cls, record: GrantedRole) -> Self:
        return cls(
            user=record.user,
            role=record.role,
            curates=sorted(record.curates),
            granted=record.granted.isoformat(),
            granted_by=record.granted_by,
        )


class GrantsOut(Body):
    roles: list[GrantOut]
