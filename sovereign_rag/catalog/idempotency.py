"""The same key again gives the same job, and never another's content."""

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from sovereign_rag.catalog.records import NewTask
from sovereign_rag.catalog.tables import jobs, tasks
from sovereign_rag.errors import KeyReused


def job_by_key(
    connection: Connection, tenant: str, submitted_by: str, key: str
) -> RowMapping | None:
    return (
        connection.execute(
            select(jobs).where(
                jobs.c.tenant == tenant,
                jobs.c.submitted_by == submitted_by,
                jobs.c.idempotency_key == key,
            )
        )
        .mappings()
        .first()
    )


def check_same(
    connection: Connection, job_id: str, given: Sequence[NewTask], idempotency_key: str
) -> None:
    """Raises KeyReused where a job was made of other tasks than those given now."""
    columns = (tasks.c.uri, tasks.c.content_hash, tasks.c.readers, tasks.c.level)
    rows = connection.execute(select(*columns).where(tasks.c.job_id == job_id)).all()
    known = {row.uri: (row.content_hash, frozenset(row.readers), row.level) for row in rows}
    now = {task.uri: (task.content_hash, task.readers, task.level) for task in given}
    # What was taken out of an archive became tasks of the same job.
    handed_in = {
        uri: task
        for uri, task in known.items()
        if not any(uri.startswith(f"{other}/") for other in known)
    }
    if handed_in != now:
        raise KeyReused(
            f"The Idempotency-Key {idempotency_key!r} came before with other files, readers or "
            "level. Send this upload under a new key."
        )
