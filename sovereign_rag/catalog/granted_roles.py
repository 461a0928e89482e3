"""Roles that were granted to people here, beside those that their directory says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, String, Table, Text, delete, insert, select
from sqlalchemy import update as update_of
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata
from sovereign_rag.errors import NotFound
from sovereign_rag.roles import Role

granted_roles = Table(
    "granted_roles",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("curates", JSON, nullable=False),
    Column("granted", UtcTime, nullable=False),
    Column("granted_by", CleanText, nullable=False),
)


@dataclass(frozen=True, slots=True)
class GrantedRole:
    """A role that somebody has by a word of this service's own admins."""

    tenant: str
    user: str
    role: Role
    curates: frozenset[str]  # `group:NAME`, `source:NAME`, of a curator
    granted: datetime
    granted_by: str  # a label: user:adam


class GrantedRoles(CatalogPart):
    """One row a person and role; read with every request of people that a directory vouches for."""

    def grant(self, tenant: str, user: str, role: Role, curates: frozenset[str], by: str) -> None:
        """Grant a role; what a curator looks after is added to what they had."""
        its = _of(tenant, user, role)
        now = {"granted": self._clock(), "granted_by": by}
        with self._database.writing() as connection:  # writers take turns: nobody comes between
            row = connection.execute(select(granted_roles.c.curates).where(its)).first()
            kept = {"curates": sorted(curates.union(row[0] if row else ())), **now}
            if row is None:
                named: dict[str, Any] = {"tenant": tenant, "user": user, "role": role.value}
                connection.execute(insert(granted_roles).values(**named, **kept))
            else:
                connection.execute(update_of(granted_roles).where(its).values(**kept))

    def revoke(self, tenant: str, user: str, role: Role, curates: frozenset[str]) -> None:
        """Take a role back; of a curator's `curates` alone, where any are named.

        Raises:
            NotFound: They don't have it, or don't look after what is named.
        """
        its = _of(tenant, user, role)
        with self._database.writing() as connection:
            row = connection.execute(select(granted_roles.c.curates).where(its)).first()
            if row is None or not curates <= set(row[0]):
                raise NotFound(
                    f"{user} was not granted that: `sovereign-rag roles list` shows what was. A "
                    "role of a key ends with the key, one of the directory's there."
                )
            left = set(row[0]) - curates if curates else set()
            if left:
                kept = {"curates": sorted(left)}
                connection.execute(update_of(granted_roles).where(its).values(**kept))
            else:
                connection.execute(delete(granted_roles).where(its))

    def of_person(self, tenant: str, user: str) -> list[GrantedRole]:
        """What one person was granted, by role."""
        return self._found((granted_roles.c.tenant == tenant) & (granted_roles.c.user == user))

    def in_tenant(self, tenant: str) -> list[GrantedRole]:
        """All grants of a tenant, by person and role."""
        return self._found(granted_roles.c.tenant == tenant)

    def _found(self, its: ColumnElement[bool]) -> list[GrantedRole]:
        ordered = select(granted_roles).where(its).order_by(*granted_roles.primary_key)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(ordered).mappings()]


def _of(tenant: str, user: str, role: Role) -> ColumnElement[bool]:
    named = granted_roles.c
    return (named.tenant == tenant) & (named.user == user) & (named.role == role.value)


def _record(row: RowMapping) -> GrantedRole:
    return GrantedRole(
        tenant=row["tenant"],
        user=row["user"],
        role=Role(row["role"]),
        curates=frozenset(row["curates"]),
        granted=row["granted"],
        granted_by=row["granted_by"],
    )
