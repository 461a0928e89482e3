"""Work on the machine that an admin asked for on the console: exams, imports of models, indexes.

One is done at a time, by whichever process takes it; it holds a lease meanwhile, so that what a
process leaves when it dies is taken up by another.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Integer, Table, Text, insert, or_, select, update

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata
from sovereign_rag.errors import BadInput, NotFound

maintenance_tasks = Table(
    "maintenance_tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("asked", UtcTime, nullable=False),
    Column("asked_by", CleanText, nullable=False),
    Column("holder", Text),
    Column("held_until", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),  # 0: not known yet
    Column("is_stopping", Boolean, nullable=False),
    Column("result", JSON),
    Column("error", CleanText),
)

MOST_ATTEMPTS: Final = 3
"""A task that takes its process along is not begun for ever."""


@dataclass(frozen=True, slots=True)
class MaintenanceTask:
    """Work that was asked for, and how far it is."""

    id: str
    kind: str
    detail: Mapping[str, Any]
    asked: datetime
    asked_by: str
    holder: str | None
    held_until: datetime | None
    attempts: int
    started: datetime | None
    finished: datetime | None
    done: int
    total: int  # 0: not known yet
    is_stopping: bool
    result: Mapping[str, Any] | None
    error: str | None

    @property
    def is_over(self) -> bool:
        return self.finished is not None

    @property
    def subject(self) -> str:
        """What it is about: a model, or a file by its name; "": nothing but its kind."""
        named = self.detail.get("model") or self.detail.get("name")
        file = self.detail.get("file") or self.detail.get("questions") or ""
        return str(named or file.rpartition("/")[2])

    @property
    def percent(self) -> int:
        """0 to 100."""
        return min(100, 100 * self.done // self.total) if self.total else 0


class MaintenanceTasks(CatalogPart):
    """A short queue: asked for on the console, worked off by `serve` or `worker`."""

    def ask(self, kind: str, detail: Mapping[str, Any], by: str) -> str:
        """Ask for work; gives its id. Raises BadInput: the same is waiting or under way."""
        id_, its = str(uuid.uuid4()), maintenance_tasks.c
        with self._database.writing() as connection:
            open_ = select(its.detail).where(its.kind == kind, its.finished.is_(None))
            if any(dict(row.detail) == dict(detail) for row in connection.execute(open_)):
                raise BadInput("The same work is waiting or under way already; see the list.")
            connection.execute(
                insert(maintenance_tasks).values(
                    id=id_,
                    kind=kind,
                    detail=dict(detail),
                    asked=self._clock(),
                    asked_by=by,
                    attempts=0,
                    done=0,
                    total=0,
                    is_stopping=False,
                )
            )
        return id_

    def recent(self, *, limit: int = 20) -> list[MaintenanceTask]:
        """The newest first."""
        statement = select(maintenance_tasks).order_by(maintenance_tasks.c.asked.desc())
        with self._database.reading() as connection:
            rows = connection.execute(statement.limit(limit)).mappings()
            return [MaintenanceTask(**row) for row in rows]

    def take(self, holder: str, *, lease_s: float) -> MaintenanceTask | None:
        """The next task, for whoever asks; None: nothing waits, or one is under way."""
        its, now = maintenance_tasks.c, self._clock()
        with self._database.writing() as connection:
            held = select(its.id).where(its.finished.is_(None), its.held_until > now)
            if connection.execute(held).first() is not None:
                return None
            waiting = select(maintenance_tasks).where(its.finished.is_(None)).order_by(its.asked)
            row = connection.execute(waiting.limit(1)).mappings().first()
            if row is None:
                return None
            new = {
                "holder": holder,
                "held_until": now + timedelta(seconds=lease_s),
                "attempts": row["attempts"] + 1,
                "started": row["started"] or now,
            }
            free = or_(its.held_until.is_(None), its.held_until <= now)
            taken = update(maintenance_tasks).where(its.id == row["id"], free).values(**new)
            if not connection.execute(taken).rowcount:  # another process was faster
                return None
            return MaintenanceTask(**{**row, **new})

    def tell(self, id_: str, holder: str, *, lease_s: float, done: int, total: int) -> bool:
        """Hold on to a task and tell how far it is; False: stop, or another process has it."""
        its = maintenance_tasks.c
        until = self._clock() + timedelta(seconds=lease_s)
        mine = (its.id == id_) & (its.holder == holder) & its.finished.is_(None)
        with self._database.writing() as connection:
            values = {"held_until": until, "done": done, "total": total}
            told = connection.execute(update(maintenance_tasks).where(mine).values(**values))
            stopping = select(its.is_stopping).where(mine)
            return told.rowcount > 0 and not connection.execute(stopping).scalar()

    def finish(
        self, id_: str, holder: str, *, result: Mapping[str, Any] | None, error: str | None
    ) -> None:
        """A task is over; that another process has it by now is no error."""
        its = maintenance_tasks.c
        mine = (its.id == id_) & (its.holder == holder) & its.finished.is_(None)
        values = {"finished": self._clock(), "held_until": None, "error": error}
        with self._database.writing() as connection:
            kept = None if result is None else dict(result)
            ended = update(maintenance_tasks).where(mine).values(**values, result=kept)
            connection.execute(ended)

    def stop(self, id_: str) -> None:
        """Have a task end: at once where it waits, else at its next step. Raises NotFound."""
        its = maintenance_tasks.c
        open_ = (its.id == id_) & its.finished.is_(None)
        with self._database.writing() as connection:
            wanted = update(maintenance_tasks).where(open_).values(is_stopping=True)
            if not connection.execute(wanted).rowcount:
                raise NotFound("There is no such work under way.")
            waits = open_ & its.holder.is_(None)
            over = {"finished": self._clock(), "error": STOPPED}
            connection.execute(update(maintenance_tasks).where(waits).values(**over))


STOPPED: Final = "stopped"
"""What stands as the error of a task that somebody stopped."""
