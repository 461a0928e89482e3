"""Jobs: what is to be ingested, handed over to workers and watched until it is done."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest.index.embed import ParsedFile
from ingest.jobs.unpack import Unpacker
from ingest.jobs.worker import Worker
from ingest.leases.lease import NoLease
from ingest.pipeline import Pipeline
from ingest.sources.beside import Reader, WrongFile, said_beside
from ingest.sources.folder import FoundFile, find_files
from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import JobRecord, NewTask, TaskRecord
from sovereign_rag.domain import ParsedDocument, SourceFile
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.submission import Submission
from sovereign_rag.settings import IngestSettings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.password_box import Seal
from sovereign_rag.system.cpu import usable_cores
from sovereign_rag.system.holder import is_dead

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.2  # for progress
_TELL_EVERY_S = 5.0  # in the log
_FAULTS = 4  # of this machine in a row, after which somebody who waits is told
_ORPHAN_AFTER_S = 24 * 3600.0  # an upload that is still arriving is younger
_PAGE = 1_000  # tasks read at a time


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far a job is."""

    done: int
    total: int
    pages: int  # of the documents that are done
    seconds: float
    current: tuple[str, ...]  # names of the documents being worked on


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a job."""

    job: JobRecord
    tasks: tuple[TaskRecord, ...]
    seconds: float
    left_out: tuple[str, ...] = ()  # paths of hidden files and of links, which are not looked into
    wrong: tuple[WrongFile, ...] = ()  # files beside documents, which were taken in without them


class Ingestion:
    """Jobs submitted from this machine, and the workers that do them."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        submission: Submission,
        operations: OperationRecorder,
        erasure: Erasure,
        seal: Seal,
        pipeline: Callable[[], Pipeline],
        unpacker: Unpacker,
        store_check: Callable[[], None],
        read_beside: Reader,
        settings: IngestSettings,
        workers: int,
        max_bytes: int,
    ) -> None:
        """`pipeline` gives the pipeline, loading its models when the first document comes.

        `store_check` raises StoreError where the vector store can't be written to; `workers` is
        the number of documents worked on at once, 0 for one a core; `max_bytes` the size above
        which a file is refused.
        """
        self._catalog, self._content = catalog, content
        self._submission, self._operations = submission, operations
        self._seal, self._pipeline, self._settings = seal, pipeline, settings
        self._unpacker, self._erasure, self._store_check = unpacker, erasure, store_check
        self._read_beside = read_beside
        self._workers, self._max_bytes = workers or usable_cores(), max_bytes

    def ingest(
        self,
        paths: Sequence[Path],
        principal: Principal,
        *,
        readers: frozenset[str] | None = None,
        level: int | None = None,
        password: str | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda progress: None,
        on_task: Callable[[TaskRecord], None] = lambda task: None,
        stop: threading.Event | None = None,
    ) -> IngestReport:
        """Take in files and folders, working here until the job is done.

        A job that a crash left behind is finished on the way.

        Args:
            readers: Labels of who may read; None keeps what a known document has, and gives a
                new one to nobody but the owner.
            level: Clearance needed; None likewise, 0 for a new one.
            password: Opens those of them that are locked; kept sealed until they are read.
            on_progress: Called from this thread, a few times a second.
            on_task: Called with each document of the job after it ended, in order of ending.
            stop: Set it to stop after the documents at hand; the job can be resumed.

        Raises:
            BadInput: A path does not exist.
        """
        found, wrong = find_files(paths), list[WrongFile]()
        tasks = (
            replace(
                self._task(file, principal.tenant, readers, level, password),
                stated=said_beside(file.beside, self._read_beside, wrong),
            )
            for file in found.files
        )
        report = self.take_in(
            tasks,
            principal,
            origin=[str(path) for path in paths],
            on_progress=on_progress,
            on_task=on_task,
            stop=stop,
        )
        left_out = tuple(str(path) for path in found.left_out)
        return replace(report, left_out=left_out, wrong=tuple(wrong))

    def take_in(
        self,
        tasks: Iterable[NewTask],
        principal: Principal,
        *,
        origin: Sequence[str],
        on_progress: Callable[[IngestProgress], None] = lambda progress: None,
        on_task: Callable[[TaskRecord], None] = lambda task: None,
        stop: threading.Event | None = None,
    ) -> IngestReport:
        """Make a job of `tasks`, from whatever source, and work here until it is done.

        Args:
            origin: Where the documents come from, for the audit record.
            on_progress, on_task, stop: As `ingest` has them.

        Raises:
            EnvironmentFault: This machine kept being at fault; the job waits for a next call.
        """
        job = self.submit(tasks, principal, origin=origin)
        return self.work_off(job, on_progress=on_progress, on_task=on_task, stop=stop)

    def submit(
        self,
        tasks: Iterable[NewTask],
        principal: Principal,
        *,
        origin: Sequence[str],
        before_commit: Callable[[], None] = lambda: None,
    ) -> JobRecord:
        """Make a job of `tasks` for whoever works; `before_commit`: see `Jobs.create`.

        It is on the record before a worker sees it. Raises AuditError; then there is no job.
        """
        return self._submission.submit(tasks, principal, origin=origin, before_commit=before_commit)

    def work_off(
        self,
        job: JobRecord,
        *,
        on_progress: Callable[[IngestProgress], None] = lambda progress: None,
        on_task: Callable[[TaskRecord], None] = lambda task: None,
        stop: threading.Event | None = None,
    ) -> IngestReport:
        """Work here until a job is done; arguments and errors as `take_in` has them."""
        begin = time.monotonic()
        stop = stop or threading.Event()
        self._free_leases_of_the_dead()
        watch = _Watch(self._catalog, job, on_progress=on_progress, on_task=on_task)

        workers: list[Future[None]] = []

        def more() -> bool:
            # One that gave up speaks for all: the others share its machine.
            gave_up = any(worker.done() and worker.exception() for worker in workers)
            # Also while another process has the last documents in hand.
            return not gave_up and self._catalog.jobs.get(job.id, job.tenant).finished is None

        with self._working(stop, more=more, faults=_FAULTS) as started:
            workers += started
            while not (stop.is_set() or all(worker.done() for worker in workers)):
                self._free_leases_of_the_dead()
                watch.look()
                stop.wait(_LOOK_EVERY_S)
        job = watch.look()
        self._operations.settle()
        self._follow_up()
        fault = next((e for worker in workers if (e := worker.exception())), None)
        if fault is not None and job.finished is None:
            raise fault
        return IngestReport(
            job=job,
            tasks=tuple(_tasks(self._catalog, job.id, job.tenant)),
            seconds=round(time.monotonic() - begin, 2),
        )

    def add_parsed(
        self, documents: Sequence[tuple[str, str, ParsedDocument]], *, tenant: str
    ) -> None:
        """Index documents given as (uri, name, parsed), readable by the owner alone.

        For evaluations, whose labelled texts no parser has to read; the rest of their way is the
        same as any document's.
        """
        pipeline, items = self._pipeline(), []
        for uri, name, parsed in documents:
            text = "\n\n".join(page.text for page in parsed.pages).encode()
            content_hash = hashlib.sha256(uri.encode() + b"\n" + text).hexdigest()
            self._content.put_parsed(content_hash, pipeline.parse_key(name), parsed)
            source = SourceFile(uri, name, content_hash, len(text), None, frozenset())
            items.append(ParsedFile(source, parsed))
        pipeline.index(items, tenant, NoLease())

    def run_worker(self, stop: threading.Event) -> None:
        """Work off jobs until `stop` is set."""
        self._sweep()
        log.info("Ready for documents, %d at a time", self._workers)
        with self._working(stop):
            told: dict[str, int] = {}
            while not stop.is_set():
                try:
                    self._free_leases_of_the_dead()
                    told = self._tell(told)
                    self._operations.settle()
                    self._follow_up()
                except EnvironmentFault as fault:
                    log.warning("The catalog does not answer: %s", fault)
                stop.wait(_TELL_EVERY_S)

    def _follow_up(self) -> None:
        """Tell the store what it does not know, or may have forgotten by a write that came late."""
        self._catalog.late_writes.follow_up()
        self._erasure.follow_up_all()

    def _tell(self, told: dict[str, int]) -> dict[str, int]:
        """Log how far the open jobs are, where that has changed; returns what was told."""
        now = {}
        for progress in self._catalog.jobs.unfinished():
            job = progress.job
            now[job.id] = job.done
            if told.get(job.id) == job.done:
                continue
            log.info(
                "Job %s: %d of %d documents, %d of %d known pages, %.1f documents a minute%s%s",
                job.id,
                job.done,
                job.total,
                progress.pages_done,
                progress.pages_known,
                progress.documents_per_minute,
                "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left",
                "" if job.pause_reason is None else f"; paused: {job.pause_reason}",
            )
        for job_id in told.keys() - now.keys():
            log.info("Job %s has ended", job_id)
        return now

    def _sweep(self) -> None:
        """Remove stored bytes that nothing needs: what a refused upload or a crash left."""
        for content_hash in self._content.hashes():
            if self._content.age_s(content_hash) > _ORPHAN_AFTER_S:
                self._erasure.erase_content(content_hash)
        self._content.sweep(older_than_s=_ORPHAN_AFTER_S)

    @contextmanager
    def _working(
        self,
        stop: threading.Event,
        *,
        more: Callable[[], bool] = lambda: True,
        faults: int | None = None,
    ) -> Iterator[list[Future[None]]]:
        """Run workers, see `Worker.run`; yields what becomes of each, and waits for them."""
        with ThreadPoolExecutor(self._workers, thread_name_prefix="ingestion") as threads:
            try:
                yield [
                    threads.submit(self._worker().run, stop, more=more, faults=faults)
                    for _ in range(self._workers)
                ]
            except BaseException:  # else the workers would be waited for without end
                stop.set()
                raise

    def _worker(self) -> Worker:
        return Worker(
            catalog=self._catalog,
            content=self._content,
            seal=self._seal,
            pipeline=self._pipeline,
            unpacker=self._unpacker,
            store_check=self._store_check,
            settings=self._settings,
            max_bytes=self._max_bytes,
        )

    def _task(
        self,
        file: FoundFile,
        tenant: str,
        readers: frozenset[str] | None,
        level: int | None,
        password: str | None,
    ) -> NewTask:
        known = self._catalog.documents.find(tenant, file.uri)
        if readers is None:
            readers = known.readers if known else frozenset()
        if level is None:
            level = known.level if known else 0
        return NewTask(
            uri=file.uri,
            name=file.uri.rpartition("/")[2],
            readers=readers,
            level=level,
            path=str(file.path),
            modified=datetime.fromtimestamp(file.modified, UTC),
            password=self._seal.close(password, tenant=tenant, uri=file.uri) if password else None,
        )

    def _free_leases_of_the_dead(self) -> None:
        """Take over at once what workers of this machine held that are no more."""
        for worker in self._catalog.leases.holders():
            if is_dead(worker):
                self._catalog.leases.free(worker)


class _Watch:
    """Tells of a job's progress, whoever works on it, without reading all of it each time."""

    def __init__(
        self,
        catalog: Catalog,
        job: JobRecord,
        *,
        on_progress: Callable[[IngestProgress], None],
        on_task: Callable[[TaskRecord], None],
    ) -> None:
        self._catalog, self._job = catalog, job
        self._on_progress, self._on_task = on_progress, on_task
        self._begin = time.monotonic()
        self._told: set[int] = set()
        self._all_told_to: int | None = None  # every task up to this id has been told
        self._pages = 0
        self._counts: object = None

    def look(self) -> JobRecord:
        """Tell what changed since the last look; returns the job as it is."""
        job = self._catalog.jobs.get(self._job.id, self._job.tenant)
        current: list[str] = []
        if job.counts != self._counts:
            self._counts = job.counts
            unbroken = True
            for task in _tasks(self._catalog, job.id, job.tenant, after=self._all_told_to):
                if not task.state.is_final:
                    unbroken = False
                    current += [task.name] if task.started else []
                    continue
                if task.id not in self._told:
                    self._told.add(task.id)
                    self._pages += task.pages
                    self._on_task(task)
                if unbroken:
                    self._all_told_to = task.id
        elapsed = time.monotonic() - self._begin
        self._on_progress(IngestProgress(job.done, job.total, self._pages, elapsed, tuple(current)))
        return job


def _tasks(
    catalog: Catalog, job_id: str, tenant: str, *, after: int | None = None
) -> Iterator[TaskRecord]:
    while page := catalog.jobs.tasks(job_id, tenant, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id
