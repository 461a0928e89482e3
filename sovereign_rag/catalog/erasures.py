"""Erasures that other machines are still to follow: each takes the words out of its own record."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, String, Table, Text, func, insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import UtcTime, metadata
from sovereign_rag.errors import NotFound

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("words", LargeBinary),  # sealed; gone as soon as nobody is waited for
)

erasure_machines = Table(
    "erasure_machines",
    metadata,
    Column("erasure", String(36), primary_key=True),
    Column("writer", String(32), primary_key=True),
    Column("confirmed_at", UtcTime),
    Column("told", JSON, nullable=False),  # what it did, or why it could not
)


@dataclass(frozen=True, slots=True)
class MachineState:
    """How far another machine has come with an erasure."""

    writer: str
    confirmed_at: datetime | None
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ErasureState:
    """An erasure with the machines that were to follow it."""

    id: str
    tenant: str
    at: datetime
    machines: tuple[MachineState, ...]

    @property
    def outstanding(self) -> list[str]:
        return [one.writer for one in self.machines if one.confirmed_at is None]


@dataclass(frozen=True, slots=True)
class AwaitedErasure:
    """What a machine is still to do."""

    id: str
    tenant: str
    words: bytes  # sealed


class Erasures(CatalogPart):
    """Of every tenant. Machines are called by the writer of their record."""

    def ask(self, id_: str, tenant: str, words: bytes, writers: Collection[str]) -> None:
        """Have the machines of some writers follow."""
        with self._database.writing() as connection:
            row = {"id": id_, "tenant": tenant, "words": words}
            connection.execute(insert(erasures).values(at=self._clock(), **row))
            for writer in writers:
                told = {"erasure": id_, "writer": writer, "told": {}}
                connection.execute(insert(erasure_machines).values(told))

    def awaited_of(self, writer: str) -> list[AwaitedErasure]:
        """What a machine is to do, the oldest first; nearly always nothing."""
        statement = (
            select(erasures.c.id, erasures.c.tenant, erasures.c.words)
            .join(erasure_machines, erasure_machines.c.erasure == erasures.c.id)
            .where(erasure_machines.c.writer == writer, erasure_machines.c.confirmed_at.is_(None))
            .where(erasures.c.words.is_not(None))
            .order_by(erasures.c.at, erasures.c.id)
        )
        with self._database.reading() as connection:
            return [AwaitedErasure(*row) for row in connection.execute(statement)]

    def is_awaited(self) -> bool:
        """Whether words wait for a machine."""
        waits = select(erasures.c.id).where(erasures.c.words.is_not(None))
        with self._database.reading() as connection:
            return connection.execute(waits.limit(1)).first() is not None

    def confirm(self, id_: str, writer: str, told: Mapping[str, Any]) -> None:
        """A machine has done it; with the last one, the words go."""
        done = {"confirmed_at": self._clock(), "told": dict(told)}
        self._set(id_, writer, done)

    def could_not(self, id_: str, writer: str, why: str) -> None:
        """Why a machine has not done it yet."""
        self._set(id_, writer, {"told": {"why": why}})

    def write_off(self, writer: str, because: str) -> int:
        """A machine is gone for good: nobody waits for it; returns for how many erasures.

        Raises:
            NotFound: Nothing is outstanding there.
        """
        mine = (erasure_machines.c.writer == writer) & erasure_machines.c.confirmed_at.is_(None)
        with self._database.reading() as connection:
            ids = list(connection.scalars(select(erasure_machines.c.erasure).where(mine)))
        if not ids:
            raise NotFound(
                f"No erasure waits for {writer!r}; `sovereign-rag erased status` shows who is "
                "waited for."
            )
        for id_ in ids:
            self.confirm(id_, writer, {"written_off": because})
        return len(ids)

    def outstanding(self) -> dict[str, int]:
        """How many erasures each machine is still to follow."""
        waits = erasure_machines.c.confirmed_at.is_(None)
        writer = erasure_machines.c.writer
        counted = select(writer, func.count()).where(waits).group_by(writer).order_by(writer)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(counted)}

    def written_off(self) -> set[str]:
        """Machines that are gone for good, as somebody said."""
        statement = select(erasure_machines.c.writer, erasure_machines.c.told)
        with self._database.reading() as connection:
            return {r.writer for r in connection.execute(statement) if "written_off" in r.told}

    def all(self, tenant: str) -> list[ErasureState]:
        """Every one of a tenant that other machines were to follow, the oldest first."""
        own = select(erasures.c.id, erasures.c.at).where(erasures.c.tenant == tenant)
        machines = select(erasure_machines).order_by(erasure_machines.c.writer)
        with self._database.reading() as connection:
            rows = connection.execute(own.order_by(erasures.c.at, erasures.c.id)).all()
            told = connection.execute(machines).all()
        by_id: dict[str, list[MachineState]] = {row.id: [] for row in rows}
        for one in told:
            if one.erasure in by_id:
                state = MachineState(one.writer, one.confirmed_at, one.told)
                by_id[one.erasure].append(state)
        return [ErasureState(row.id, tenant, row.at, tuple(by_id[row.id])) for row in rows]

    def _set(self, id_: str, writer: str, values: Mapping[str, Any]) -> None:
        own = (erasure_machines.c.erasure == id_) & (erasure_machines.c.writer == writer)
        waits = (erasure_machines.c.erasure == id_) & erasure_machines.c.confirmed_at.is_(None)
        with self._database.writing() as connection:
            open_ = own & erasure_machines.c.confirmed_at.is_(None)
            connection.execute(update(erasure_machines).where(open_).values(**values))
            if connection.execute(select(erasure_machines.c.writer).where(waits)).first() is None:
                mine = erasures.c.id == id_
                connection.execute(update(erasures).where(mine).values(words=None))
