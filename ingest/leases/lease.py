"""The right to write a document: kept while a task is worked on, noticed when it ends."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol, Self

from ingest.leases.heartbeat import LeaseHeartbeat, since_boot
from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.leases import Leases
from sovereign_rag.catalog.records import Lease, LeaseState, TaskState

_LOOK_EVERY_S = 1.0  # for a cancellation


class DocumentLease(Protocol):
    """The right to write one document; it may end at any moment."""

    @property
    def fence(self) -> Lease | None:
        """What the catalog checks in the transaction that switches over; None: no job's."""
        ...

    @property
    def ended(self) -> threading.Event:
        """Set as soon as it is known that the right has ended."""
        ...

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Told that a document is being parsed or embedded now. Raises LeaseLost."""
        ...


class NoLease:
    """Of documents that no job takes in: the right never ends."""

    fence: Lease | None = None

    def __init__(self) -> None:
        self.ended = threading.Event()

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Nobody follows it."""


class TaskLease:
    """The `DocumentLease` of a task, kept within its `with`.

    `ended` is set within seconds of a cancellation, too.
    """

    def __init__(
        self,
        leases: Leases,
        lease: Lease,
        lease_s: float,
        *,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self.fence = lease
        self.has_written = False  # chunks may be in the store
        self._leases = leases
        self._heartbeat = LeaseHeartbeat(
            f"task {lease.task_id}",
            partial(leases.renew, lease.task_id, lease.worker, lease_s),
            lease_s=lease_s,
            is_held=lambda: leases.state(lease) is LeaseState.HELD,
            look_every_s=_LOOK_EVERY_S,
            clock=clock,
        )

    def __enter__(self) -> Self:
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._heartbeat.__exit__(*exception)

    @property
    def ended(self) -> threading.Event:
        return self._heartbeat.ended

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Record the stage. Raises LeaseLost."""
        if stage is TaskState.EMBEDDING:
            self.has_written = True
        if not self._leases.advance(self.fence.task_id, self.fence.worker, stage, pages=pages):
            self._end()

    def record_content(self, content_hash: str) -> None:
        """Record the content, so that nothing removes it. Raises LeaseLost."""
        if not self._leases.record_content(self.fence, content_hash):
            self._end()

    def _end(self) -> None:
        self._heartbeat.end()
        raise LeaseLost(f"Task {self.fence.task_id} is not {self.fence.worker}'s any more.")
