"""Acts under way: what a kill leaves half done is found here, and ended or gone on with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import operations


@dataclass(frozen=True, slots=True)
class Operation:
    """An act that was announced, and has no end on the audit record yet."""

    id: str
    action: str
    tenant: str
    principal: str
    by: Mapping[str, Any]
    detail: Mapping[str, Any]
    holder: str  # who does it; "": nobody in particular
    is_recorded: bool  # that it begins is on the audit record, so it may have had effects


class Operations(CatalogPart):
    """Announced before their record, forgotten after their end is on it."""

    def announce(self, operation: Operation) -> None:
        """Note it, before anything else of it; once more for one that goes on."""
        values = {name: getattr(operation, name) for name in Operation.__dataclass_fields__}
        values |= {"by": dict(operation.by), "detail": dict(operation.detail)}
        with self._database.writing() as connection:
            connection.execute(delete(operations).where(operations.c.id == operation.id))
            connection.execute(insert(operations).values(**values, announced=self._clock()))

    def confirm(self, id_: str) -> None:
        """Its beginning is on the audit record: from here on it may have effects."""
        self._set(id_, is_recorded=True)

    def release(self, id_: str) -> None:
        """Leave its end to whoever finds it."""
        self._set(id_, holder="")

    def claim(self, operation: Operation, holder: str) -> bool:
        """Take it from who held it as it was read; False: somebody else was faster."""
        mine = (operations.c.id == operation.id) & (operations.c.holder == operation.holder)
        with self._database.writing() as connection:
            taken = connection.execute(update(operations).where(mine).values(holder=holder))
            return bool(taken.rowcount)

    def end(self, id_: str) -> None:
        """Forget it; that it is gone already is no error."""
        with self._database.writing() as connection:
            connection.execute(delete(operations).where(operations.c.id == id_))

    def all(self) -> list[Operation]:
        """Every act without an end, oldest first."""
        statement = select(operations).order_by(operations.c.announced, operations.c.id)
        with self._database.reading() as connection:
            return [_operation(row) for row in connection.execute(statement).mappings()]

    def _set(self, id_: str, **values: object) -> None:
        with self._database.writing() as connection:
            connection.execute(update(operations).where(operations.c.id == id_).values(**values))


def _operation(row: RowMapping) -> Operation:
    return Operation(**{name: row[name] for name in Operation.__dataclass_fields__})
