"""Whether bytes are needed: by a document, or by a task that may yet be done."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, exists, or_, select

from sovereign_rag.catalog.holding import UNFINISHED
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.catalog.tables import documents, tasks

KEPT_FOR_RETRY: Final = timedelta(days=7)
"""How long the bytes of an upload that failed or was cancelled wait for a retry."""

_RETRIABLE = (TaskState.FAILED.value, TaskState.CANCELLED.value)


def in_use(connection: Connection, content_hash: str, now: datetime) -> bool:
    if not content_hash:
        return True
    of_document = exists().where(documents.c.content_hash == content_hash)
    may_be_retried = and_(
        tasks.c.state.in_(_RETRIABLE),
        tasks.c.path.is_(None),
        tasks.c.finished > now - KEPT_FOR_RETRY,
    )
    of_task = exists().where(
        tasks.c.content_hash == content_hash, or_(tasks.c.state.in_(UNFINISHED), may_be_retried)
    )
    return bool(connection.execute(select(of_document | of_task)).scalar_one())
