"""What was erased for good, by ids and hashes alone: it is not taken in again by mistake."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, String, Table, Text, delete, or_, select

from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.tables import UtcTime, metadata
from sovereign_rag.errors import NotFound

tombstones = Table(
    "tombstones",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("document", String(36), primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("erasure", String(36), nullable=False),
    Column("at", UtcTime, nullable=False),
)

_COLUMNS = (
    tombstones.c.document,
    tombstones.c.sha256,
    tombstones.c.erasure,
    tombstones.c.at,
)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A document that was erased."""

    document: str  # its id
    sha256: str  # of its bytes; "" where they were not known
    erasure: str
    at: datetime


class Tombstones(CatalogPart):
    """Of each tenant."""

    def add(self, tenant: str, erasure: str, erased: Iterable[tuple[str, str]]) -> None:
        """Note documents, (id, sha256) each; one that is noted already keeps its first hash."""
        with self._database.writing() as connection:
            for document, sha256 in erased:
                mine = (tombstones.c.tenant == tenant) & (tombstones.c.document == document)
                known = connection.execute(select(tombstones.c.sha256).where(mine)).scalar()
                if known and not sha256:
                    continue
                connection.execute(delete(tombstones).where(mine))
                row = {"document": document, "sha256": sha256, "erasure": erasure}
                connection.execute(
                    tombstones.insert().values(tenant=tenant, at=self._clock(), **row)
                )

    def among(
        self, tenant: str, documents: Collection[str], hashes: Collection[str] = ()
    ) -> list[Tombstone]:
        """Those of some documents, or of some contents wherever they came from."""
        found: dict[str, Tombstone] = {}
        with self._database.reading() as connection:
            for column, keys in (
                (tombstones.c.document, set(documents)),
                (tombstones.c.sha256, set(hashes) - {""}),
            ):
                for some in batches(sorted(keys)):
                    rows = connection.execute(
                        select(*_COLUMNS).where(tombstones.c.tenant == tenant, column.in_(some))
                    )
                    found.update((row.document, Tombstone(*row)) for row in rows)
        return list(found.values())

    def all(self, tenant: str) -> list[Tombstone]:
        """Every one of a tenant, the oldest first."""
        statement = select(*_COLUMNS).where(tombstones.c.tenant == tenant)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(tombstones.c.at, tombstones.c.document))
            return [Tombstone(*row) for row in rows]

    def lift(self, tenant: str, document: str) -> Tombstone:
        """Let a document come in again, and its bytes from wherever. Raises NotFound."""
        mine = or_(tombstones.c.document == document, tombstones.c.sha256 == document)
        with self._database.writing() as connection:
            wanted = select(*_COLUMNS).where(tombstones.c.tenant == tenant, mine)
            row = connection.execute(wanted).first()
            if row is None:
                raise NotFound(
                    f"Nothing that was erased is {document!r}; `sovereign-rag erased list` tells."
                )
            found = Tombstone(*row)
            of_it = tombstones.c.document == found.document
            same = or_(of_it, tombstones.c.sha256 == found.sha256) if found.sha256 else of_it
            connection.execute(delete(tombstones).where(tombstones.c.tenant == tenant, same))
        return found


def message(found: Tombstone) -> str:
    """Why it is refused, and the way that is allowed."""
    return (
        f"This was erased for good on {found.at:%Y-%m-%d} (erasure {found.erasure}), and is not "
        "taken in again. Where it may be by now, an admin lifts that first: `sovereign-rag erased "
        f"allow {found.document}`."
    )
