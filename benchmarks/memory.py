"""Memory of the process that ingests, over one long job.

    python benchmarks/memory.py                     2,000 documents, compared with the first 200
    python benchmarks/memory.py --documents 600 --settled 100

Takes generated files in with a worker in this process, as `sovereign-rag ingest` does, and notes
its resident memory as documents end. The models are loaded by the first document, so the figure to
compare with is the one after the first 200. Prints a line for each step on standard error and one
line of JSON; exit code 0: the ratio is at most 1.15.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from generated_files import corpus

from ingest.jobs.ingestion import IngestProgress
from sovereign_rag.access import local_owner
from sovereign_rag.settings import load_settings
from sovereign_rag.wiring import open_service

MOST = 1.15


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=2_000, help="files in the job (2000)")
    parser.add_argument(
        "--settled", type=int, default=200, help="files after which memory is compared (200)"
    )
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="memory-"))
    try:
        report = measure(folder, documents=arguments.documents, settled=arguments.settled)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # an engine may still be leaving
    print(json.dumps(report))
    return 0 if report["ratio"] <= MOST else 1


def measure(folder: Path, *, documents: int, settled: int) -> dict[str, float]:
    """Resident memory of this process in MiB, by documents done, and their ratio."""
    corpus(folder / "documents", documents)
    readings: dict[int, float] = {}
    begin = time.monotonic()

    def note(progress: IngestProgress) -> None:
        step = progress.done // settled * settled
        if step and step not in readings:
            readings[step] = resident_mib()
            seconds = time.monotonic() - begin
            print(f"{step:6} {readings[step]:8.1f} MiB {seconds:7.1f} s", file=sys.stderr)

    settings = load_settings(
        overrides={
            "data_dir": folder / "data",
            "embedding": {"threads": 1},  # more only wait for each other on a busy machine
            "parse": {"workers": 2},
        }
    )
    with open_service(settings) as application:
        report = application.ingestion.ingest(
            [folder / "documents"], local_owner(), on_progress=note
        )
        at_the_end = resident_mib()
    return {
        "documents": documents,
        "failed": report.job.failed,
        "settled_mib": readings[settled],
        "end_mib": at_the_end,
        "most_mib": max(*readings.values(), at_the_end),
        "ratio": round(at_the_end / readings[settled], 3),
        "seconds": round(time.monotonic() - begin, 1),
    }


def resident_mib() -> float:
    """What the kernel keeps of this process in memory right now, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError("/proc/self/status has no VmRSS")


if __name__ == "__main__":
    sys.exit(main())
