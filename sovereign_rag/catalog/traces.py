"""What the catalog holds of documents and people beside the documents themselves, and its end."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import (
    api_keys,
    archive_members,
    document_readers,
    documents,
    jobs,
    metadata,
    sessions,
    source_items,
    sources,
    tasks,
)

_PEOPLE: Final = frozenset({"user", "person", "owner", "principal", "submitted_by", "created_by"})
"""Columns that name a person: `user` by their name, the others by their label."""

_STAYS: Final = frozenset({"submitted_by", "created_by"})
"""Of these, the ones of rows that are others' as well: they stay, with the pseudonym."""

_HELD: Final = {"api_keys": ("secret_hash",), "sessions": ("token_hash",)}
"""What is nobody's to read, whoever the rows are about."""


class Traces(CatalogPart):
    """Rows that name a document or a person: to be told to them, and to be removed."""

    def documents(self, tenant: str) -> Iterator[tuple[str, str, str, str]]:
        """(id, URI, name, title) of every document of a tenant, whoever may read it."""
        wanted = (documents.c.id, documents.c.uri, documents.c.name, documents.c.title)
        statement = select(*wanted).where(documents.c.tenant == tenant).order_by(documents.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        yield from ((row.id, row.uri, row.name, row.title) for row in rows)

    def count(self) -> int:
        """How many documents there are, of every tenant."""
        with self._database.reading() as connection:
            return int(connection.scalar(select(func.count()).select_from(documents)) or 0)

    def sources_of(self, document_id: str) -> list[str]:
        """Names of the sources that list a document: their next sync would bring it again."""
        statement = (
            select(sources.c.name)
            .join(source_items, source_items.c.source_id == sources.c.id)
            .where(source_items.c.target == document_id)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def names_of_source(self, tenant: str, source: str) -> list[str]:
        """Ids of the documents that a source brought."""
        statement = (
            select(source_items.c.target)
            .join(sources, source_items.c.source_id == sources.c.id)
            .where(sources.c.tenant == tenant, sources.c.name == source)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def people(self, tenant: str) -> set[str]:
        """Names of users that keys, sessions or readers' labels of a tenant name."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for table in (api_keys, sessions):
                users = select(table.c.user).where(table.c.tenant == tenant)
                found.update(connection.scalars(users))
            labels = (
                select(document_readers.c.label)
                .join(documents, documents.c.id == document_readers.c.document_id)
                .where(documents.c.tenant == tenant, document_readers.c.label.startswith("user:"))
            )
            found.update(label.removeprefix("user:") for label in connection.scalars(labels))
            by = select(jobs.c.submitted_by).where(jobs.c.tenant == tenant)
            found.update(
                label.removeprefix("user:")
                for label in connection.scalars(by)
                if label.startswith("user:")
            )
        return found

    def forget_document(self, tenant: str, document_id: str) -> int:
        """Remove what jobs, sources and archives tell of a document; returns how many rows."""
        own_tasks = and_(
            tasks.c.tenant == tenant,
            or_(tasks.c.target == document_id, tasks.c.document_id == document_id),
            tasks.c.worker.is_(None),  # one in work ends by itself, as it was withdrawn
        )
        members = and_(
            archive_members.c.tenant == tenant,
            or_(
                archive_members.c.document_id == document_id,
                archive_members.c.container == document_id,
            ),
        )
        with self._database.writing() as connection:
            gone = connection.execute(delete(tasks).where(own_tasks)).rowcount
            gone += connection.execute(delete(archive_members).where(members)).rowcount
            listed = source_items.c.target == document_id
            return gone + connection.execute(delete(source_items).where(listed)).rowcount

    def held_of(self, tenant: str, user: str) -> dict[str, list[dict[str, Any]]]:
        """Every row that is about a person, by table, in plain JSON types, without secrets."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self._database.reading() as connection:
            for name, condition in _about(tenant, user).items():
                statement = select(metadata.tables[name]).where(condition)
                rows = connection.execute(statement).mappings()
                found[name] = [_plain(row, _HELD.get(name, ())) for row in rows]
        return found

    def named_as_reader(self, tenant: str, label: str) -> list[str]:
        """Ids of the documents that name a label among their readers."""
        statement = (
            select(documents.c.id)
            .join(document_readers, document_readers.c.document_id == documents.c.id)
            .where(documents.c.tenant == tenant, document_readers.c.label == label)
            .order_by(documents.c.id)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def forget_person(self, tenant: str, user: str, pseudonym: str) -> dict[str, int]:
        """Remove a person's keys, sessions and what else is theirs, and their name elsewhere.

        Their rights are taken before, document by document, in the store as well.

        Returns:
            The number of rows by table.
        """
        label, counts = f"user:{user}", dict[str, int]()
        with self._database.writing() as connection:
            for name, condition in _about(tenant, user).items():
                table = metadata.tables[name]
                renamed = {c.name: pseudonym for c in table.columns if c.name in _STAYS}
                changes = update(table).values(renamed) if renamed else delete(table)
                counts[name] = connection.execute(changes.where(condition)).rowcount
            counts["tasks"] = _take_from_tasks(connection, tenant, label)
        return counts

    def compact(self) -> None:
        """Write the database anew, without what was removed from it; others wait or go on.

        Raises:
            CatalogError: Somebody holds it for long, or there is no room for a second one.
        """
        self._database.compact(sorted(metadata.tables))


def _about(tenant: str, user: str) -> dict[str, ColumnElement[bool]]:
    """By table, which rows name a person: told by their columns, so that new tables count too."""
    found: dict[str, ColumnElement[bool]] = {}
    for name, table in metadata.tables.items():
        columns = [c for c in table.columns if c.name in _PEOPLE]
        if columns and "tenant" in table.columns:
            named = [c == (user if c.name == "user" else f"user:{user}") for c in columns]
            found[name] = and_(table.c.tenant == tenant, or_(*named))
    return found


def _take_from_tasks(connection: Connection, tenant: str, label: str) -> int:
    rows = connection.execute(select(tasks.c.id, tasks.c.readers).where(tasks.c.tenant == tenant))
    changed = [(row.id, row.readers) for row in rows if label in row.readers]
    for id_, readers in changed:
        left = [reader for reader in readers if reader != label]
        connection.execute(update(tasks).where(tasks.c.id == id_).values(readers=left))
    return len(changed)


def _plain(row: Mapping[Any, Any], without: tuple[str, ...]) -> dict[str, Any]:
    return {
        str(name): value.isoformat() if isinstance(value, date) else value
        for name, value in row.items()
        if name not in without and not isinstance(value, bytes)  # sealed, or a path
    }
