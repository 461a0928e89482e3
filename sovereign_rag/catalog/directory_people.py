"""What the organisation's directory said of people, and when: asked by LDAP, or by its tokens."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)
from sqlalchemy.engine import RowMapping

from sovereign_rag.access import Caller, Principal
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata
from sovereign_rag.roles import Role

directory_people = Table(
    "directory_people",
    metadata,
    Column("issuer", Text, primary_key=True),  # the directory's address
    Column("user", Text, primary_key=True),
    Column("dn", CleanText, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("curates", JSON, nullable=False),
    Column("clearance", Integer, nullable=False),
    Column("asked", UtcTime, nullable=False),
    Column("asked_as", String(64), nullable=False),  # the settings that it was read by, hashed
)


@dataclass(frozen=True, slots=True)
class DirectoryRecord:
    """Somebody as the directory had them when it was last asked."""

    issuer: str
    user: str
    dn: str
    tenant: str
    groups: frozenset[str]
    roles: frozenset[Role]
    curates: frozenset[str]
    clearance: int
    asked: datetime
    asked_as: str

    @property
    def principal(self) -> Principal:
        """Them, as the directory had them."""
        return Principal(
            user=self.user,
            groups=self.groups,
            tenant=self.tenant,
            clearance=self.clearance,
            roles=self.roles,
            curates=self.curates,
            caller=Caller(issuer=self.issuer),
        )

    @property
    def rights(self) -> tuple[object, ...]:
        """What a change of is told on the record."""
        return self.tenant, self.groups, self.roles, self.curates, self.clearance


class DirectoryPeople(CatalogPart):
    """One row a person that came in by the directory; all processes read the same."""

    def get(self, issuer: str, user: str) -> DirectoryRecord | None:
        """What is known of somebody; None: the directory was not asked, or knew nobody."""
        with self._database.reading() as connection:
            statement = select(directory_people).where(_of(issuer, user))
            row = connection.execute(statement).mappings().first()
        return None if row is None else _record(row)

    def known(self, issuer: str, *, before: datetime | None = None) -> list[DirectoryRecord]:
        """Everybody of a directory, by name; `before`: asked about at that time at the latest."""
        its = directory_people.c.issuer == issuer
        if before is not None:
            its &= directory_people.c.asked <= before
        statement = select(directory_people).where(its).order_by(directory_people.c.user)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement).mappings()]

    def in_tenant(self, tenant: str) -> list[DirectoryRecord]:
        """Everybody of a tenant, by name."""
        its = directory_people.c.tenant == tenant
        statement = select(directory_people).where(its).order_by(directory_people.c.user)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement).mappings()]

    def put(self, record: DirectoryRecord) -> None:
        """Keep what was said last."""
        with self._database.writing() as connection:  # writers take turns: nobody comes between
            _replace(connection, record)

    def put_newer(self, record: DirectoryRecord) -> None:
        """Keep what was said, unless something newer is known by the same settings."""
        with self._database.writing() as connection:
            its = _of(record.issuer, record.user)
            newer = (directory_people.c.asked > record.asked) & (
                directory_people.c.asked_as == record.asked_as
            )
            if (
                connection.execute(select(directory_people.c.user).where(its, newer)).first()
                is None
            ):
                _replace(connection, record)

    def forget(self, issuer: str, user: str) -> None:
        """The directory knows nobody of that name any more; that none was known is no error."""
        with self._database.writing() as connection:
            connection.execute(delete(directory_people).where(_of(issuer, user)))


def _replace(connection: Connection, record: DirectoryRecord) -> None:
    connection.execute(delete(directory_people).where(_of(record.issuer, record.user)))
    connection.execute(
        insert(directory_people).values(
            issuer=record.issuer,
            user=record.user,
            dn=record.dn,
            tenant=record.tenant,
            groups=sorted(record.groups),
            roles=sorted(record.roles),
            curates=sorted(record.curates),
            clearance=record.clearance,
            asked=record.asked,
            asked_as=record.asked_as,
        )
    )


def _of(issuer: str, user: str) -> ColumnElement[bool]:
    return (directory_people.c.issuer == issuer) & (directory_people.c.user == user)


def _record(row: RowMapping) -> DirectoryRecord:
    return DirectoryRecord(
        issuer=row["issuer"],
        user=row["user"],
        dn=row["dn"],
        tenant=row["tenant"],
        groups=frozenset(row["groups"]),
        roles=frozenset(Role(name) for name in row["roles"]),
        curates=frozenset(row["curates"]),
        clearance=row["clearance"],
        asked=row["asked"],
        asked_as=row["asked_as"],
    )
