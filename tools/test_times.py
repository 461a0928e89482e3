"""Print what a test run spent its time on, by folder: `.venv/bin/python tools/test_times.py`.

Reads what `make test` and `make test-fast` wrote; other files of pytest's --junitxml as arguments.
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

ROOT: Final = Path(__file__).resolve().parent.parent
LAST_RUN: Final = ROOT / ".pytest_cache" / "times.xml"


def main(files: list[Path]) -> None:
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):  # noqa: S314 - our own file
            folder = _folder(case.get("classname", ""))
            seconds[folder] += float(case.get("time", 0))
            tests[folder] += 1
    print("| folder | tests | seconds |\n|---|---|---|")
    for folder in sorted(seconds, key=lambda name: -seconds[name]):
        print(f"| `{folder}` | {tests[folder]} | {seconds[folder]:.0f} |")
    print(f"| **all** | {sum(tests.values())} | {sum(seconds.values()):.0f} |")


def _folder(dotted: str) -> str:
    """tests.ingest.parse.test_pdf -> tests/ingest/parse; a file beside folders is its own."""
    parts = dotted.split(".")
    module = next(i for i, part in enumerate(parts) if part.startswith("test_"))
    deepest = min(module, 3 if parts[1] == "ingest" else 2)
    return "/".join(parts[:deepest]) if deepest > 1 else "/".join(parts[: module + 1]) + ".py"


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [LAST_RUN])
