"""How much was asked, by whom, on which day: numbers, never a text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from sqlalchemy import Column, Date, Float, Integer, String, Table, Text, func, insert, select
from sqlalchemy import update as update_of

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import metadata

usage = Table(
    "usage",
    metadata,
    Column("day", Date, primary_key=True),  # UTC
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),  # a label: user:ana
    Column("key", String(16), primary_key=True),  # its public id; "": none was used
    Column("questions", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("joules", Float, nullable=False),
)

Dimension = Literal["day", "person", "key"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("day", "person", "key")
_COUNTS: Final = ("questions", "refusals", "tokens", "joules")


@dataclass(frozen=True, slots=True)
class Spent:
    """What answers took."""

    questions: int = 1
    refusals: int = 0  # of the questions: nothing was found that supports an answer
    tokens: int = 0  # written by the language model
    joules: float = 0.0


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A sum; a dimension that was summed over is None."""

    day: date | None
    person: str | None
    key: str | None
    spent: Spent


class Usage(CatalogPart):
    """Sums by day, tenant, person and key."""

    def add(self, *, tenant: str, person: str, key: str | None, spent: Spent) -> None:
        """Count what was spent, on today's row."""
        row = {
            "day": self._clock().date(),
            "tenant": tenant,
            "person": person,
            "key": key or "",
        }
        counts = {name: getattr(spent, name) for name in _COUNTS}
        its = [usage.c[name] == value for name, value in row.items()]
        with self._database.writing() as connection:
            more = {name: usage.c[name] + count for name, count in counts.items()}
            # Writers take turns, so nobody inserts between the two.
            if connection.execute(update_of(usage).where(*its).values(more)).rowcount == 0:
                connection.execute(insert(usage).values(**row, **counts))

    def sums(
        self, tenant: str, *, since: date, until: date, by: Collection[Dimension]
    ) -> Sequence[UsageRow]:
        """Sums of a tenant from `since` to `until`, both included, ascending by `by`."""
        kept = [usage.c[name] for name in DIMENSIONS if name in by]
        statement = (
            select(*kept, *(func.sum(usage.c[name]).label(name) for name in _COUNTS))
            .where(usage.c.tenant == tenant, usage.c.day.between(since, until))
            .group_by(*kept)
            .order_by(*kept)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
        return [
            UsageRow(
                day=row["day"] if "day" in by else None,
                person=row["person"] if "person" in by else None,
                key=row["key"] if "key" in by else None,
                spent=Spent(**{name: row[name] for name in _COUNTS}),
            )
            for row in rows
            if row["questions"] is not None  # the sum of nothing
        ]
