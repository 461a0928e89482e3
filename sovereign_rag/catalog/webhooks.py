"""Messages to other programs: taken one at a time, tried again, and shown to admins."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Update, and_, delete, or_, select, update

from sovereign_rag.catalog.announcements import (
    DeliveryState,
    Event,
    put,
    webhook_deliveries,
)
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.errors import NotFound

KEPT: Final = timedelta(days=30)
"""How long a message that was delivered or given up can still be looked at."""

_FREE: Final[dict[str, Any]] = {"holder": None, "held_until": None}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to one webhook."""

    id: str
    webhook: str
    tenant: str
    event: str
    body: str
    created: datetime
    state: DeliveryState
    tries: int
    next_try: datetime | None
    ended: datetime | None
    status: int | None
    error: str | None


_COLUMNS: Final = [webhook_deliveries.c[name] for name in Delivery.__dataclass_fields__]


class Webhooks(CatalogPart):
    """For those who send, and for the admins who look."""

    def ping(self, webhook: str, tenant: str) -> str:
        """Write down a message that says nothing but that it arrived; gives its id."""
        with self._database.writing() as connection:
            (id_,) = put(connection, [webhook], Event.PING, tenant, {}, self._clock())
            return id_

    def take(self, webhook: str, holder: str, *, lease_s: float) -> Delivery | None:
        """The next message that is due, for `holder` alone; None: none is.

        A try that is begun counts, so that one which ends a process again and again has an end.
        """
        now = self._clock()
        due = (
            select(*_COLUMNS)
            .where(
                webhook_deliveries.c.webhook == webhook,
                webhook_deliveries.c.state == DeliveryState.WAITING.value,
                webhook_deliveries.c.next_try <= now,
                or_(
                    webhook_deliveries.c.held_until.is_(None),
                    webhook_deliveries.c.held_until < now,
                ),
            )
            .order_by(webhook_deliveries.c.next_try, webhook_deliveries.c.id)
            .limit(1)
        )
        with self._database.reading() as connection:  # nearly always there is none
            if connection.execute(due).first() is None:
                return None
        with self._database.writing() as connection:
            row = connection.execute(due).mappings().first()
            if row is None:
                return None
            held = {"holder": holder, "held_until": now + timedelta(seconds=lease_s)}
            its = webhook_deliveries.c.id == row["id"]
            tries = row["tries"] + 1
            connection.execute(update(webhook_deliveries).where(its).values(**held, tries=tries))
            return _delivery({**row, "tries": tries})

    def delivered(self, id_: str, holder: str, *, status: int) -> None:
        """The receiver has it. Of one that was lost to another holder nothing is written."""
        ended = {"state": DeliveryState.DELIVERED.value, "next_try": None, "ended": self._clock()}
        self._write(_held(id_, holder).values(**_FREE, **ended, status=status, error=None))

    def missed(
        self, id_: str, holder: str, *, error: str, status: int | None, wait_s: float | None
    ) -> None:
        """The try failed; the next one is in `wait_s` seconds. None: it is given up."""
        now = self._clock()
        values: dict[str, Any] = {**_FREE, "error": error, "status": status}
        if wait_s is None:
            values |= {"state": DeliveryState.FAILED.value, "next_try": None, "ended": now}
        else:
            values["next_try"] = now + timedelta(seconds=wait_s)
        self._write(_held(id_, holder).values(**values))

    def release(self, id_: str, holder: str) -> None:
        """Give one back that was not tried after all."""
        given_back = {**_FREE, "tries": webhook_deliveries.c.tries - 1}
        self._write(_held(id_, holder).values(**given_back))

    def send_again(self, id_: str, tenant: str) -> Delivery:
        """Let a message wait for its first try anew, under the same id. Raises NotFound."""
        its = and_(webhook_deliveries.c.id == id_, webhook_deliveries.c.tenant == tenant)
        now = self._clock()
        anew = {
            **_FREE,
            "state": DeliveryState.WAITING.value,
            "tries": 0,
            "next_try": now,
            "ended": None,
        }
        with self._database.writing() as connection:
            if not connection.execute(
                update(webhook_deliveries).where(its).values(**anew)
            ).rowcount:
                raise NotFound(
                    f"There is no message {id_!r}; `sovereign-rag webhooks list` shows those there "
                    "are."
                )
            return _delivery(connection.execute(select(*_COLUMNS).where(its)).mappings().one())

    def page(
        self,
        tenant: str,
        *,
        limit: int,
        after: str | None = None,
        states: Collection[DeliveryState] | None = None,
    ) -> list[Delivery]:
        """A tenant's messages, newest first.

        Args:
            after: The last id of the page before.
        """
        columns = webhook_deliveries.c
        statement = select(*_COLUMNS).where(columns.tenant == tenant)
        if states is not None:
            statement = statement.where(columns.state.in_([state.value for state in states]))
        with self._database.reading() as connection:
            if after is not None:
                last = connection.execute(
                    select(columns.created).where(columns.id == after, columns.tenant == tenant)
                ).scalar()
                if last is None:
                    raise NotFound(f"There is no message {after!r} to go on after.")
                statement = statement.where(_is_older(last, after))
            ordered = statement.order_by(columns.created.desc(), columns.id.desc()).limit(limit)
            return [_delivery(row) for row in connection.execute(ordered).mappings()]

    def tidy(self, known: Collection[str]) -> None:
        """Forget what ended long ago, and give up what is for webhooks that are not `known`."""
        now, columns = self._clock(), webhook_deliveries.c
        gone = and_(
            columns.state == DeliveryState.WAITING.value, columns.webhook.not_in(sorted(known))
        )
        given_up = {
            "state": DeliveryState.FAILED.value,
            "next_try": None,
            "ended": now,
            "error": "The settings name no such webhook any more.",
        }
        with self._database.writing() as connection:
            connection.execute(delete(webhook_deliveries).where(columns.ended < now - KEPT))
            connection.execute(update(webhook_deliveries).where(gone).values(**given_up))

    def _write(self, statement: Update) -> None:
        with self._database.writing() as connection:
            connection.execute(statement)


def _is_older(created: datetime, id_: str) -> ColumnElement[bool]:
    columns = webhook_deliveries.c
    return or_(columns.created < created, and_(columns.created == created, columns.id < id_))


def _held(id_: str, holder: str) -> Update:
    its = and_(webhook_deliveries.c.id == id_, webhook_deliveries.c.holder == holder)
    return update(webhook_deliveries).where(its)


def _delivery(row: Any) -> Delivery:
    values = {name: row[name] for name in Delivery.__dataclass_fields__}
    return Delivery(**{**values, "state": DeliveryState(row["state"])})
