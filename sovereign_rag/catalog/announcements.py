"""What is told to other programs: written down in the transaction in which it came true.

A row is one message to one webhook, with the very bytes that are sent. What is rolled back was
never announced, and what is committed is announced, whatever becomes of the process.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Column, Connection, Index, Integer, String, Table, Text, func, insert, select

from sovereign_rag.catalog.records import TaskState
from sovereign_rag.catalog.tables import CleanText, UtcTime, jobs, metadata, tasks

SUBSCRIBERS: Final = "sovereign_rag_subscribers"
"""The option of a connection that says whom its transactions tell."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(36), primary_key=True),  # receivers know a message that comes again by it
    Column("webhook", String(64), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("event", String(32), nullable=False),
    Column("body", Text, nullable=False),  # JSON, as it is sent
    Column("created", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try", UtcTime),  # NULL once it is delivered or given up
    Column("holder", Text),  # who sends it right now
    Column("held_until", UtcTime),
    Column("ended", UtcTime),  # when it was delivered or given up
    Column("status", Integer),  # what the receiver answered the last time
    Column("error", CleanText),  # what was wrong the last time
    Index("ix_webhook_deliveries_webhook_state_next_try", "webhook", "state", "next_try"),
    Index("ix_webhook_deliveries_tenant_created_id", "tenant", "created", "id"),
)


class DeliveryState(StrEnum):
    """What became of a message."""

    WAITING = "waiting"  # for its first or its next try
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


class Event(StrEnum):
    """What is told."""

    JOB_FINISHED = "job.finished"
    SOURCE_SYNCED = "source.synced"
    SOURCE_FAILED = "source.failed"
    PING = "ping"  # an admin tries whether messages arrive


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A webhook of the settings: what it is told, of which tenant."""

    name: str
    tenant: str
    events: frozenset[Event]


def announce(
    connection: Connection, event: Event, tenant: str, data: Mapping[str, Any], now: datetime
) -> None:
    """Write down a message to each webhook that wants it. `data`: ids and numbers, no texts."""
    wanted = [s for s in subscribers(connection) if event in s.events and s.tenant == tenant]
    put(connection, [subscriber.name for subscriber in wanted], event, tenant, data, now)


def put(
    connection: Connection,
    webhooks: Iterable[str],
    event: Event,
    tenant: str,
    data: Mapping[str, Any],
    now: datetime,
) -> list[str]:
    """Write down a message to each of `webhooks`; gives their ids."""
    told = {"type": event.value, "timestamp": now.isoformat(), "data": {"tenant": tenant, **data}}
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    rows = [
        {
            "id": f"evt_{uuid.uuid4().hex}",
            "webhook": name,
            "tenant": tenant,
            "event": event.value,
            "body": body,
            "created": now,
            "state": DeliveryState.WAITING.value,
            "tries": 0,
            "next_try": now,
        }
        for name in webhooks
    ]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    return [str(row["id"]) for row in rows]


def announce_jobs(connection: Connection, job_ids: Iterable[str], now: datetime) -> None:
    """Tell that jobs have ended: how many of their documents came to which end."""
    if not subscribers(connection):
        return
    for job_id in job_ids:
        job = connection.execute(
            select(jobs.c.tenant, jobs.c.cancelled).where(jobs.c.id == job_id)
        ).one()
        counted = connection.execute(
            select(tasks.c.state, func.count())
            .where(tasks.c.job_id == job_id)
            .group_by(tasks.c.state)
        ).all()
        counts = {state.value: 0 for state in TaskState if state.is_final}
        counts |= {state: count for state, count in counted}
        told = {
            "job": job_id,
            "cancelled": job.cancelled is not None,
            "documents": {"total": sum(counts.values()), **counts},
        }
        announce(connection, Event.JOB_FINISHED, job.tenant, told, now)


def subscribers(connection: Connection) -> tuple[Subscriber, ...]:
    found: tuple[Subscriber, ...] = connection.get_execution_options().get(SUBSCRIBERS, ())
    return found
