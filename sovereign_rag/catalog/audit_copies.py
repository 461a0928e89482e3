"""Copies of the records that machines write, line by line: each reads those of all others."""

from collections.abc import Iterator, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    String,
    Table,
    delete,
    exists,
    func,
    select,
    update,
)

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import audit_heads, metadata

audit_copies = Table(
    "audit_copies",
    metadata,
    Column("writer", String(32), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("line", LargeBinary, nullable=False),
)

_BATCH = 500
copied = audit_copies.c

Line = tuple[int, bytes]
"""A record's number, and its line without the end."""


class AuditCopies(CatalogPart):
    """By writer, as `audit.writer` names them."""

    def writers(self) -> list[str]:
        """Whose records are copied here."""
        noted = audit_heads.c.name  # few; the copies themselves may be millions
        is_copied = exists().where(copied.writer == noted)
        with self._database.reading() as connection:
            return list(connection.scalars(select(noted).where(is_copied).order_by(noted)))

    def last(self, writer: str) -> int:
        """The number of the newest line that is copied; 0: none is."""
        with self._database.reading() as connection:
            newest = select(func.max(copied.number)).where(copied.writer == writer)
            return connection.scalar(newest) or 0

    def add(self, writer: str, lines: Sequence[Line]) -> None:
        """Copy lines; one that is here already stays as it is."""
        numbers = [number for number, _ in lines]
        with self._database.writing() as connection:
            known = select(copied.number).where(copied.writer == writer, copied.number.in_(numbers))
            here = set(connection.scalars(known))
            rows = [
                {"writer": writer, "number": number, "line": line}
                for number, line in lines
                if number not in here
            ]
            if rows:
                connection.execute(audit_copies.insert(), rows)

    def replace(self, writer: str, lines: Sequence[Line]) -> None:
        """Put what an erasure left of lines in their place."""
        with self._database.writing() as connection:
            for number, line in lines:
                own = (copied.writer == writer) & (copied.number == number)
                connection.execute(update(audit_copies).where(own).values(line=line))

    def drop_before(self, writer: str, number: int) -> None:
        """Remove the lines before a number."""
        older = (copied.writer == writer) & (copied.number < number)
        with self._database.writing() as connection:
            connection.execute(delete(audit_copies).where(older))

    def drop(self, writer: str) -> int:
        """Remove all lines of a writer; returns how many."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(audit_copies).where(copied.writer == writer))
            return gone.rowcount

    def lines(self, writer: str, *, after: int = 0) -> Iterator[Line]:
        """Those above a number, oldest first."""
        while rows := self._batch(writer, after, newest_first=False):
            yield from rows
            after = rows[-1][0]

    def lines_back(self, writer: str, *, before: int | None = None) -> Iterator[Line]:
        """Those below a number, newest first."""
        while rows := self._batch(writer, before, newest_first=True):
            yield from rows
            before = rows[-1][0]

    def _batch(self, writer: str, beside: int | None, *, newest_first: bool) -> list[Line]:
        wanted = select(copied.number, audit_copies.c.line).where(copied.writer == writer)
        if beside is not None:
            wanted = wanted.where(
                copied.number < beside if newest_first else copied.number > beside
            )
        order = copied.number.desc() if newest_first else copied.number
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(order).limit(_BATCH))
            return [(row.number, bytes(row.line)) for row in rows]
