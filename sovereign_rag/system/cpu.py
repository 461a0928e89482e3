"""How much of the machine this process may really use: cores and memory."""

import os
from contextlib import suppress
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MEMORY = Path("/sys/fs/cgroup/memory.max")


def physical_cores() -> int:
    """Physical cores among those this process may run on, within its container's quota; >= 1.

    Arithmetic gains nothing from a core's second hardware thread, and threads beyond the quota
    wait for each other at every barrier.
    """
    usable = (
        os.sched_getaffinity(0)
        if hasattr(os, "sched_getaffinity")
        else set(range(os.cpu_count() or 1))
    )
    cores: set[str] = set()
    for cpu in usable:
        try:
            siblings = _TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list"
            cores.add(siblings.read_text(encoding="ascii"))
        except OSError:
            cores.add(str(cpu))
    return max(1, min(len(cores), _quota()))


def usable_cores() -> int:
    """Hardware threads that this process may run on, within its container's quota; >= 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, _quota()))


def _quota() -> int:
    """Whole cores that the container's quota is worth, rounded up."""
    with suppress(OSError, ValueError):  # no container, or no quota in it
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            return max(1, -(-int(quota) // int(period)))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Bytes of memory of this machine, or of its container where that has less."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no container
        return min(there, int(_MEMORY.read_text(encoding="ascii")))  # "max": no limit
    return there
