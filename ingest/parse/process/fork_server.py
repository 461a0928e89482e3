"""The process that imports every parser once and forks a confined child per document.

It reads jobs as lines of JSON on its standard input and answers with lines on its standard
output. It has one thread and never looks into a document itself. When its parent goes away, by
closing the pipe or by dying, it kills its children and what they started, and leaves.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import FrameType
from typing import NoReturn

from ingest.parse.document import nlp  # before anything of unstructured

nlp.install()

from ingest.parse.document.job import Job, JobOutcome  # noqa: E402  - after that: what follows
from ingest.parse.process import child  # noqa: E402  - imports unstructured
from ingest.parse.process.sandbox import die_with_parent  # noqa: E402  - likewise
from sovereign_rag.text import language  # noqa: E402  - likewise

_BLOCK = 1 << 16
_PRELOADED = (
    "charset_normalizer",
    "liteparse",
    "lxml.html",
    "magic",
    "oxmsg",
    "pypdfium2",
    "python_calamine",
    "unstructured.partition.html",
    "unstructured.partition.md",
)
_NEVER_IMPORTED = ("spacy", "torch", "transformers")


@dataclass(slots=True)
class _Child:
    job: Job
    pid: int
    handle: int  # pidfd: readable once the child has ended
    deadline: float


def main() -> None:
    """Serve until the standard input ends; arguments: the paths that children may read."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, _leave)
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)  # it died before the line above
    answers = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not write into the protocol
    _preload()
    _send(answers, {"ready": os.getpid()})
    _Service(answers, sys.argv[1:]).serve()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _preload() -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    language.load()
    child.warm_up()
    heavy = [name for name in _NEVER_IMPORTED if name in sys.modules]
    if heavy or threading.active_count() > 1:
        raise RuntimeError(f"the zygote must stay light and single-threaded, found {heavy}")
    gc.collect()
    gc.freeze()  # what is shared with the children is not written to by their collector


def _send(handle: int, message: dict[str, object]) -> None:
    os.write(handle, json.dumps(message).encode() + b"\n")


class _Service:
    def __init__(self, answers: int, readable: Sequence[str]) -> None:
        self._answers = answers
        self._readable = tuple(readable)
        self._children: dict[int, _Child] = {}  # by pidfd

    def serve(self) -> None:
        pending = b""
        try:
            while True:
                ready = self._wait()
                if 0 in ready:
                    block = os.read(0, _BLOCK)
                    if not block:
                        return
                    *lines, pending = (pending + block).split(b"\n")
                    for line in lines:
                        self._obey(line.decode())
                for handle in ready - {0}:
                    self._finish(self._children[handle], timed_out=False)
                now = time.monotonic()
                for late in [c for c in self._children.values() if c.deadline <= now]:
                    self._finish(late, timed_out=True)
        finally:
            for one in list(self._children.values()):
                _kill(one.pid)

    def _obey(self, line: str) -> None:
        message = json.loads(line)
        if "kill" not in message:
            self._start(Job.from_line(line))
        for unwanted in [c for c in self._children.values() if c.job.id == message.get("kill")]:
            _kill(unwanted.pid)  # its end is noticed as any other

    def _wait(self) -> set[int]:
        deadlines = [c.deadline for c in self._children.values()]
        wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        ready, _, _ = select.select([0, *self._children], [], [], wait)
        return set(ready)

    def _start(self, job: Job) -> None:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            child.run(job, self._readable)
        deadline = time.monotonic() + job.timeout_s
        handle = os.pidfd_open(pid)
        self._children[handle] = _Child(job, pid, handle, deadline)

    def _finish(self, one: _Child, *, timed_out: bool) -> None:
        _kill(one.pid)  # also whatever it started and left behind
        _, status, usage = os.wait4(one.pid, 0)
        os.close(one.handle)
        del self._children[one.handle]
        outcome = JobOutcome(
            id=one.job.id,
            exit_code=os.waitstatus_to_exitcode(status),
            timed_out=timed_out,
            peak_mib=usage.ru_maxrss // 1024,
        )
        _send(self._answers, asdict(outcome))


def _kill(pid: int) -> None:
    # The group exists once the child has called setsid; before that, the child alone.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
            kill(pid, signal.SIGKILL)
