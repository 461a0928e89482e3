"""Handing documents in: the one way to a job, on the record with every name before it is there."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import batches
from sovereign_rag.catalog.records import JobRecord, NewTask, document_id
from sovereign_rag.catalog.tombstones import message
from sovereign_rag.catalog.uploads import ContentCondition
from sovereign_rag.errors import ErasedBefore
from sovereign_rag.services.operations import INGEST, Act, OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry

log = logging.getLogger(__name__)

AT_ONCE: Final = 500  # documents in one record


class Submission:
    """Makes jobs, for uploads, for the command line and for syncs alike."""

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, operations: OperationRecorder
    ) -> None:
        self._catalog, self._audit, self._operations = catalog, audit, operations

    def submit(
        self,
        tasks: Iterable[NewTask],
        principal: Principal,
        *,
        origin: Sequence[str] = (),
        idempotency_key: str | None = None,
        before_commit: Callable[[], None] = lambda: None,
        conditions: Sequence[ContentCondition] = (),
        all_or_none: bool = False,
    ) -> JobRecord:
        """Make a job of `tasks`; see `Jobs.create`.

        What was erased for good is left out, which is logged.

        Args:
            origin: Where the documents come from, for the audit record.
            all_or_none: Refuse all of them where one was erased.

        Raises:
            ErasedBefore: So one was.
            KeyReused: The key came before, with other documents.
            DocumentChanged: A condition does not hold; then nothing is taken in.
            AuditError: It can't be recorded; then nothing is taken in.
        """
        job_id = str(uuid.uuid4())
        tasks = self._not_erased(tasks, principal.tenant, all_or_none=all_or_none)
        # With a key the names are told once it is known to be new: a replay tells none.
        keyed = () if idempotency_key is None else tuple(tasks)
        with self._operations.announced(INGEST, principal, {"job": job_id}, job_id) as act:
            told = _Told(self._catalog, self._operations, act, principal, origin)

            def record_then_bring() -> None:
                told.finish(keyed)
                before_commit()

            job = self._catalog.jobs.create(
                principal.tenant,
                principal.label,
                told.each(tasks) if idempotency_key is None else keyed,
                idempotency_key,
                job_id=job_id,
                before_commit=record_then_bring,
                conditions=conditions,
            )
            if job.id == job_id:
                # What is on its way may take a document from some of its readers: at once.
                self._catalog.follow_ups.narrow(principal.tenant, told.rights, job_id=job_id)
                act.leave()
            else:
                act.abandon()  # another process was faster with the same key
        if job.id != job_id:
            self._audit.append(entry("ingest.known", principal, {"job": job.id}))
        return job

    def _not_erased(
        self, tasks: Iterable[NewTask], tenant: str, *, all_or_none: bool
    ) -> Iterator[NewTask]:
        for batch in batches(tasks, AT_ONCE):
            ids = [document_id(tenant, task.uri) for task in batch]
            hashes = {task.content_hash or "" for task in batch}
            found = self._catalog.tombstones.among(tenant, ids, hashes)
            by_key = {key: one for one in found for key in (one.document, one.sha256) if key}
            for id_, task in zip(ids, batch, strict=True):
                erased = by_key.get(id_) or by_key.get(task.content_hash or "")
                if erased is None:
                    yield task
                elif all_or_none:
                    raise ErasedBefore(message(erased))
                else:
                    log.warning("%s is left out. %s", id_, message(erased))


class _Told:
    """The documents of a job, on the record as they are handed over."""

    def __init__(
        self,
        catalog: Catalog,
        operations: OperationRecorder,
        act: Act,
        principal: Principal,
        origin: Sequence[str],
    ) -> None:
        self._catalog, self._operations, self._act = catalog, operations, act
        self._principal, self._head = principal, {"job": act.id, "origin": list(origin)}
        self.rights: dict[str, tuple[frozenset[str], int]] = {}  # of documents that are there

    def each(self, tasks: Iterable[NewTask]) -> Iterator[NewTask]:
        """The tasks, once they are on the record."""
        for batch in batches(tasks, AT_ONCE):
            self._tell(batch)
            yield from batch

    def finish(self, more: Sequence[NewTask]) -> None:
        """Tell the last of them; a job without documents is on the record, too."""
        for batch in batches(more, AT_ONCE):
            self._tell(batch)
        if not self._act.is_recorded:
            self._tell([])

    def _tell(self, batch: Sequence[NewTask]) -> None:
        tenant = self._principal.tenant
        told = described(self._catalog, tenant, batch)
        detail = {**self._head, "documents": told}
        self.rights |= {
            one["document"]: (task.readers, task.level)
            for one, task in zip(told, batch, strict=True)
            if not task.keeps_access
        }
        if self._act.is_recorded:
            self._act.note("more", detail)
        else:
            self._operations.record(self._act, self._principal, detail)


def described(catalog: Catalog, tenant: str, tasks: Sequence[NewTask]) -> list[dict[str, Any]]:
    """What the record tells of documents that are handed in: who will read them, and who did."""
    ids = [document_id(tenant, task.uri) for task in tasks]
    known = catalog.documents.access_of(tenant, ids)
    return [
        {
            "document": id_,
            "uri": task.uri,
            **access(task.readers, task.level),
            **({"said_by": task.said_by} if task.said_by else {}),
            **({"before": access(*known[id_])} if id_ in known else {}),
        }
        for id_, task in zip(ids, tasks, strict=True)
    ]


def access(readers: Iterable[str], level: int) -> dict[str, Any]:
    """Who may read a document, as the record tells it."""
    return {"readers": sorted(readers), "level": level}
