"""Which way of computing is fastest for a model on this machine: measured once, kept on disk.

Kept under the model's hash, the CPU and the library's version, so that a change of one of them
is measured anew. What is kept holds from the next start of the engine on.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.compute_options import (
    Choice,
    Computing,
    WaitPolicy,
    defaults,
    environment,
    may_repack,
    most_lanes,
)
from sovereign_rag.generation.requantize import arranged_copy
from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.settings import Settings
from sovereign_rag.system import offline
from sovereign_rag.system.cpu import memory_bytes, physical_cores

BUDGET_S: Final = 20.0  # for all runs together, the loading not counted
_RUNS: Final = 3
_LOAD_S: Final = 120.0  # longest that loading may take before a run is given up
_TRIED: Final = "2"  # what is measured; another number has it measured anew
_FILE: Final = "tuning.json"
_PACKAGE_ROOT: Final = Path(__file__).parents[2]
_SPINNING_RISK: Final = 1.25
_LANES_GAIN: Final = 1.15  # each more has a context's memory: it has to pay
_BLOCK_GAIN: Final = 1.15  # a larger block holds up the others' next word: it has to pay
# An answer's usual tokens, by which one way of computing is weighed against another.
_READ, _WRITTEN_ALONE, _WRITTEN_BESIDE = 600, 50, 50


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens a second of one way of computing, the best threads and block chosen already."""

    choice: Choice
    read: float  # of a prompt
    write: float  # of one answer alone
    wide: float  # of eight answers at once, together

    @property
    def answer_s(self) -> float:
        """Seconds for an answer of usual length, by which the choice is made.

        Threads that spin count as slower than measured: it was a quiet moment, and they lose
        most in busy ones.
        """
        seconds = _READ / self.read + _WRITTEN_ALONE / self.write + _WRITTEN_BESIDE / self.wide
        return seconds * (_SPINNING_RISK if self.choice.waiting == "active" else 1)


class Tuning:
    """Measures one model, and keeps what it found."""

    def __init__(
        self, header: GgufHeader, sha256: str, *, folder: Path, arranged: Path | None = None
    ) -> None:
        """`folder` holds the file in which results are kept, of all models.

        `arranged` is the copy that is computed instead of the file, once it was made.
        """
        self._arranged = arranged
        self._header, self._folder = header, folder
        facts = (sha256, _cpu(), str(physical_cores()), _library(), _TRIED)
        self.key = hashlib.sha256("\0".join(facts).encode()).hexdigest()

    @classmethod
    def of(cls, settings: Settings, header: GgufHeader, sha256: str) -> Self:
        arranged = arranged_copy(settings, header, sha256)
        return cls(header, sha256, folder=settings.models_dir, arranged=arranged)

    def kept(self) -> Choice | None:
        """What was found before; None: nothing was measured, or it can't be read."""
        entry = _read(self._folder / _FILE).get(self.key)
        try:
            return None if entry is None else _choice(entry["choice"])
        except (KeyError, TypeError):
            return None

    def measure(self, *, stop: Callable[[], bool] = lambda: False) -> tuple[Speeds, ...] | None:
        """Measure and keep the best; the fastest first.

        Args:
            stop: Asked several times a second; True gives up, because the machine is needed.

        Returns:
            The ways that were tried; None: it was given up.

        Raises:
            GenerationError: llama.cpp can't load the model, or its process died.
        """
        first = defaults(self._header).computing.repack
        tried: list[Speeds] = []
        flips = [first]
        if first or (self._has_room_to_repack() and may_repack()):
            flips.append(not first)
        for repack in flips:
            speeds = self._run(repack, "passive", stop)
            if speeds is None:
                return None
            tried.append(speeds)
        best = min(tried, key=lambda speeds: speeds.answer_s)
        speeds = self._run(best.choice.computing.repack, "active", stop)
        if speeds is None:
            return None
        tried.append(speeds)
        tried.sort(key=lambda speeds: speeds.answer_s)
        self._keep(tried[0])
        return tuple(tried)

    def _has_room_to_repack(self) -> bool:
        """Whether two copies of the weights, beside the engine's own, leave half the memory."""
        return 3 * self._header.size < memory_bytes() / 2

    def _run(self, repack: bool, waiting: WaitPolicy, stop: Callable[[], bool]) -> Speeds | None:
        made = self._arranged is not None and self._arranged.is_file()
        order = {
            "model": str(self._arranged if made else self._header.path),
            "cores": physical_cores(),
            "lanes": most_lanes(self._header),
            "repack": repack,
            "seconds": BUDGET_S / _RUNS,
        }
        begin = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "sovereign_rag.generation.measure", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **offline.for_child(),
                "PYTHONPATH": str(_PACKAGE_ROOT),
                "PATH": os.pathsep.join(os.get_exec_path()),
                "LANG": "C.UTF-8",
                **environment(waiting),
            },
        ) as process:
            assert process.stdout is not None
            while process.poll() is None:
                if stop():
                    process.kill()
                    return None
                if time.monotonic() - begin > _LOAD_S + BUDGET_S:
                    process.kill()
                with suppress(subprocess.TimeoutExpired):  # it goes on; time to look at `stop`
                    process.wait(0.2)
            text = process.stdout.read()
        try:
            reply: Mapping[str, Any] = json.loads(text)
        except ValueError:
            reply = {"failed": f"its process ended with code {process.returncode}"}
        if "failed" in reply:
            raise GenerationError(
                f"The model's speed can't be measured: {reply['failed']}. The defaults hold; set "
                "generation.tune to false to try no more."
            )
        return _speeds(reply, repack, waiting)

    def _keep(self, speeds: Speeds) -> None:
        """A folder that can't be written costs another measurement, nothing else."""
        entry = {
            "model": self._header.path.name,
            "choice": asdict(speeds.choice),
            "read": round(speeds.read, 1),
            "write": round(speeds.write, 1),
            "wide": round(speeds.wide, 1),
        }
        with suppress(OSError, Timeout):  # not kept: it is measured again another time
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / f".{_FILE}.lock", timeout=10):
                content = _read(self._folder / _FILE) | {self.key: entry}
                handle, scratch = tempfile.mkstemp(dir=self._folder, prefix=f".{_FILE}-")
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=1)
                Path(scratch).replace(self._folder / _FILE)


def _speeds(reply: Mapping[str, Any], repack: bool, waiting: WaitPolicy) -> Speeds:
    reads = {int(block): float(speed) for block, speed in reply["read"].items()}
    writes = {int(threads): float(speed) for threads, speed in reply["write"].items()}
    wide = {int(threads): float(speed) for threads, speed in reply["wide"].items()}
    side_by_side = {int(lanes): float(speed) for lanes, speed in reply["lanes"].items()}
    block = min(reads)
    for larger in sorted(reads):
        if reads[larger] > _BLOCK_GAIN * reads[block]:
            block = larger
    threads, batch = max(writes, key=writes.__getitem__), max(wide, key=wide.__getitem__)
    speed, count = wide[batch], 1
    for lanes in sorted(side_by_side):
        if side_by_side[lanes] > _LANES_GAIN * speed:
            speed, count, threads, batch = side_by_side[lanes], lanes, 1, 1
    computing = Computing(threads, batch, repack, block, lanes=count)
    return Speeds(Choice(waiting, computing), reads[block], writes[threads], speed)


def _choice(entry: Mapping[str, Any]) -> Choice:
    choice = Choice(entry["waiting"], Computing(**entry["computing"]))
    numbers = (choice.computing.threads, choice.computing.threads_batch)
    if choice.waiting not in ("passive", "active") or min(numbers) < 1:
        raise TypeError("not what was written")
    return choice


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _library() -> str:
    """Its version; until it is compiled, answers are quotes and nothing was measured with it."""
    try:
        return importlib.metadata.version("llama_cpp_python")
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _cpu() -> str:
    """What tells one kind of CPU from another: its name and what it can do."""
    with suppress(OSError):  # no Linux: the platform has a word for it below
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
        if told:
            return "\n".join(sorted(told))
    return f"{platform.machine()} {platform.processor()}"
