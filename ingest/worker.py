"""Workers: they take documents off jobs, one lease at a time, until there is nothing left to do.

Any number of workers, in this process or others, may share a catalog. Who dies loses its lease,
and the document is taken over.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ingest.pipeline import Pipeline
from sovereign_rag.catalog.records import DocumentStatus, TaskRecord, TaskState
from sovereign_rag.content import ContentStore
from sovereign_rag.domain import SourceFile
from sovereign_rag.errors import DocumentError, EnvironmentFault, NotFound, SovereignError
from sovereign_rag.settings import IngestSettings

log = logging.getLogger(__name__)

_IDLE_S = 0.5  # between looks for work when there was none
_PAUSE_S = 5.0  # before the next try when the machine was at fault


class TaskCatalog(Protocol):
    """What is asked of the catalog here."""

    def lease_task(
        self, worker: str, *, lease_s: float, job_id: str | None = None
    ) -> TaskRecord | None: ...

    def renew_lease(self, task_id: int, worker: str, lease_s: float) -> bool: ...

    def advance(self, task_id: int, worker: str, state: TaskState) -> bool: ...

    def finish_task(
        self,
        task_id: int,
        worker: str,
        state: TaskState,
        *,
        reason: str | None = None,
        document_id: str | None = None,
        pages: int = 0,
        chunks: int = 0,
    ) -> bool: ...

    def release_task(
        self, task_id: int, worker: str, *, reason: str, not_before_s: float
    ) -> bool: ...

    def record_failure(self, task: TaskRecord, reason: str) -> None: ...

    def content_in_use(self, content_hash: str) -> bool: ...


class Worker:
    """One thread's worth of ingestion."""

    def __init__(
        self,
        *,
        catalog: TaskCatalog,
        content: ContentStore,
        pipeline: Callable[[], Pipeline],
        settings: IngestSettings,
        max_bytes: int,
    ) -> None:
        """`pipeline` gives the pipeline, loading its models when the first document comes."""
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._catalog, self._content, self._pipeline = catalog, content, pipeline
        self._settings, self._max_bytes = settings, max_bytes

    def run(
        self,
        stop: threading.Event,
        *,
        more: Callable[[], bool] = lambda: True,
        faults: int | None = None,
    ) -> None:
        """Work until `stop` is set, or nothing is to be had and `more` says that nothing will be.

        Args:
            faults: Give up after the machine was at fault so many times in a row; None: never.

        Raises:
            EnvironmentFault: The last of those faults; the documents wait for another worker.
        """
        in_a_row = 0
        while not stop.is_set():
            try:
                task = self._catalog.lease_task(self.name, lease_s=self._settings.lease_s)
                if task is not None:
                    self.work_off(task)
                elif not more():
                    return
                else:
                    stop.wait(_IDLE_S)
                    continue
                in_a_row = 0
            except EnvironmentFault as fault:
                in_a_row += 1
                if in_a_row == faults:
                    raise
                log.warning("Waiting to try again: %s", fault)
                stop.wait(_PAUSE_S)

    def work_off(self, task: TaskRecord) -> None:
        """Take one document in and record how it ended; raises nothing that is the document's.

        Raises:
            EnvironmentFault: The machine is at fault, and the document waits.
        """
        with _Heartbeat(self._catalog, task, self.name, self._settings.lease_s):
            try:
                task = self._brought_in(task)
                self._take_in(task)
            except DocumentError as error:
                self._fail(task, str(error))
            except EnvironmentFault as fault:
                self._catalog.release_task(
                    task.id, self.name, reason=str(fault), not_before_s=_PAUSE_S
                )
                raise
            except SovereignError as error:
                self._fail(task, str(error))
            except Exception as error:  # a defect of ours costs one document, not the queue
                log.exception("%s could not be ingested", task.name)
                self._fail(
                    task, f"internal error ({type(error).__name__}); the log has the details"
                )

    def _take_in(self, task: TaskRecord) -> None:
        source = self._source(task)

        def progress(stage: str) -> None:
            self._catalog.advance(task.id, self.name, TaskState(stage))

        done = self._pipeline().take_in(source, task.tenant, progress=progress)
        if not done.changed:
            state = TaskState.UNCHANGED
        elif done.record.status is DocumentStatus.PARTIAL:
            state = TaskState.PARTIAL
        else:
            state = TaskState.INDEXED
        self._catalog.finish_task(
            task.id,
            self.name,
            state,
            reason=done.record.reason,
            document_id=done.record.id,
            pages=done.record.pages,
            chunks=done.record.chunks,
        )

    def _brought_in(self, task: TaskRecord) -> TaskRecord:
        """The task with its bytes in the content store, and their hash."""
        if task.path is not None:
            return replace(task, content_hash=self._read(task, Path(task.path)))
        if task.content_hash is not None:
            return task
        raise DocumentError("missing", "The job names neither a file nor stored bytes.")

    def _source(self, task: TaskRecord) -> SourceFile:
        assert task.content_hash is not None
        try:
            size = self._content.original(task.content_hash).stat().st_size
        except NotFound as error:
            raise DocumentError("missing", str(error)) from error
        return SourceFile(
            uri=task.uri,
            name=task.name,
            content_hash=task.content_hash,
            size=size,
            modified=task.modified,
            readers=task.readers,
            level=task.level,
        )

    def _read(self, task: TaskRecord, path: Path) -> str:
        try:
            size = path.stat().st_size
            if size > self._max_bytes:
                raise DocumentError(
                    "too_large",
                    f"{task.name} has {size >> 20} MiB, the limit is {self._max_bytes >> 20} MiB. "
                    "Split it, or raise parse.max_file_mib.",
                )
            content_hash, _ = self._content.add_file(path)
            return content_hash
        except FileNotFoundError as error:
            raise DocumentError("missing", f"{path} is not there any more.") from error
        except PermissionError as error:
            raise DocumentError(
                "unreadable", f"{path} may not be read by this user; give it read permission."
            ) from error
        except OSError as error:
            raise EnvironmentFault(f"{path} could not be copied in: {error.strerror}.") from error

    def _fail(self, task: TaskRecord, reason: str) -> None:
        self._catalog.record_failure(task, reason)
        self._catalog.finish_task(task.id, self.name, TaskState.FAILED, reason=reason)
        if task.content_hash is not None and not self._catalog.content_in_use(task.content_hash):
            self._content.delete(task.content_hash)  # a newer version that could not be read


class _Heartbeat:
    """Renews a lease while its document is worked on."""

    def __init__(self, catalog: TaskCatalog, task: TaskRecord, worker: str, lease_s: float) -> None:
        self._catalog, self._task, self._worker, self._lease_s = catalog, task, worker, lease_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(self._lease_s / 3):
            try:
                if not self._catalog.renew_lease(self._task.id, self._worker, self._lease_s):
                    return
            except EnvironmentFault as fault:
                log.warning("The lease on %s was not renewed: %s", self._task.name, fault)


def local_pid(worker: str) -> int | None:
    """The process id of a worker of this machine, None for one of another."""
    host, pid, _ = worker.rsplit(":", 2)
    return int(pid) if host == socket.gethostname() else None
