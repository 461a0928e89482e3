"""The process that imports every parser once and forks a confined child per document.

It reads jobs as lines of JSON on its standard input and answers with lines on its standard
output. It has one thread and never looks into a document itself. It looks after what a document's
processes take together (`supervise.py`). When its parent goes away, by closing the pipe or by
dying, it kills its children and what they started, and leaves.
"""

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
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ingest.parse.document import nlp  # before anything of unstructured

nlp.install()

from ingest.parse.document.job import Excess, Job, JobOutcome  # noqa: E402  - after that: what follows
from ingest.parse.process import child, namespaces, supervise  # noqa: E402  - imports unstructured
from ingest.parse.process.sandbox import die_with_parent  # noqa: E402  - likewise
from sovereign_rag.text import language  # noqa: E402  - likewise

_BLOCK = 1 << 16
_PRELOADED = (
    "charset_normalizer",
    "liteparse",
    "lxml.html",
    "magic",
    "icalendar",
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
    allowance: supervise.Allowance


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
    ForkServer(answers, sys.argv[1:], child.answer).serve()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _preload() -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    language.load()
    child.warm_up()
    heavy = [name for name in _NEVER_IMPORTED if name in sys.modules]
    if heavy or threading.active_count() > 1:
        raise RuntimeError(f"the fork server must stay light and single-threaded, found {heavy}")
    gc.collect()
    gc.freeze()  # what is shared with the children is not written to by their collector


def _send(handle: int, message: dict[str, object]) -> None:
    os.write(handle, json.dumps(message).encode() + b"\n")


class ForkServer:
    """Starts and ends the children.

    Args:
        answers: The file descriptor that outcomes are written to.
        readable: Paths that children may read.
        work: What a child does.
    """

    def __init__(self, answers: int, readable: Sequence[str], work: child.Work) -> None:
        self._answers, self._work = answers, work
        self._readable = tuple(readable)
        self._children: dict[int, _Child] = {}  # by pidfd
        self._forks = namespaces.Forks()
        self._own_mib = supervise.resident_mib(os.getpid())

    def serve(self) -> None:
        """Until the standard input ends."""
        supervise.adopt_orphans()
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
                    self._finish(self._children[handle], None)
                self._look_after()
        finally:
            for one in list(self._children.values()):
                supervise.kill_group(one.pid)
            supervise.end_orphans(())

    def _obey(self, line: str) -> None:
        message = json.loads(line)
        if "kill" not in message:
            self._start(Job.from_line(line))
        for unwanted in [c for c in self._children.values() if c.job.id == message.get("kill")]:
            supervise.kill_group(unwanted.pid)  # its end is noticed as any other

    def _wait(self) -> set[int]:
        wait = supervise.LOOK_EVERY_S if self._children else None
        ready, _, _ = select.select([0, *self._children], [], [], wait)
        return set(ready)

    def _look_after(self) -> None:
        now = time.monotonic()
        for one in list(self._children.values()):
            if one.deadline <= now:
                self._finish(one, "time")
            elif (excess := supervise.excess(one.pid, one.allowance)) is not None:
                self._finish(one, excess)
        supervise.end_orphans([one.pid for one in self._children.values()])

    def _start(self, job: Job) -> None:
        pid, is_first = self._forks.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            child.run(job, self._readable, self._work, is_first=is_first)
        deadline = time.monotonic() + job.timeout_s
        handle = os.pidfd_open(pid)
        # Several programs that each keep to the limit may not double it together.
        memory_mib = 2 * (job.memory_mib + self._own_mib)
        allowance = supervise.Allowance(
            Path(job.scratch), job.scratch_mib, job.scratch_entries, memory_mib
        )
        self._children[handle] = _Child(job, pid, handle, deadline, allowance)

    def _finish(self, one: _Child, excess: Excess | None) -> None:
        supervise.kill_group(one.pid)  # also whatever it started and left behind
        _, status, usage = os.wait4(one.pid, 0)
        os.close(one.handle)
        del self._children[one.handle]
        outcome = JobOutcome(
            id=one.job.id,
            exit_code=os.waitstatus_to_exitcode(status),
            excess=excess,
            peak_mib=usage.ru_maxrss // 1024,
        )
        _send(self._answers, asdict(outcome))
