"""The right to write a document: renewed while a task is worked on, noticed when it ends."""

import logging
import threading
import time
from typing import Protocol

from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.leases import Leases
from sovereign_rag.catalog.records import Lease, LeaseState, TaskState
from sovereign_rag.errors import EnvironmentFault

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0  # for a cancellation


class Hold(Protocol):
    """The right to write one document; it may end at any moment."""

    @property
    def lease(self) -> Lease | None:
        """What the catalog checks when it switches over; None: no job's."""
        ...

    @property
    def ended(self) -> threading.Event:
        """Set as soon as it is known that the right has ended."""
        ...

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Told that a document is being parsed or embedded now. Raises LeaseLost."""
        ...


class Unbound:
    """Of documents that no job takes in: the right never ends."""

    lease: Lease | None = None

    def __init__(self) -> None:
        self.ended = threading.Event()

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Nobody follows it."""


class TaskHold:
    """The `Hold` of a leased task. Within its `with` a thread keeps the lease alive.

    `ended` is set within seconds of a cancellation, of the loss of the lease, and before the
    lease can run out unrenewed: a process that stood still does not go on writing.
    """

    def __init__(self, leases: Leases, lease: Lease, lease_s: float) -> None:
        self.lease = lease
        self.has_written = False  # chunks may be in the store
        self._leases, self._lease_s = leases, lease_s
        self._renewed = time.monotonic()
        self._done = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "TaskHold":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def ended(self) -> threading.Event:
        if time.monotonic() - self._renewed > self._lease_s:
            self._is_over.set()
        return self._is_over

    def reached(self, stage: TaskState, *, pages: int = 0) -> None:
        """Record the stage. Raises LeaseLost."""
        if stage is TaskState.EMBEDDING:
            self.has_written = True
        if not self._leases.advance(self.lease.task_id, self.lease.worker, stage, pages=pages):
            self._end()

    def record_content(self, content_hash: str) -> None:
        """Record the content, so that nothing removes it. Raises LeaseLost."""
        if not self._leases.record_content(self.lease, content_hash):
            self._end()

    def _end(self) -> None:
        self._is_over.set()
        raise LeaseLost(f"Task {self.lease.task_id} is not {self.lease.worker}'s any more.")

    def _beat(self) -> None:
        while not self._done.wait(min(_LOOK_EVERY_S, self._lease_s / 3)):
            try:
                if not self._is_alive():
                    self._is_over.set()
                    return
            except EnvironmentFault as fault:
                log.warning("The lease on task %d was not renewed: %s", self.lease.task_id, fault)
                if self.ended.is_set():
                    return

    def _is_alive(self) -> bool:
        if time.monotonic() - self._renewed < self._lease_s / 3:
            return self._leases.state(self.lease) is LeaseState.HELD
        asked = time.monotonic()
        if not self._leases.renew(self.lease.task_id, self.lease.worker, self._lease_s):
            return False
        self._renewed = asked
        return True
