"""Settings that were changed while the service runs, for every process alike."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Table, Text, delete, insert, select

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata

setting_values = Table(
    "setting_values",
    metadata,
    Column("name", Text, primary_key=True),  # dotted
    # {"value": …}; {} is the settings file's own, kept for what stood there before it
    Column("value", JSON, nullable=False),
    Column("before", JSON, nullable=False),  # likewise
    Column("changed", UtcTime, nullable=False),
    Column("changed_by", CleanText, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A setting as it was changed, and what it was before; {}: as the settings file has it."""

    name: str
    value: dict[str, Any]
    before: dict[str, Any]
    changed: datetime
    changed_by: str


class SettingValues(CatalogPart):
    """Read by every process every few seconds: a few rows."""

    def all(self) -> list[SettingValue]:
        """By name."""
        statement = select(setting_values).order_by(setting_values.c.name)
        with self._database.reading() as connection:
            return [SettingValue(**row) for row in connection.execute(statement).mappings()]

    def put(self, name: str, value: dict[str, Any], by: str) -> None:
        """Change a setting; what it was is kept beside it, for one step back."""
        its = setting_values.c.name == name
        with self._database.writing() as connection:
            was = connection.execute(select(setting_values.c.value).where(its)).scalar() or {}
            connection.execute(delete(setting_values).where(its))
            row = {"name": name, "value": value, "before": was, "changed_by": by}
            connection.execute(insert(setting_values).values(**row, changed=self._clock()))
