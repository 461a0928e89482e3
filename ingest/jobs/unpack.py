"""An archive's task: what comes out of it becomes tasks of the same job, with the same readers."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest.jobs.archives import Expander, Member
from sovereign_rag.catalog.archives import NewMember
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import batches
from sovereign_rag.catalog.records import AuditEntry, Lease, NewTask, TaskRecord, document_id
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.submission import AT_ONCE, described
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.storage.content import ContentStore


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came of an archive."""

    documents: int
    failed: int
    left_out: int

    @property
    def summary(self) -> str:
        parts = [f"An archive: {self.documents} documents were taken out of it"]
        if self.failed:
            parts.append(f"{self.failed} could not be")
        if self.left_out:
            parts.append(f"{self.left_out} hidden files and links were left out")
        return ", ".join(parts) + "."


class Unpacker:
    """Takes archives apart for the workers."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        audit: AuditTrail,
        erasure: Erasure,
        expander: Expander,
    ) -> None:
        self._catalog, self._content, self._audit = catalog, content, audit
        self._erasure, self._expander = erasure, expander

    def unpack(
        self,
        task: TaskRecord,
        path: Path,
        lease: Lease,
        *,
        check: Callable[[], None],
        cancel: threading.Event,
    ) -> Unpacked | None:
        """Hand over what is in an archive; None: the file is none.

        What an earlier version of it held and this one doesn't is removed.

        Args:
            check: Called for each file; it raises where the work is to end.
            cancel: Set when it is to end at once.

        Raises:
            DocumentError: The archive can't be taken apart, or it is too much.
            LeaseLost: The task is another worker's.
        """
        tenant, container = task.tenant, document_id(task.tenant, task.uri)
        expansion = self._expander.expand(path, task.name, check=check, cancel=cancel)
        former = self._catalog.archives.members(tenant, container)
        if expansion is None:
            self._remove(task, former)
            return None
        members = [_member(task, member) for member in expansion.members]

        def before_commit() -> None:
            for received in expansion.received:
                self._content.keep(received, tenant)

        try:
            for batch in batches(members, AT_ONCE):
                found = described(self._catalog, tenant, [new.task for new in batch])
                self._record(task, "ingest.unpacked", {"documents": found})
            self._catalog.archives.add_members(task, members, lease, before_commit=before_commit)
        except BaseException:  # a lost lease or an interrupt: no bytes without their task
            for received in expansion.received:
                self._content.drop(received)
            raise
        for new in members:
            if new.failure is not None:
                failed = replace(task, uri=new.task.uri, name=new.task.name, content_hash=None)
                self._catalog.documents.record_failure(failed, new.failure, lease)
        there = {document_id(tenant, new.task.uri) for new in members}
        self._remove(task, {id_: h for id_, h in former.items() if id_ not in there})
        itself = self._catalog.documents.find(tenant, task.uri)
        if itself is not None:  # an earlier version of it was a document, or could not be read
            self._record(task, "ingest.removed", {"documents": [itself.id]})
            self._erasure.erase_stored(tenant, itself.id, itself.content_hash, lease)
        failed_count = sum(new.failure is not None for new in members)
        return Unpacked(len(members) - failed_count, failed_count, expansion.left_out)

    def _remove(self, task: TaskRecord, documents: Mapping[str, str]) -> None:
        for batch in batches(documents.items(), AT_ONCE):
            self._record(task, "ingest.removed", {"documents": [id_ for id_, _ in batch]})
            for id_, content_hash in batch:
                self._erasure.erase(task.tenant, id_, content_hash)
        if documents:
            self._catalog.archives.drop_members(task.tenant, list(documents))

    def _record(self, task: TaskRecord, action: str, detail: Mapping[str, object]) -> None:
        """What an archive brings or takes away is told as its submitter's, by their job."""
        who = self._catalog.jobs.get(task.job_id, task.tenant).submitted_by
        told = {"job": task.job_id, "archive": task.uri, **detail}
        self._audit.append(AuditEntry(datetime.now(UTC), action, task.tenant, who, told))


def _member(archive: TaskRecord, member: Member) -> NewMember:
    task = NewTask(
        uri=f"{archive.uri}/{member.path}",
        name=member.name,
        readers=archive.readers,
        level=archive.level,
        content_hash=member.content_hash,
        modified=member.modified or archive.modified,
        # The title is the archive's own; the rest is said of what is in it.
        stated=None if archive.stated is None else replace(archive.stated, title=None),
    )
    return NewMember(task, member.failure)
