"""How far the audit record has come, noted where whoever cuts its files does not reach it."""

from typing import Final

from sqlalchemy import insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import audit_heads

_NAME: Final = "audit"


class AuditHeads(CatalogPart):
    """One row: number and hash of the last record that was noted."""

    def last(self) -> tuple[int, str] | None:
        """What was noted last; None: nothing was, ever."""
        statement = select(audit_heads.c.number, audit_heads.c.hash)
        with self._database.reading() as connection:
            row = connection.execute(statement.where(audit_heads.c.name == _NAME)).first()
        return None if row is None else (row.number, row.hash)

    def note(self, number: int, hash_: str) -> None:
        """Note a record; one from before what is noted already changes nothing."""
        own = audit_heads.c.name == _NAME
        values = {"number": number, "hash": hash_}
        with self._database.writing() as connection:
            if connection.scalar(select(audit_heads.c.name).where(own)) is None:
                connection.execute(insert(audit_heads).values(name=_NAME, **values))
            else:
                newer = own & (audit_heads.c.number < number)
                connection.execute(update(audit_heads).where(newer).values(**values))
