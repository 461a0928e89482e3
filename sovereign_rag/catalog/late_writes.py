"""Documents that the vector store may yet change by itself: a node does what it was asked long ago.

It stood still, or who asked was killed. Nobody can say when it goes on, so the store is told again
what the catalog says of the document after a minute, and ever more rarely for three days.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.follow_up_table import late_writes
from sovereign_rag.catalog.follow_ups import note_again
from sovereign_rag.catalog.tables import documents

LOOKS_S: Final = (60.0, 600.0, 3_600.0, 6 * 3_600.0, 24 * 3_600.0, 72 * 3_600.0)
"""Seconds from when a write was given up to each look."""


class LateWrites(CatalogPart):
    """For whoever writes to the store, and for workers."""

    def note(self, tenant: str, document_id: str) -> None:
        """A write to the document was given up, and may be done yet."""
        with self._database.writing() as connection:
            note_late(connection, tenant, document_id, self._clock())

    def follow_up(self) -> int:
        """Have the store told again of those whose time has come; returns how many."""
        now = self._clock()
        due = select(late_writes).where(late_writes.c.look_at <= now)
        with self._database.reading() as connection:  # nearly always there is none
            if connection.execute(due.limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            rows = connection.execute(due).mappings().all()
            for row in rows:
                own = late_writes.c.document_id == row["document_id"]
                looks = row["looks"] + 1
                if looks == len(LOOKS_S):
                    connection.execute(delete(late_writes).where(own))
                else:
                    wait = timedelta(seconds=LOOKS_S[looks] - LOOKS_S[looks - 1])
                    later = {"looks": looks, "look_at": now + wait}
                    connection.execute(update(late_writes).where(own).values(later))
                # A late write may bring back chunks in the language of before.
                spoken = connection.execute(_is_stated(row["document_id"])).first() is not None
                note_again(connection, row["tenant"], row["document_id"], now, spoken=spoken)
            return len(rows)

    def awaited(self) -> int:
        """How many documents will be looked at again."""
        with self._database.reading() as connection:
            return len(connection.scalars(select(late_writes.c.document_id)).all())


def _is_stated(document_id: str) -> Select[Any]:
    own = and_(documents.c.id == document_id, documents.c.stated.is_not(None))
    return select(documents.c.id).where(own)


def note_late(connection: Connection, tenant: str, document_id: str, now: datetime) -> None:
    """Note that the store may yet change a document; the looks begin anew."""
    values = {"looks": 0, "look_at": now + timedelta(seconds=LOOKS_S[0])}
    own = update(late_writes).where(late_writes.c.document_id == document_id)
    if not connection.execute(own.values(values)).rowcount:
        row = {"document_id": document_id, "tenant": tenant, **values}
        connection.execute(insert(late_writes).values(row))
