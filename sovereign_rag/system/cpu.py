"""How much of the machine this process may really use, and who goes first."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CPU_INFO = Path("/proc/cpuinfo")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MEMORY = Path("/sys/fs/cgroup/memory.max")
_LOWER, _LOWEST = 10, 19  # a tenth of the weight of others, and the least that there is


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


def has_amx() -> bool:
    """Whether the CPU multiplies tiles of matrices (Intel's AMX), as far as the kernel tells."""
    with suppress(OSError):
        return " amx_tile" in _CPU_INFO.read_text(encoding="ascii", errors="replace")
    return False


def yield_the_cores() -> None:
    """Let everything else go before the calling thread, for good; it still uses what is idle."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        thread = threading.get_native_id()
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(_LOWEST, own + _LOWER))


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
