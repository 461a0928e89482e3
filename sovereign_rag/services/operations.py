"""Acts that change something: on the record before they do, and each with its end.

What a kill or a full disk leaves between the two is found by whoever comes next (`settle`): an act
that can't have had an effect is abandoned, a deletion is gone on with, a sync is told to have been
interrupted, and a job's end is recorded when it is there.

    announced (catalog) -> on the record -> confirmed (catalog) -> effects -> its end on the record
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.operations import Operation
from sovereign_rag.catalog.records import AuditEntry, JobRecord
from sovereign_rag.errors import EnvironmentFault, NotFound, SovereignError
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.system.holder import holder_name, is_dead

log = logging.getLogger(__name__)

INGEST: Final = "ingest"
"""A job: it ends with its last document, whoever takes that in."""

DELETE: Final = "delete"

EDIT: Final = "edit"

SYSTEM: Final = "system"

Resume = Callable[[Operation], None]


class Act:
    """One act under way, as who does it speaks of it."""

    def __init__(self, operation: Operation, principal: Principal, audit: AuditTrail) -> None:
        self.id = operation.id
        self.operation, self.is_recorded, self.is_left = operation, False, False
        self.end = "done"
        self.outcome: dict[str, Any] = {}
        self._principal, self._audit = principal, audit

    def note(self, what: str, detail: Mapping[str, Any]) -> None:
        """Record a step of it, before the step. Raises AuditError."""
        told = {"operation": self.id, **detail}
        self._audit.append(entry(f"{self.operation.action}.{what}", self._principal, told))

    def abandon(self) -> None:
        """It had no effect, and will have none."""
        self.end = "abandoned"

    def leave(self) -> None:
        """Its end comes later, from whoever does the rest."""
        self.is_left = True


class OperationRecorder:
    """Brings acts, their records and their ends into one order."""

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, resume: Mapping[str, Resume]
    ) -> None:
        """`resume` goes on with what was interrupted, by action; it may run twice."""
        self._catalog, self._audit, self._resume = catalog, audit, resume
        self._holder = holder_name()

    @contextmanager
    def begun(self, action: str, principal: Principal, detail: Mapping[str, Any]) -> Iterator[Act]:
        """Record `action`, let it happen, and record how it ended.

        Raises:
            AuditError: That it begins can't be recorded, and nothing happens; or its end can't be,
                and whoever comes next records it.
        """
        with self.announced(action, principal, detail) as act:
            self.record(act, principal, detail)
            yield act

    @contextmanager
    def announced(
        self, action: str, principal: Principal, detail: Mapping[str, Any], id_: str | None = None
    ) -> Iterator[Act]:
        """As `begun`, for who calls `record` themselves, before the first effect."""
        begin = entry(action, principal, detail)
        operation = Operation(
            id=id_ or str(uuid.uuid4()),
            action=action,
            tenant=principal.tenant,
            principal=begin.principal,
            by=begin.by,
            detail=detail,
            holder=self._holder,
            is_recorded=False,
        )
        act = Act(operation, principal, self._audit)
        self._catalog.operations.announce(operation)
        with self._released_on_fault(operation):
            try:
                yield act
            except BaseException as error:  # also an interrupt: what it left is told as what it is
                if act.is_recorded:
                    code = error.code if isinstance(error, SovereignError) else type(error).__name__
                    act.note("failed", {**detail, "error": code, "reason": str(error)})
                self._catalog.operations.end(act.id)
                raise
            if act.is_left:
                self._catalog.operations.release(act.id)
                return
            if act.is_recorded:
                act.note(act.end, {**detail, **act.outcome})
            self._catalog.operations.end(act.id)

    def record(self, act: Act, principal: Principal, detail: Mapping[str, Any]) -> None:
        """Put the beginning on the record; from here on it may have effects."""
        told = {"operation": act.id, **detail}
        self._audit.append(entry(act.operation.action, principal, told))
        act.is_recorded = True
        self._catalog.operations.confirm(act.id)

    def reopen_job(self, job: JobRecord, principal: Principal) -> None:
        """A job that had ended goes on, and so has another end to come."""
        again = entry(INGEST, principal, {"job": job.id})
        self._catalog.operations.announce(
            Operation(
                id=job.id,
                action=INGEST,
                tenant=job.tenant,
                principal=again.principal,
                by=again.by,
                detail=again.detail,
                holder="",
                is_recorded=True,
            )
        )

    def settle(self) -> None:
        """Bring to an end what nobody does any more; what can't be for now waits for the next call.

        Raises:
            EnvironmentFault: The catalog does not answer.
        """
        for operation in self._catalog.operations.all():
            job = self._job_of(operation)
            is_left = operation.holder == "" or is_dead(operation.holder)
            is_over = job is not None and job.finished is not None
            if not is_over and (job is not None or not is_left):
                continue
            if not self._catalog.operations.claim(operation, self._holder):
                continue
            try:
                with self._released_on_fault(operation):
                    self._end(operation, job)
                    self._catalog.operations.end(operation.id)
            except EnvironmentFault as problem:
                log.warning("What %s began has no end yet: %s", operation.principal, problem)

    def _end(self, operation: Operation, job: JobRecord | None) -> None:
        if job is not None:
            counts = {state.value: number for state, number in job.counts.items()}
            self._note(operation, "done", {"counts": counts, "cancelled": job.cancelled})
        elif not operation.is_recorded or operation.action == INGEST:
            self._note(operation, "abandoned", {})
        elif operation.action in self._resume:
            self._note(operation, "resumed", {})
            self._resume[operation.action](operation)
            self._note(operation, "done", {})
        else:
            self._note(operation, "interrupted", {})

    def _note(self, operation: Operation, what: str, detail: Mapping[str, Any]) -> None:
        told = {"operation": operation.id, "of": operation.principal, **operation.detail, **detail}
        action = f"{operation.action}.{what}"
        self._audit.append(AuditEntry(datetime.now(UTC), action, operation.tenant, SYSTEM, told))

    def _job_of(self, operation: Operation) -> JobRecord | None:
        if operation.action != INGEST:
            return None
        try:
            return self._catalog.jobs.get(operation.id, operation.tenant)
        except NotFound:  # it was never accepted
            return None

    @contextmanager
    def _released_on_fault(self, operation: Operation) -> Iterator[None]:
        """What has no end on the record yet is left to whoever comes next."""
        try:
            yield
        except BaseException:
            with suppress(EnvironmentFault):
                self._catalog.operations.release(operation.id)
            raise
