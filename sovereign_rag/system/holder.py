"""The names that leases are held under: which process of which machine, and if it still runs."""

import os
import socket
import uuid
from contextlib import suppress


def holder_name() -> str:
    """A name for whoever holds something in the catalog: it says which process, and is unique."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def is_dead(holder: str) -> bool:
    """Whether `holder` was a process of this machine that runs no more.

    False of one on another machine: whether that runs can't be seen from here, its lease runs out.
    """
    pid = _local_pid(holder)
    return pid is not None and not _is_running(pid)


def _local_pid(holder: str) -> int | None:
    machine, _, rest = holder.rpartition(":")[0].rpartition(":")
    return int(rest) if machine == _machine() and rest.isdecimal() else None


def _is_running(pid: int) -> bool:
    with suppress(PermissionError):  # somebody else's process, so there is one
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _machine() -> str:
    """This machine, or the container on it: what a process id counts in."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{socket.gethostname()}/{space}"
