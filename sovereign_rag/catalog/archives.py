"""Archives: the documents that were taken out of one file, and the tasks that take them in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from sovereign_rag.catalog.database import CatalogPart, batches
from sovereign_rag.catalog.holding import require_held
from sovereign_rag.catalog.jobs import new_row
from sovereign_rag.catalog.records import Lease, NewTask, TaskRecord, TaskState, document_id
from sovereign_rag.catalog.tables import archive_members, documents, tasks


@dataclass(frozen=True, slots=True)
class NewMember:
    """A file out of an archive; `failure` says why it can't be taken in."""

    task: NewTask
    failure: str | None = None


class Archives(CatalogPart):
    """The archive itself is no document; its id is the one that it would have."""

    def add_members(
        self,
        archive: TaskRecord,
        members: Sequence[NewMember],
        lease: Lease | None,
        *,
        before_commit: Callable[[], None],
    ) -> None:
        """Add the members of an archive to its job, as documents of their own.

        All or nothing, so a crash on the way leaves the archive to be expanded again.

        Args:
            before_commit: Puts their bytes where they are looked for, before a worker sees
                the tasks.

        Raises:
            LeaseLost: The worker does not hold the archive's task any more.
        """
        now, container = self._clock(), document_id(archive.tenant, archive.uri)
        with self._database.writing() as connection:
            require_held(connection, lease)
            position = connection.execute(
                select(tasks.c.position).where(tasks.c.id == archive.id)
            ).scalar_one()
            known = set(
                connection.scalars(
                    select(archive_members.c.document_id).where(
                        archive_members.c.container == container
                    )
                )
            )
            for batch in batches(members):
                rows = []
                for member in batch:
                    row = new_row(member.task, archive.job_id, archive.tenant, position)
                    if member.failure is not None:
                        row |= {
                            "state": TaskState.FAILED.value,
                            "reason": member.failure,
                            "finished": now,
                        }
                    rows.append(row)
                connection.execute(insert(tasks), _even(rows))
                new = {row["target"] for row in rows} - known
                if new:
                    connection.execute(
                        insert(archive_members),
                        [
                            {"container": container, "document_id": id_, "tenant": archive.tenant}
                            for id_ in sorted(new)
                        ],
                    )
                    known |= new
            before_commit()

    def members(self, tenant: str, container: str) -> dict[str, str]:
        """The documents that came out of an archive, with their content's hash; none: it is none.

        The hash is empty where there is no such document (any more).
        """
        statement = (
            select(archive_members.c.document_id, documents.c.content_hash)
            .outerjoin(documents, documents.c.id == archive_members.c.document_id)
            .where(archive_members.c.container == container, archive_members.c.tenant == tenant)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] or "" for row in connection.execute(statement)}

    def memberships(self, tenant: str) -> dict[str, str]:
        """Archive by document, of every document that came out of one."""
        statement = select(archive_members.c.document_id, archive_members.c.container).where(
            archive_members.c.tenant == tenant
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def put_members(self, tenant: str, container: str, ids: Iterable[str]) -> None:
        """Say which documents are an archive's, for one that has moved."""
        with self._database.writing() as connection:
            rows = [{"container": container, "document_id": i, "tenant": tenant} for i in ids]
            old = archive_members.c.container == container
            connection.execute(delete(archive_members).where(old))
            if rows:
                connection.execute(insert(archive_members), rows)

    def drop_members(self, tenant: str, ids: Iterable[str]) -> None:
        """Forget where documents came from that are removed."""
        with self._database.writing() as connection:
            for batch in batches(ids):
                connection.execute(
                    delete(archive_members).where(
                        archive_members.c.document_id.in_(batch),
                        archive_members.c.tenant == tenant,
                    )
                )


def _even(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows with the same keys each, as one INSERT wants them."""
    keys = {key for row in rows for key in row}
    return [{key: row.get(key) for key in keys} for row in rows]
