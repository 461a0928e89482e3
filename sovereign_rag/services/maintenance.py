"""Work on the machine, asked for on the console and done by `serve` or `worker`, one at a time.

asked (on the record) -> waits in the catalog -> taken, on the record -> steps -> its end, likewise
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.maintenance import MOST_ATTEMPTS, STOPPED, MaintenanceTask
from sovereign_rag.errors import EnvironmentFault, SovereignError
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.system.holder import holder_name

log = logging.getLogger(__name__)

_LEASE_S: Final = 60.0
_LOOK_S: Final = 1.0  # between looks for work
_TELL_S: Final = 1.0  # between words on how far it is
_RETRY_S: Final = 30.0  # after the catalog did not answer


class _Stopped(Exception):
    """A task ends because somebody, or the process, says so."""


class Steps:
    """What a task tells of how far it is, and is told of whether to go on."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.done, self.total = 0, 0

    def note(self, done: int, total: int) -> None:
        """So much of so much is done."""
        self.done, self.total = done, total

    def __call__(self, done: int, total: int) -> None:
        """Likewise; ends the task where that is wanted."""
        self.note(done, total)
        self.go_on()

    def go_on(self) -> None:
        """Ends the task where that is wanted."""
        if self.stop.is_set():
            raise _Stopped


Handler = Callable[[Mapping[str, Any], Steps], Mapping[str, Any]]
"""Does a kind of work by its detail, and gives its result as JSON takes it.

It may be called again with what it has half done, where its process died meanwhile.
"""


class MaintenanceDesk:
    """For the admins of the machine: what waits, is done and was done; stopped."""

    def __init__(self, *, catalog: Catalog, audit: AuditTrail) -> None:
        self._catalog, self._audit = catalog, audit

    def recent(self, kinds: frozenset[str]) -> list[MaintenanceTask]:
        """Of some kinds, the newest first."""
        return [task for task in self._catalog.maintenance.recent() if task.kind in kinds][:8]

    def ask(self, kind: str, detail: Mapping[str, Any], asker: Principal) -> None:
        """Have some work done.

        Raises:
            BadInput: The same is waiting or under way.
            AuditError: It can't be recorded; it is not done.
        """
        self._audit.append(entry("maintenance.ask", asker, {"work": kind, **detail}))
        self._catalog.maintenance.ask(kind, detail, asker.label)

    def stop(self, id_: str, asker: Principal) -> None:
        """End it at its next step. Raises NotFound, AuditError."""
        self._audit.append(entry("maintenance.stop", asker, {"task": id_}))
        self._catalog.maintenance.stop(id_)


class MaintenanceWork:
    """Does what was asked for; any number of processes may."""

    def __init__(
        self, *, catalog: Catalog, operations: OperationRecorder, handlers: Mapping[str, Handler]
    ) -> None:
        self._tasks, self._operations, self._handlers = catalog.maintenance, operations, handlers
        self._holder = holder_name()

    def run(self, stop: threading.Event) -> None:
        """Do what comes, until `stop` is set; what is under way then is taken up by another."""
        while not stop.wait(_LOOK_S):
            try:
                while not stop.is_set() and self.do_next(stop):
                    continue
            except EnvironmentFault as fault:
                log.warning("What is to be done on this machine can't be looked up: %s", fault)
                stop.wait(_RETRY_S)

    def do_next(self, leaving: threading.Event | None = None) -> bool:
        """Do one task, if one waits; False: none does.

        Raises:
            EnvironmentFault: The catalog does not answer.
        """
        task = self._tasks.take(self._holder, lease_s=_LEASE_S)
        if task is None:
            return False
        leaving, steps = leaving or threading.Event(), Steps()
        try:
            with self._held(task, steps, leaving):
                result = self._do(task, steps)
        except _Stopped:
            if not leaving.is_set():
                self._finish(task, error=STOPPED)
        except SovereignError as error:
            log.warning("%s was not done: %s", task.kind, error)
            self._finish(task, error=str(error))
        except Exception:  # one task's fault must not end the thread that does all of them
            log.exception("%s was not done", task.kind)
            self._finish(task, error="It failed in an unexpected way; see the log of the service.")
        else:
            self._tasks.tell(
                task.id, self._holder, lease_s=_LEASE_S, done=steps.done, total=steps.total
            )
            self._tasks.finish(task.id, self._holder, result=result, error=None)
        return True

    def _do(self, task: MaintenanceTask, steps: Steps) -> Mapping[str, Any]:
        if task.attempts > MOST_ATTEMPTS:
            raise EnvironmentFault(
                f"It was begun {MOST_ATTEMPTS} times, and each time its process ended. See the "
                "logs; perhaps memory is short."
            )
        handler = self._handlers.get(task.kind)
        if handler is None:
            raise EnvironmentFault(f"This process can't do {task.kind!r}: versions are mixed.")
        told = {"task": task.id, "asked_by": task.asked_by, **task.detail}
        with self._operations.begun(f"maintenance.{task.kind}", local_owner(), told) as act:
            try:
                result = handler(task.detail, steps)
            except _Stopped:
                act.end = "stopped"
            else:
                act.outcome.update(result)
                return result
        raise _Stopped

    @contextmanager
    def _held(
        self, task: MaintenanceTask, steps: Steps, leaving: threading.Event
    ) -> Iterator[None]:
        """Hold on to the task and tell how far it is, in a thread beside."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(_TELL_S):
                with suppress(EnvironmentFault):  # the lease outlasts a moment without a catalog
                    goes_on = self._tasks.tell(
                        *(task.id, self._holder),
                        lease_s=_LEASE_S,
                        done=steps.done,
                        total=steps.total,
                    )
                    if not goes_on or leaving.is_set():
                        steps.stop.set()

        teller = threading.Thread(target=tell, name="maintenance")
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def _finish(self, task: MaintenanceTask, *, error: str) -> None:
        self._tasks.finish(task.id, self._holder, result=None, error=error)
