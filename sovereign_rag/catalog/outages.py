"""What every process does without for a while: the vector store, since when, and why.

Whoever meets it first writes it down, and one worker at a time looks whether it is back. Tasks that
need nothing else than it wait for that moment, and no others do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.holding import UNFINISHED
from sovereign_rag.catalog.tables import outages, tasks

STORE: Final = "store"
LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Something is away."""

    part: str  # STORE
    reason: str
    since: datetime
    retry_at: datetime  # when somebody looks again


class Outages(CatalogPart):
    """For workers, and for whoever is told why nothing comes in."""

    def current(self, part: str = STORE) -> Outage | None:
        """What is known to be away; None: it works, as far as anybody knows."""
        with self._database.reading() as connection:
            return current_outage(connection, part)

    def awaiting(self, part: str = STORE) -> int:
        """How many documents are ready but for it."""
        with self._database.reading() as connection:
            return awaiting(connection, part)

    def claim(self, part: str = STORE) -> bool:
        """Whether the caller is the one to look now; nobody else is told so for a while."""
        now = self._clock()
        known = self.current(part)
        if known is None or known.retry_at > now:
            return False
        due = update(outages).where(outages.c.part == part, outages.c.retry_at <= now)
        with self._database.writing() as connection:
            later = now + timedelta(seconds=LOOK_EVERY_S)
            return connection.execute(due.values(retry_at=later)).rowcount > 0

    def end(self, part: str = STORE) -> None:
        """It is back: what waited for it goes on."""
        with self._database.writing() as connection:
            connection.execute(delete(outages).where(outages.c.part == part))
            connection.execute(update(tasks).where(tasks.c.awaits == part).values(awaits=None))


def current_outage(connection: Connection, part: str) -> Outage | None:
    row = connection.execute(select(outages).where(outages.c.part == part)).mappings().first()
    return None if row is None else Outage(**row)


def note_outage(connection: Connection, part: str, reason: str, now: datetime) -> None:
    """Write down that a part is away; since when stays as it was first noted."""
    retry_at = now + timedelta(seconds=LOOK_EVERY_S)
    known = current_outage(connection, part)
    values: dict[str, Any] = {"reason": reason}
    if known is None:
        connection.execute(
            insert(outages).values(part=part, since=now, retry_at=retry_at, **values)
        )
    else:
        connection.execute(update(outages).where(outages.c.part == part).values(**values))


def awaiting(connection: Connection, part: str) -> int:
    """How many tasks have all but this part behind them, and wait for it."""
    waiting = tasks.c.state.in_(UNFINISHED) & (tasks.c.awaits == part)
    return connection.scalar(select(func.count()).select_from(tasks).where(waiting)) or 0
