"""What a document's processes take together, and their end: all of them, whatever they tried.

A limit of the kernel's holds for one process; here stands the sum over all that a document
started. Sessions and groups are refused to them (`syscalls.py`), so one signal reaches them all.
Where that filter is missing, a process that made itself a session is still found: its parent's
end makes it a child of the fork server, which adopts orphans to end them.

Sources: PR_SET_CHILD_SUBREAPER in prctl(2); task/[tid]/children, statm and smaps_rollup in proc(5).
"""

import contextlib
import ctypes
import os
import re
import resource
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.parse.document.job import Excess

LOOK_EVERY_S: Final = 0.1

_PR_SET_CHILD_SUBREAPER = 36
_MAX_PROCESSES: Final = 64
_MAX_DEPTH: Final = 64
_BLOCK = 512  # the unit of st_blocks, whatever the file system


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one document's processes may take together."""

    scratch: Path
    scratch_mib: int
    scratch_entries: int
    memory_mib: int


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def excess(pid: int, allowance: Allowance) -> Excess | None:
    """What `pid` and its descendants take too much of; None: nothing."""
    processes = [pid, *_descendants(pid)]
    if len(processes) > _MAX_PROCESSES:
        return "processes"
    most = allowance.memory_mib << 20
    # The first sum counts pages once for each process that shares them, and costs next to nothing.
    if sum(map(_resident_bytes, processes)) > most < sum(map(_own_share_bytes, processes)):
        return "memory"
    if _is_full(allowance):
        return "disk"
    return None


def kill_group(pid: int) -> None:
    """End a child of ours, its group and its descendants; they are not waited for."""
    descendants = _descendants(pid)
    # The group exists once the child has called setsid; before that, the child alone.
    for kill, target in ((os.killpg, pid), *((os.kill, one) for one in (pid, *descendants))):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
            kill(target, signal.SIGKILL)


def end_orphans(expected: Collection[int]) -> None:
    """End every child of this process that it did not start, until there is none."""
    while orphans := [pid for pid in _children(os.getpid()) if pid not in expected]:
        for pid in orphans:
            kill_group(pid)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def resident_mib(pid: int) -> int:
    """What a process keeps in memory beside files."""
    return _resident_bytes(pid) >> 20


def _descendants(pid: int) -> list[int]:
    """All below a process, as far as a look takes them: who has too many is ended anyway."""
    found, unseen = list[int](), [pid]
    while unseen and len(found) <= _MAX_PROCESSES:
        children = _children(unseen.pop())
        found += children
        unseen += children
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, or the system has no /proc
        for thread in os.listdir(f"/proc/{pid}/task"):
            listed = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
            found += map(int, listed.split())
    return found


def _resident_bytes(pid: int) -> int:
    try:
        numbers = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(numbers[1]) - int(numbers[2])) * resource.getpagesize()


def _own_share_bytes(pid: int) -> int:
    """What it keeps beside files, a page that n processes share counted for one n-th."""
    with contextlib.suppress(OSError):  # it has ended
        told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        if found := re.search(r"^Pss_Anon: +(\d+) kB", told, re.MULTILINE):
            return int(found[1]) << 10
    return 0


def _is_full(allowance: Allowance) -> bool:
    max_bytes = allowance.scratch_mib << 20
    entries = total = 0
    unseen = [(str(allowance.scratch), 0)]
    while unseen:
        parent, depth = unseen.pop()
        with contextlib.suppress(OSError), os.scandir(parent) as found:  # it went meanwhile
            for entry in found:
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    unseen.append((entry.path, depth + 1))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        if entries > allowance.scratch_entries or depth > _MAX_DEPTH or total > max_bytes:
            return True
    return False
