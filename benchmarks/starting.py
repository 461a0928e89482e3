"""What it costs to start: a cold `ask`, and `serve` until it is ready, in CPU seconds.

    python benchmarks/starting.py [--times 3]

One small document is taken in, then each command is run in turn, in processes of its own. Beside
them stands the floor: a Python that imports what no answer can do without (PyTorch, the tokenizer,
the vector database's client, for `serve` the web framework). CPU seconds are those of the process
and its children, so other programs on the machine count little; the clock is shown beside. The
least of all runs is printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # the package has no types

_DOCUMENT = "# Leave\n\nAll team members have 38 days of leave.\n"
_QUESTION = "How many days of leave does everybody have?"
_FLOORS = {
    "ask": "import torch, tokenizers, qdrant_client, sqlalchemy, pydantic_settings",
    "serve": "import torch, tokenizers, qdrant_client, sqlalchemy, pydantic_settings, fastapi, "
    "uvicorn",
}
_READY_S = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=3, help="runs of each (default: 3)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as work:
        folder = Path(work)
        (folder / "leave.md").write_text(_DOCUMENT, encoding="utf-8")
        data = ["--data-dir", str(folder / "data")]
        command = [sys.executable, "-m", "sovereign_rag"]
        taken_in = [*command, "ingest", str(folder / "leave.md"), "--readers", "everyone", *data]
        subprocess.run(taken_in, check=True, capture_output=True)
        ask = [*command, "ask", _QUESTION, "--kind", "extracts", *data]
        serve = [*command, "serve", "--allow-anonymous", "--port", "0", *data]
        print(f"{'':8}{'CPU s':>8}{'clock s':>9}{'floor CPU s':>13}{'ratio':>7}")
        for name, run, command_line in (("ask", _ended, ask), ("serve", _ready, serve)):
            cpu_s, seconds = _least(run, command_line, chosen.times)
            floor_s, _ = _least(_ended, [sys.executable, "-c", _FLOORS[name]], chosen.times)
            print(f"{name:8}{cpu_s:8.1f}{seconds:9.1f}{floor_s:13.1f}{cpu_s / floor_s:7.2f}")
    return 0


def _least(
    run: Callable[[Sequence[str]], tuple[float, float]], command: Sequence[str], times: int
) -> tuple[float, float]:
    found = [run(command) for _ in range(times)]
    return min(cpu for cpu, _ in found), min(seconds for _, seconds in found)


def _ended(command: Sequence[str]) -> tuple[float, float]:
    """(CPU seconds, seconds) of a command that ends by itself."""
    before, began = os.times(), time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system, time.monotonic() - began


def _ready(command: Sequence[str]) -> tuple[float, float]:
    """(CPU seconds, seconds) until a service says that it is ready."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            httpx.get(f"{address}/readyz", timeout=_READY_S).raise_for_status()
            seconds = time.monotonic() - began
            root = psutil.Process(process.pid)
            spent = sum(sum(one.cpu_times()[:2]) for one in (root, *root.children(recursive=True)))
        finally:
            process.terminate()
    return spent, seconds


if __name__ == "__main__":
    sys.exit(main())
