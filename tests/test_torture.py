"""Workers killed, the store killed, the disk full: the index equals that of a quiet run."""

import json
import subprocess
import sys
from pathlib import Path


def test_whatever_happens_to_the_processes_the_index_is_that_of_a_quiet_run(
    repository: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        str(repository / "benchmarks" / "torture.py"),
        *("--documents", "20", "--rounds", "1", "--workers", "2", "--timeout", "500"),
        *("--keep", str(tmp_path)),
    ]

    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)

    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    shown = json.dumps(report, indent=1)  # whole, also where a report is cut line by line
    assert report["equal"], shown
    apart = [report[name] for name in ("missing", "doubled_or_left_over", "different")]
    assert apart == [0, 0, 0], shown
    assert report["points"] >= 20, shown
    blows = [report[name] for name in ("killed_workers", "killed_stores", "full_disks")]
    assert blows == [1, 1, 1], shown
