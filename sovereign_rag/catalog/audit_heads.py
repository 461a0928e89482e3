"""How far the audit record has come, noted where whoever cuts its files does not reach it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import insert, select, text, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import audit_heads

WRITER: Final = "audit"
"""Of an installation whose processes share one data folder."""


class AuditHeads(CatalogPart):
    """A row for each writer of a record: number and hash of its last one that was noted."""

    def writers(self) -> dict[str, int]:
        """Who writes a record, each with the number of the last one."""
        statement = select(audit_heads.c.name, audit_heads.c.number).order_by(audit_heads.c.name)
        with self._database.reading() as connection:
            return {row.name: row.number for row in connection.execute(statement)}

    def ahead(self) -> timedelta:
        """How far the catalog's clock is ahead of this machine's; none where it is the same."""
        with self._database.reading() as connection:
            if connection.dialect.name == "sqlite":
                return timedelta(0)
            before = datetime.now(UTC)
            there = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            after = datetime.now(UTC)
        passed: timedelta = there - (before + (after - before) / 2)
        return passed

    def last(self, writer: str = WRITER) -> tuple[int, str] | None:
        """What was noted last; None: nothing was, ever."""
        statement = select(audit_heads.c.number, audit_heads.c.hash)
        with self._database.reading() as connection:
            row = connection.execute(statement.where(audit_heads.c.name == writer)).first()
        return None if row is None else (row.number, row.hash)

    def note(self, number: int, hash_: str, writer: str = WRITER) -> None:
        """Note a record; one from before what is noted already changes nothing."""
        own = audit_heads.c.name == writer
        values = {"number": number, "hash": hash_}
        with self._database.writing() as connection:
            if connection.scalar(select(audit_heads.c.name).where(own)) is None:
                connection.execute(insert(audit_heads).values(name=writer, **values))
            else:
                newer = own & (audit_heads.c.number < number)
                connection.execute(update(audit_heads).where(newer).values(**values))
