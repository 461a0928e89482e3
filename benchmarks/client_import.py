"""What a program pays for `import sovereign_rag.client`, beside what it is made of.

    python benchmarks/client_import.py [--times 7]

CPU seconds of a new Python process, less those of one that imports nothing; the least of all runs,
so other programs on the machine count little. The ratio is to `import httpx, pydantic` with a model
of one field, which no client of this kind can do without.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

_NOTHING: Final = "pass"
_FLOOR: Final = (
    "import httpx, pydantic; pydantic.create_model('M', x=(int, 0)).model_validate_json('{}')"
)
_CLIENT: Final = "import sovereign_rag.client"
_WANTED_S: Final = 0.3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=7, help="runs of each (default: 7)")
    times = parser.parse_args(arguments).times
    bare = _least(_NOTHING, times)
    floor, client = (_least(code, times) - bare for code in (_FLOOR, _CLIENT))
    print(f"sovereign_rag.client   {client:.3f} s CPU (at most {_WANTED_S} s is wanted)")
    print(f"httpx, pydantic        {floor:.3f} s CPU")
    print(f"ratio                  {client / floor:.2f}")
    return 0


def _least(code: str, times: int) -> float:
    """CPU seconds of a process that runs this."""
    return min(_spent(code) for _ in range(times))


def _spent(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


if __name__ == "__main__":
    raise SystemExit(main())
