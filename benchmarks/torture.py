"""Kill workers, stop the store and fill the disk during an ingestion; compare with a quiet run.

    python benchmarks/torture.py                      300 documents, three workers
    python benchmarks/torture.py --documents 30 --rounds 1

Two data folders take in the same generated files. In the first one nothing happens. In the second
one, `sovereign-rag worker` processes are killed (SIGKILL) by turns while they hold a document, the
vector store's process is killed, and the disk is "full" for a while: every process over that folder
gets a limit on how long its files may grow, so that each write beyond it fails. That needs no
rights and no file system of its own. At the end both indexes are read and compared, point for
point. Prints one line of JSON; exit code 0: they are equal.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from generated_files import corpus

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import JobRecord, NewTask, TaskState
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.store.fence import FIELD

COMMAND = [sys.executable, "-m", "sovereign_rag.cli"]
READERS = frozenset({"everyone"})
LOOK_EVERY_S = 0.05
FULL_FOR_S = 4.0
FULL_BYTES = 4_096


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=300, help="files to take in (300)")
    parser.add_argument("--workers", type=int, default=3, help="worker processes (3)")
    parser.add_argument("--rounds", type=int, default=5, help="kills of each kind (5)")
    parser.add_argument("--timeout", type=float, default=3_600, help="seconds for all (3600)")
    parser.add_argument("--keep", type=Path, help="folder to work in; kept afterwards")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        report = torture(
            folder,
            documents=arguments.documents,
            workers=arguments.workers,
            rounds=arguments.rounds,
            timeout_s=arguments.timeout,
        )
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)  # an engine may still be leaving
    print(json.dumps(report))
    return 0 if report["equal"] else 1


def torture(
    folder: Path, *, documents: int, workers: int, rounds: int, timeout_s: float
) -> dict[str, object]:
    """Both runs; what happened, and whether their indexes are equal."""
    files = corpus(folder / "documents", documents)
    quiet, wild = (load_settings(overrides={"data_dir": folder / name}) for name in ("a", "b"))
    begin = time.monotonic()
    with Catalog.open(quiet) as catalog:
        job = submit(catalog, files)
        with working(quiet, 1):
            wait_for_end(catalog, job, timeout_s)
    quiet_s, expected = time.monotonic() - begin, points(quiet)
    begin = time.monotonic()
    with Catalog.open(wild) as catalog:
        job = submit(catalog, files)
        blows = Storm(wild, catalog, job, workers=workers, rounds=rounds).rage(timeout_s)
        ended = catalog.jobs.get(job.id, job.tenant)
        tasks = catalog.jobs.tasks(job.id, job.tenant, limit=documents)
    found = points(wild)
    return {
        "documents": documents,
        "equal": found == expected and len(ended.counts) > 0 and ended.done == documents,
        "points": len(found),
        "expected_points": len(expected),
        "missing": len(expected.keys() - found.keys()),
        "doubled_or_left_over": len(found.keys() - expected.keys()),
        "different": sum(found[k] != expected[k] for k in found.keys() & expected.keys()),
        "states": {state.value: n for state, n in ended.counts.items()},
        "most_attempts": max(task.attempts for task in tasks),
        "quiet_seconds": round(quiet_s, 1),
        "seconds": round(time.monotonic() - begin, 1),
        **blows,
    }


class Storm:
    """What is done to the processes over one data folder while they work."""

    def __init__(
        self, settings: Settings, catalog: Catalog, job: JobRecord, *, workers: int, rounds: int
    ) -> None:
        self._settings, self._catalog, self._job = settings, catalog, job
        self._wanted, self._rounds = workers, rounds
        self._workers: list[subprocess.Popen[bytes]] = []
        self._blows = {"killed_workers": 0, "killed_stores": 0, "full_disks": 0}
        self._pauses: set[str] = set()

    def rage(self, timeout_s: float) -> dict[str, object]:
        """Until the job has ended; returns how many blows of which kind there were."""
        deadline = time.monotonic() + timeout_s
        self._workers = [start_worker(self._settings) for _ in range(self._wanted)]
        # The blows are spread over the job, so that a slow machine gets as many as a fast one.
        kinds = [self._kill_worker, self._kill_store, self._fill_disk] * self._rounds
        due = [self._job.total * (n + 1) // (len(kinds) + 2) for n in range(len(kinds))]
        try:
            while (job := self._look()).finished is None:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{job.done} of {job.total} documents in {timeout_s:g} s")
                if due and job.done >= due[0] and kinds[0]():
                    del due[0], kinds[0]
                time.sleep(LOOK_EVERY_S)
            # Whatever was left behind is removed before the workers are told to go.
            while self._catalog.leases.holders() or self._leftovers():
                time.sleep(LOOK_EVERY_S)
        finally:
            for worker in self._workers:
                stop(worker)
        return {**self._blows, "pauses": len(self._pauses)}

    def _look(self) -> JobRecord:
        job = self._catalog.jobs.get(self._job.id, self._job.tenant)
        if job.pause_reason is not None:
            self._pauses.add(job.pause_reason)
        return job

    def _leftovers(self) -> bool:
        import sqlite3

        with sqlite3.connect(self._settings.data_dir / "catalog.sqlite3", timeout=30) as books:
            return books.execute("SELECT 1 FROM tasks WHERE leftover = 1").fetchone() is not None

    def _kill_worker(self) -> bool:
        """Kill the first in the row that holds a document; it is replaced at the row's end."""
        holders = {name.rsplit(":", 2)[1] for name in self._catalog.leases.holders()}
        for worker in self._workers:
            if str(worker.pid) in holders:
                worker.kill()
                worker.wait()
                self._workers.remove(worker)
                self._workers.append(start_worker(self._settings))
                self._blows["killed_workers"] += 1
                return True
        return False

    def _kill_store(self) -> bool:
        pid = engine_pid(self._settings)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self._blows["killed_stores"] += 1
        return True

    def _fill_disk(self) -> bool:
        """No file grows beyond a page for some seconds, whoever writes it."""
        until = time.monotonic() + FULL_FOR_S
        while time.monotonic() < until:
            self._limit(FULL_BYTES)
            time.sleep(LOOK_EVERY_S)
        self._limit(resource.RLIM_INFINITY)
        self._blows["full_disks"] += 1
        return True

    def _limit(self, size: int) -> None:
        """Bound the files of the workers, of what they started, and of the store."""
        own = {worker.pid for worker in self._workers if worker.poll() is None}
        if (engine := engine_pid(self._settings)) is not None:
            own.add(engine)
        for pid in own | descendants(own):
            with suppress(ProcessLookupError, PermissionError):  # it ended just now
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def descendants(pids: set[int]) -> set[int]:
    """The processes that those started, and so on."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended since it was listed
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(after_name[1])
    found: set[int] = set()
    while new := {pid for pid, parent in parents.items() if parent in pids | found} - found:
        found |= new
    return found


def engine_pid(settings: Settings) -> int | None:
    """The process of the embedded store, which writes its id into its lock."""
    try:
        return int((settings.data_dir / "vectors" / "engine.lock").read_text())
    except (OSError, ValueError):
        return None


def start_worker(settings: Settings) -> "subprocess.Popen[bytes]":
    """One process of `sovereign-rag worker`, its log in the data folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SOVEREIGN_RAG_")}
    environment = {
        **kept,
        "SOVEREIGN_RAG_DATA_DIR": str(settings.data_dir),
        "SOVEREIGN_RAG_PARSE__WORKERS": "1",
        "SOVEREIGN_RAG_EMBEDDING__THREADS": "1",
        "SOVEREIGN_RAG_INGEST__LEASE_S": "20",
        # Whoever is killed at random is no document's fault, however often it happens.
        "SOVEREIGN_RAG_INGEST__MAX_ATTEMPTS": "1000",
    }
    with (settings.data_dir / "worker.log").open("ab") as log:
        return subprocess.Popen([*COMMAND, "worker"], env=environment, stdout=log, stderr=log)


def stop(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(60)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


@contextmanager
def working(settings: Settings, workers: int) -> Iterator[None]:
    """Worker processes that nothing happens to."""
    processes = [start_worker(settings) for _ in range(workers)]
    try:
        yield
    finally:
        for process in processes:
            stop(process)


def submit(catalog: Catalog, files: list[Path]) -> JobRecord:
    """One job for all files, as the command line would make it."""
    tasks = [NewTask(f"file://{file}", file.name, READERS, 0, path=str(file)) for file in files]
    return catalog.jobs.create(local_owner().tenant, "owner", tasks)


def wait_for_end(catalog: Catalog, job: JobRecord, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while (now := catalog.jobs.get(job.id, job.tenant)).finished is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{now.done} of {now.total} documents in {timeout_s:g} s")
        time.sleep(0.2)
    if now.counts.keys() != {TaskState.INDEXED}:
        raise RuntimeError(f"the quiet run was not clean: {dict(now.counts)}")


def points(settings: Settings) -> Mapping[str, str]:
    """Everything that the store holds: payload by point id. The store must be at rest.

    Each writing has a number of its own, drawn anew, which is all that two runs may differ in.
    """
    import qdrant_edge as edge

    from sovereign_rag.store.embedded.engine import Engine
    from sovereign_rag.store.embedded.folder import EngineFolder, locked

    folder = EngineFolder(settings.data_dir)
    found: dict[str, str] = {}
    try:
        with locked(folder.engine_lock, timeout_s=120):
            Engine(folder.collections).close()  # settles what a kill left half done
            for shard_folder in sorted(folder.collections.glob("*/shard")):
                shard = edge.EdgeShard.load(str(shard_folder))
                offset = None
                while True:
                    request = edge.ScrollRequest(offset=offset, limit=500, with_payload=True)
                    records, offset = shard.scroll(request)
                    for record in records:
                        payload = dict(record.payload or {})
                        payload[FIELD] = isinstance(payload.get(FIELD), int)
                        found[str(record.id)] = json.dumps(payload, sort_keys=True, default=str)
                    if offset is None:
                        break
                shard.close()
    except TimeoutError as error:
        raise EnvironmentFault("The store did not end.") from error
    finally:
        folder.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
