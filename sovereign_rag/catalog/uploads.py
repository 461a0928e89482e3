"""Documents by who handed them in, and uploads that hang on what is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.records import TaskState, document_id
from sovereign_rag.catalog.tables import documents, jobs, tasks
from sovereign_rag.errors import DocumentChanged

_ON_ITS_WAY = [state.value for state in TaskState if not state.is_final]


@dataclass(frozen=True, slots=True)
class ContentCondition:
    """What has to be there for an upload to be taken in."""

    uri: str
    content_hash: str | None  # the document's; None: there is no such document yet


class Uploads(CatalogPart):
    """What the API is asked before it takes a document in."""

    def last_submitter(self, tenant: str, uri: str) -> str | None:
        """Who handed in the document that `uri` names, the last time; None: nobody did."""
        statement = (
            select(jobs.c.submitted_by)
            .join(tasks, tasks.c.job_id == jobs.c.id)
            .where(
                tasks.c.tenant == tenant,
                tasks.c.target == document_id(tenant, uri),
                jobs.c.accepted.is_not(None),
            )
            .order_by(tasks.c.id.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(statement).scalar()


def require_content(
    connection: Connection, tenant: str, conditions: Sequence[ContentCondition]
) -> None:
    """Refuse a job, in the transaction that accepts it, where a condition does not hold.

    What was accepted before and is still on its way counts as there.

    Raises:
        DocumentChanged: A document is another, is there, or is not.
    """
    for condition in conditions:
        id_ = document_id(tenant, condition.uri)
        coming = (
            select(tasks.c.content_hash)
            .join(jobs, tasks.c.job_id == jobs.c.id)
            .where(
                tasks.c.tenant == tenant,
                tasks.c.target == id_,
                tasks.c.state.in_(_ON_ITS_WAY),
                jobs.c.accepted.is_not(None),
            )
            .order_by(tasks.c.id.desc())
            .limit(1)
        )
        known = select(documents.c.content_hash).where(documents.c.id == id_)
        row = connection.execute(coming).first() or connection.execute(known).first()
        there = None if row is None else row[0]
        if there == condition.content_hash:
            continue
        if there is None:
            raise DocumentChanged(
                "There is no such document, so nothing was taken in: leave If-Match out to make it."
            )
        if condition.content_hash is None:
            raise DocumentChanged(
                f"The document {id_} is there already, with the content {there}, and nothing was "
                "taken in: leave replace out to put another in its place, or send that as If-Match."
            )
        raise DocumentChanged(
            f"The content of the document {id_} is {there} by now, and nothing was taken in. Look "
            "at it again, then send that as If-Match."
        )
