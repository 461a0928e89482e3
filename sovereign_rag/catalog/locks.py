"""Named locks: what only one process may do at a time, such as building an index.

A lock is a lease: whoever dies with it loses it by the clock, so that nobody has to clean up.
"""

from datetime import timedelta

from sqlalchemy import and_, delete, insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import holds
from sovereign_rag.errors import Busy


class Locks(CatalogPart):
    """Each lock has a name and at most one holder."""

    def acquire(self, name: str, holder: str, *, lease_s: float, doing: str) -> None:
        """Be the only one that does `name`; `doing` says it in words.

        Raises:
            Busy: Another process does it.
        """
        now = self._clock()
        with self._database.writing() as connection:
            row = connection.execute(select(holds).where(holds.c.name == name)).mappings().first()
            if row is not None and row["held_until"] > now:
                raise Busy(
                    f"Another process has been {doing} since {row['since']:%H:%M} UTC. Wait for "
                    "that to end; should it have died, its lease ends by itself within "
                    f"{lease_s:.0f} seconds.",
                    retry_after_s=lease_s,
                )
            connection.execute(delete(holds).where(holds.c.name == name))
            until = now + timedelta(seconds=lease_s)
            connection.execute(
                insert(holds).values(name=name, holder=holder, since=now, held_until=until)
            )

    def renew(self, name: str, holder: str, *, lease_s: float) -> bool:
        """Hold it on. False: the lease is lost."""
        until = self._clock() + timedelta(seconds=lease_s)
        held = and_(holds.c.name == name, holds.c.holder == holder)
        with self._database.writing() as connection:
            renewed = connection.execute(update(holds).where(held).values(held_until=until))
            return renewed.rowcount > 0

    def release(self, name: str, holder: str) -> None:
        """Let go of it; that it is gone already is no error."""
        held = and_(holds.c.name == name, holds.c.holder == holder)
        with self._database.writing() as connection:
            connection.execute(delete(holds).where(held))

    def holder(self, name: str) -> str | None:
        """Who does it right now, or died doing it."""
        with self._database.reading() as connection:
            return connection.scalar(select(holds.c.holder).where(holds.c.name == name))
