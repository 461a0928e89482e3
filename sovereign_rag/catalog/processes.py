"""Which processes stay and share this catalog: services and workers, on which machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.catalog.tables import processes, tasks

TELL_EVERY_S: Final = 10.0
_SILENT: Final = timedelta(seconds=6 * TELL_EVERY_S)
_FORGOTTEN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A service or a worker that has told of itself lately."""

    name: str  # as holders of leases are named: machine, process id, and something unique
    kind: str  # "serve" or "worker"
    host: str  # the machine, whichever container on it; another one after it was started anew
    hostname: str
    version: str
    data_dir: str
    started: datetime
    seen: datetime

    @property
    def pid(self) -> int:
        return int(self.name.split(":")[-2])


@dataclass(frozen=True, slots=True)
class Queue:
    """What there is to do."""

    waiting: int  # documents that nobody has begun
    in_hand: dict[str, int]  # by the worker that holds them


class Processes(CatalogPart):
    """For processes that stay, and whoever asks which there are."""

    def tell(self, process: ProcessRecord) -> None:
        """That this process lives; what was forgotten of others is removed."""
        now = self._clock()
        own = processes.c.name == process.name
        with self._database.writing() as connection:
            if not connection.execute(update(processes).where(own).values(seen=now)).rowcount:
                values = {name: getattr(process, name) for name in ProcessRecord.__slots__}
                connection.execute(insert(processes).values(**values | {"seen": now}))
            connection.execute(delete(processes).where(processes.c.seen < now - _FORGOTTEN))

    def leave(self, name: str) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(processes).where(processes.c.name == name))

    def alive(self) -> Sequence[ProcessRecord]:
        """Those that told of themselves within a minute, the longest there first."""
        lately = processes.c.seen >= self._clock() - _SILENT
        statement = select(processes).where(lately).order_by(processes.c.started, processes.c.name)
        with self._database.reading() as connection:
            return [ProcessRecord(**row) for row in connection.execute(statement).mappings()]

    def queue(self) -> Queue:
        """What waits, and who has what in hand."""
        waits = select(func.count()).where(tasks.c.state == TaskState.WAITING.value)
        held = (
            select(tasks.c.worker, func.count())
            .where(tasks.c.worker.is_not(None))
            .group_by(tasks.c.worker)
        )
        with self._database.reading() as connection:
            waiting = connection.scalar(waits) or 0
            return Queue(waiting, {row[0]: row[1] for row in connection.execute(held)})
