"""Workers: they take documents off jobs, one lease at a time, until there is nothing left to do.

Any number of workers, in this process or others, may share a catalog. Who dies loses its lease,
and the document is taken over.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ingest.jobs.unpack import Unpacker
from ingest.leases.lease import TaskLease
from ingest.pipeline import Pipeline
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.holding import LeaseLost
from sovereign_rag.catalog.outages import STORE
from sovereign_rag.catalog.records import (
    DocumentStatus,
    Lease,
    LeaseState,
    TaskRecord,
    TaskState,
    document_id,
)
from sovereign_rag.catalog.tombstones import message
from sovereign_rag.domain import SourceFile
from sovereign_rag.errors import (
    DocumentError,
    EnvironmentFault,
    NotFound,
    SovereignError,
    StoreError,
)
from sovereign_rag.settings import IngestSettings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.password_box import Seal
from sovereign_rag.system.holder import holder_name
from sovereign_rag.system.tracing import span

log = logging.getLogger(__name__)
failures = logging.getLogger(f"{__name__}.failures")  # who tells of each document mutes it

_IDLE_S = 0.5  # between looks for work when there was none
_PAUSE_S = 2.0  # before the next try when the machine was at fault; doubled with each in a row
_BLOCK = 1 << 20


class Worker:
    """One thread's worth of ingestion."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        seal: Seal,
        pipeline: Callable[[], Pipeline],
        unpacker: Unpacker,
        store_check: Callable[[], None],
        settings: IngestSettings,
        max_bytes: int,
    ) -> None:
        """
        Args:
            pipeline: Gives the pipeline, loading its models when the first document comes.
            store_check: Raises StoreError where the vector store can't be written to.
        """
        self._store_check = store_check
        self._unpacker = unpacker
        self.name = holder_name()
        self._catalog, self._content, self._seal = catalog, content, seal
        self._pipeline, self._settings, self._max_bytes = pipeline, settings, max_bytes

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
                self._look_for_the_store(is_told=faults is not None)
                task = self._catalog.leases.acquire(self.name, lease_s=self._settings.lease_s)
                if task is not None:
                    self.work_off(task, stop)
                elif self._tidy_up():
                    continue
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
                stop.wait(_IDLE_S)  # its job pauses for longer, others may go on
            except Exception:  # a defect of ours in the keeping of the books
                log.exception("The worker goes on after an unexpected error")
                stop.wait(_PAUSE_S)

    def _look_for_the_store(self, *, is_told: bool) -> None:
        """Where it is away, and it is this worker's turn: let what waits for it go on.

        Args:
            is_told: Somebody waits and is to be told; else it stays away, and that is all.

        Raises:
            EnvironmentFault: It is still away.
        """
        if not self._catalog.outages.claim():
            return
        try:
            self._store_check()
        except EnvironmentFault:
            if is_told:
                raise
            return
        self._catalog.outages.end()
        log.info("The vector store is back; what waited for it goes on")

    def work_off(self, task: TaskRecord, stop: threading.Event) -> None:
        """Take one document in and record how it ended; raises nothing that is the document's.

        Raises:
            EnvironmentFault: The machine is at fault, and the document waits.
        """
        fence = Lease(task.id, self.name)
        with (
            span("ingest.document", job=task.job_id),
            TaskLease(self._catalog.leases, fence, self._settings.lease_s) as lease,
        ):
            try:
                self._end_well_or_badly(task, lease)
            except EnvironmentFault as fault:
                self._give_back(task, fault, stop)
                raise

    def _end_well_or_badly(self, task: TaskRecord, lease: TaskLease) -> None:
        try:
            known = self._as_known(task) if task.keeps_access else task
            if known is None:
                reason = "The document was deleted."
                self._catalog.leases.finish(task.id, self.name, TaskState.CANCELLED, reason=reason)
                return
            task = self._brought_in(known, lease)
            if not self._unpacked(task, lease):
                self._take_in(task, lease)
        except LeaseLost:
            self._let_go(task, lease)
        except EnvironmentFault:
            raise
        except SovereignError as error:
            self._fail(task, str(error), lease)
        except Exception as error:  # a defect of ours costs one document, not the queue
            log.exception("%s could not be ingested", task.name)
            reason = f"internal error ({type(error).__name__}); the log has the details"
            self._fail(task, reason, lease)

    def _take_in(self, task: TaskRecord, lease: TaskLease) -> None:
        source = self._source(task)
        password = None
        if task.password is not None:
            password = self._seal.open(task.password, tenant=task.tenant, uri=task.uri)
        pipeline = self._pipeline()
        done = pipeline.take_in(source, task.tenant, lease=lease, password=password)
        if task.stated is not None:  # where nothing had to be published, it is still to be said
            pipeline.state(task.tenant, done.record.id, lease)
        if not done.changed:
            state = TaskState.UNCHANGED
        elif done.record.status is DocumentStatus.PARTIAL:
            state = TaskState.PARTIAL
        else:
            state = TaskState.INDEXED
        self._catalog.leases.finish(
            task.id,
            self.name,
            state,
            reason=done.record.reason,
            document_id=done.record.id,
            pages=done.record.pages,
            chunks=done.record.chunks,
        )
        log.info("%s: %s, %d pages", task.name, state.value, done.record.pages)

    def _unpacked(self, task: TaskRecord, lease: TaskLease) -> bool:
        """Take an archive apart; False: the file is none."""

        def check() -> None:
            if lease.ended.is_set():
                raise LeaseLost(f"Task {task.id} is not {self.name}'s any more.")

        assert task.content_hash is not None
        try:
            path = self._content.original(task.content_hash)
        except NotFound as error:
            raise DocumentError("missing", str(error)) from error
        done = self._unpacker.unpack(task, path, lease.fence, check=check, cancel=lease.ended)
        if done is None:
            return False
        state = TaskState.PARTIAL if done.failed else TaskState.INDEXED
        self._catalog.leases.finish(task.id, self.name, state, reason=done.summary)
        log.info("%s: %s", task.name, done.summary)
        self._forget(task)  # the documents that came out of it have their bytes
        return True

    def _brought_in(self, task: TaskRecord, lease: TaskLease) -> TaskRecord:
        """The task with its bytes in the content store, and their hash."""
        if task.path is not None:
            return replace(task, content_hash=self._read(task, Path(task.path), lease))
        if task.content_hash is not None:
            self._refuse_erased(task, task.content_hash)
            return task
        raise DocumentError(
            "missing", f"The bytes of {task.name} are not kept any more; hand it in again."
        )

    def _refuse_erased(self, task: TaskRecord, content_hash: str) -> None:
        """Refuse what was erased for good, wherever it comes from by now."""
        found = self._catalog.tombstones.among(
            task.tenant, [document_id(task.tenant, task.uri)], [content_hash]
        )
        if found:
            raise DocumentError("erased", message(found[0]))

    def _source(self, task: TaskRecord) -> SourceFile:
        assert task.content_hash is not None
        try:
            size = self._content.original_size(task.content_hash)
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
            stated=task.stated,
        )

    def _as_known(self, task: TaskRecord) -> TaskRecord | None:
        """A task to read a document again, as the catalog has that by now; None: it is gone."""
        known = self._catalog.documents.find(task.tenant, task.uri)
        if known is None:
            return None
        return replace(
            task,
            name=known.name,
            readers=known.readers,
            level=known.level,
            modified=known.modified,
            content_hash=known.content_hash,
        )

    def _read(self, task: TaskRecord, path: Path, lease: TaskLease) -> str:
        """The hash of a file, whose bytes are in the content store then.

        The catalog knows of it before the bytes are in their place: nobody removes them there.
        """
        try:
            if path.is_symlink():  # put there since it was listed: it could lead anywhere
                raise DocumentError("link", f"{path} has become a symbolic link; name its target.")
            size = path.stat().st_size
            if size > self._max_bytes:
                raise DocumentError(
                    "too_large",
                    f"{task.name} has {size >> 20} MiB, the limit is {self._max_bytes >> 20} MiB. "
                    "Split it, or raise parse.max_file_mib.",
                )
            content_hash = ContentStore.hash_of(path)
            self._refuse_erased(task, content_hash)
            lease.record_content(content_hash)
            if self._content.holds(content_hash):
                self._content.keep_for(content_hash, task.tenant)
                return content_hash
            with path.open("rb") as file:
                received = self._content.receive(iter(lambda: file.read(_BLOCK), b""))
            lease.record_content(received.content_hash)  # another, if it was written to meanwhile
            self._content.keep(received, task.tenant)
            return received.content_hash
        except FileNotFoundError as error:
            raise DocumentError("missing", f"{path} is not there any more.") from error
        except PermissionError as error:
            raise DocumentError(
                "unreadable", f"{path} may not be read by this user; give it read permission."
            ) from error
        except OSError as error:
            raise EnvironmentFault(f"{path} could not be copied in: {error.strerror}.") from error

    def _fail(self, task: TaskRecord, reason: str, lease: TaskLease) -> None:
        if lease.ended.is_set():  # what went wrong then is no word on the document
            self._let_go(task, lease)
            return
        try:
            self._catalog.documents.record_failure(task, reason, lease.fence)
        except LeaseLost:
            self._let_go(task, lease)
            return
        self._catalog.leases.finish(task.id, self.name, TaskState.FAILED, reason=reason)
        failures.warning("%s: failed: %s", task.name, reason)
        self._forget(task)

    def _let_go(self, task: TaskRecord, lease: TaskLease) -> None:
        """End a task that was cancelled; of one that was lost nothing more is written."""
        state = self._catalog.leases.state(lease.fence)
        if state is LeaseState.LOST:
            log.warning("%s: another worker has taken it over", task.name)
            if lease.has_written:
                self._catalog.leases.note_leftover(task.id)
            return
        if state is LeaseState.HELD:
            raise EnvironmentFault(
                f"The lease on {task.name} could not be renewed in time: the catalog did not "
                "answer, or this process stood still. It is tried again."
            )
        self._catalog.leases.finish(task.id, self.name, TaskState.CANCELLED)
        log.info("%s: cancelled", task.name)
        self._forget(task)

    def _forget(self, task: TaskRecord) -> None:
        if task.content_hash is not None:
            self._pipeline().forget(task.content_hash)

    def _give_back(self, task: TaskRecord, fault: EnvironmentFault, stop: threading.Event) -> None:
        """Let the task wait, and its job with it; a full disk may keep even that from the books."""
        awaits = STORE if isinstance(fault, StoreError) else None
        while True:
            try:
                self._catalog.leases.release(
                    task.id, self.name, reason=str(fault), pause_s=_PAUSE_S, awaits=awaits
                )
                return
            except EnvironmentFault as also:
                log.warning("%s could not be given back: %s", task.name, also)
                if stop.wait(_PAUSE_S):
                    return

    def _tidy_up(self) -> bool:
        """Remove what an ended task left in the store; False: there was none."""
        if self._catalog.outages.current() is not None:
            return False
        task = self._catalog.leases.acquire_leftover(self.name, lease_s=self._settings.lease_s)
        if task is None:
            return False
        removed = False
        try:
            self._pipeline().tidy(task.tenant, document_id(task.tenant, task.uri))
            removed = True
        finally:
            self._catalog.leases.end_leftover(task.id, self.name, removed=removed)
        return True
