"""What an answer cost in energy: measured where the processor tells, else estimated and said so.

Both are of the whole machine for as long as the answer took, other work included: an upper bound.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sovereign_rag.domain import Energy

_POWERCAP = Path("/sys/class/powercap")
_PACKAGES = "intel-rapl:[0-9]"  # a processor package each, AMD's too; their parts are not added
_CPU_TIMES = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class _Counter:
    """An energy counter of the kernel's power capping interface, in microjoules."""

    file: Path
    wraps_at: int

    def read(self) -> int:
        return int(self.file.read_text())


class EnergyMeter:
    """Reads RAPL counters (Linux powercap) where this user may; else CPU time times watts."""

    def __init__(self, *, watts_per_core: float, powercap: Path = _POWERCAP) -> None:
        """`watts_per_core` is what one busy core draws, for the estimate."""
        self._watts = watts_per_core
        self._counters = _readable_counters(powercap)

    def now(self) -> tuple[float, ...]:
        """A reading, for `since`."""
        if self._counters:
            with suppress(OSError, ValueError):  # taken away while running: estimated
                return tuple(float(counter.read()) for counter in self._counters)
        return (_busy_s(),)

    def since(self, before: tuple[float, ...]) -> Energy:
        """What was used since a reading."""
        after = self.now()
        if self._counters and len(after) == len(before) == len(self._counters):
            used = sum(
                (end - begin) % counter.wraps_at
                for counter, begin, end in zip(self._counters, before, after, strict=True)
            )
            return Energy(joules=round(used / 1e6, 1), measured=True)
        return Energy(joules=round((after[0] - before[0]) * self._watts, 1), measured=False)


def _readable_counters(folder: Path) -> list[_Counter]:
    found = []
    for package in sorted(folder.glob(_PACKAGES)):
        with suppress(OSError, ValueError):  # root alone may read them on many kernels
            counter = _Counter(
                package / "energy_uj", int((package / "max_energy_range_uj").read_text())
            )
            counter.read()
            found.append(counter)
    return found


def _busy_s() -> float:
    """Seconds that all cores together were busy since the machine started (proc(5))."""
    try:
        user, nice, system, _idle, _iowait, irq, softirq = map(
            int, _CPU_TIMES.read_text().split(maxsplit=8)[1:8]
        )
    except (OSError, ValueError):
        return sum(os.times()[:4])  # no /proc: at least this process
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
