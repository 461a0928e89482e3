"""The fork server as its parent sees it: jobs go down a pipe, outcomes come back."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import ingest
import sovereign_rag
from ingest.parse.document.job import Job, JobOutcome
from sovereign_rag.errors import ParserUnavailable

_START_TIMEOUT_S = 120.0
_GRACE_S = 30.0  # on top of the limit that the fork server itself enforces
_LOOK_EVERY_S = 0.2  # whether the caller still wants the answer
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from ingest.parse.process.fork_server import main; main()"
)


class ForkServerDied(Exception):
    """The process ended while a job was in its hands."""


class ForkServerClient:
    """Starts the process; any number of threads may `run` jobs in it.

    Raises:
        ParserUnavailable: It did not come up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[JobOutcome | None]] = {}
        self._started: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        # The kernel tells the fork server of the death of the *thread* that started it, so that
        # thread must live as long as the program: it is the one that reads the answers.
        self._keeper = threading.Thread(target=self._keep, name="parser-pool", daemon=True)
        self._keeper.start()
        try:
            problem = self._started.get(timeout=_START_TIMEOUT_S)
        except queue.Empty:
            problem = f"it was not ready after {_START_TIMEOUT_S:g} s"
        if problem is not None:
            self.close()
            raise ParserUnavailable(
                f"The parsing process could not be started: {problem}. `sovereign-rag doctor` "
                "tells what is missing."
            )

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def run(self, job: Job, cancel: threading.Event | None = None) -> JobOutcome:
        """Do a job and wait for its end, killing its process when `cancel` is set.

        Raises:
            ForkServerDied: The fork server ended or does not answer.
        """
        outcome: queue.SimpleQueue[JobOutcome | None] = queue.SimpleQueue()
        with self._lock:
            if self._process is None or not self.alive:
                raise ForkServerDied("it was gone before the document")
            self._waiting[job.id] = outcome
            try:
                _pipe(self._process.stdin).write(job.to_line())
                _pipe(self._process.stdin).flush()
            except OSError as error:
                del self._waiting[job.id]
                raise ForkServerDied(str(error)) from error
        deadline = time.monotonic() + job.timeout_s + _GRACE_S
        is_killed = False
        while (left := deadline - time.monotonic()) > 0:
            if cancel is not None and cancel.is_set() and not is_killed:
                is_killed = True
                self.kill(job.id)
            try:
                found = outcome.get(timeout=left if is_killed else min(left, _LOOK_EVERY_S))
            except queue.Empty:
                continue
            if found is None:
                raise ForkServerDied(f"exit code {self._process.poll()}")
            return found
        self.close()
        raise ForkServerDied("it did not answer in time")

    def kill(self, job_id: int) -> None:
        """End a job's process, if it still runs; whoever waits for the job learns of its end."""
        with self._lock, contextlib.suppress(OSError, ValueError):  # gone, or closed: with its jobs
            assert self._process is not None
            _pipe(self._process.stdin).write(json.dumps({"kill": job_id}) + "\n")
            _pipe(self._process.stdin).flush()

    def close(self) -> None:
        """Close its input, on which it kills its children and leaves; kill it if it does not."""
        process = self._process
        if process is None:
            return
        with self._lock, contextlib.suppress(OSError):  # it went first
            _pipe(process.stdin).close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._keeper.join(timeout=5)

    def _keep(self) -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _CODE, json.dumps(sys.path), *readable_paths()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=child_environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the parent, which then closes the pipe
            )
        except OSError as error:
            self._started.put(str(error))
            return
        self._process = process
        answers = _pipe(process.stdout)
        for line in answers:
            message = json.loads(line)
            if "ready" in message:
                self._started.put(None)
                continue
            found = JobOutcome(**message)
            with self._lock:
                waiting = self._waiting.pop(found.id, None)
            if waiting is not None:
                waiting.put(found)
        answers.close()
        process.wait()
        with self._lock, contextlib.suppress(OSError):  # it went first
            _pipe(process.stdin).close()
        self._started.put(f"it ended with exit code {process.returncode}")
        with self._lock:
            for waiting in self._waiting.values():
                waiting.put(None)
            self._waiting.clear()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def readable_paths() -> list[str]:
    """Where Python and its packages are; not all of `sys.path`, which may hold a work folder."""
    packages = (path for path in sys.path if path.endswith(("site-packages", "dist-packages")))
    ours = (str(Path(module.__path__[0])) for module in (ingest, sovereign_rag))
    return sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, *packages, *ours})


def child_environment() -> dict[str, str]:
    """All that a parser learns of where it runs: no secrets, no home, one thread each."""
    return {
        "PATH": os.pathsep.join(os.get_exec_path()),
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
