"""Hold the locked packages against an advisory database that was brought in by hand; no network.

    .venv/bin/python tools/check_advisories.py PATH              what requirements.lock names
    .venv/bin/python tools/check_advisories.py --installed PATH  what this Python has installed

PATH is a folder or a ZIP file of advisories in the OSV format, one JSON file each, such as the
export for PyPI of osv.dev (`all.zip`); copy it over from a machine with a network. Exit code 1: a
package has a known weakness. Exit code 2: the database can't be relied on.

Source: https://ossf.github.io/osv-schema/, its algorithm "Evaluation".
"""

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

ROOT: Final = Path(__file__).resolve().parent.parent
_ECOSYSTEM: Final = "PyPI"
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE | re.IGNORECASE)


class Unusable(Exception):
    """The database is not one, or holds nothing about Python packages."""


@dataclass(frozen=True, slots=True)
class Finding:
    package: str
    version: str
    advisory: str
    summary: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...]
    advisories: int  # of this ecosystem, and in force
    newest: str  # when the last of them was written or changed, as the database says it


def main() -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], epilog="The head of this file tells more."
    )
    parser.add_argument("database", type=Path, help="folder or ZIP file in the OSV format")
    parser.add_argument("--installed", action="store_true", help="check what is installed here")
    options = parser.parse_args()
    packages = installed() if options.installed else locked(ROOT / "requirements.lock")
    try:
        report = check(packages, advisories(options.database))
    except Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for one in report.findings:
        print(f"{one.package} {one.version}: {one.advisory}: {one.summary} ({one.way_out})")
    print(
        f"{len(report.findings)} weaknesses known in {len(packages)} packages, by "
        f"{report.advisories} advisories, the newest of {report.newest}"
    )
    return 1 if report.findings else 0


def locked(file: Path) -> dict[str, str]:
    """Packages of a requirements file with their versions."""
    return {_normal(name): version for name, version in _PIN.findall(file.read_text("utf-8"))}


def installed() -> dict[str, str]:
    """Packages of the Python that runs this, with their versions."""
    return {_normal(found.name): found.version for found in metadata.distributions()}


def advisories(database: Path) -> Iterator[dict[str, Any]]:
    """Every advisory of a folder or a ZIP file.

    Raises:
        Unusable: It is neither, or a file in it is no JSON: what could not be read may be the one.
    """
    for name, text in _files(database):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Unusable(f"{name} in {database} is no JSON; copy the database again") from error
        if isinstance(found, dict):
            yield found


def check(packages: Mapping[str, str], known: Iterable[Mapping[str, Any]]) -> Report:
    """The weaknesses that advisories name in packages.

    Raises:
        Unusable: No advisory is about Python packages.
    """
    findings, counted, newest = set[Finding](), 0, ""
    for advisory in known:
        if advisory.get("withdrawn"):
            continue
        ours = [
            affected
            for affected in advisory.get("affected", [])
            if affected.get("package", {}).get("ecosystem", "").split(":")[0] == _ECOSYSTEM
        ]
        counted += bool(ours)
        newest = max(newest, advisory.get("modified", "")) if ours else newest
        for affected in ours:
            name = _normal(affected["package"]["name"])
            if name in packages and _is_affected(packages[name], affected):
                findings.add(_finding(name, packages[name], advisory, affected))
    if not counted:
        raise Unusable(f"no advisory is about {_ECOSYSTEM}; take the export of that ecosystem")
    ordered = sorted(findings, key=lambda f: (f.package, f.advisory))
    return Report(tuple(ordered), counted, newest[:10] or "an unknown day")


def _files(database: Path) -> Iterator[tuple[str, bytes]]:
    if database.is_dir():
        for file in sorted(database.rglob("*.json")):
            yield file.name, file.read_bytes()
        return
    try:
        with zipfile.ZipFile(database) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield name, archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise Unusable(f"{database} is neither a folder nor a ZIP file of advisories") from error


def _is_affected(version: str, affected: Mapping[str, Any]) -> bool:
    public = version.partition("+")[0]
    if public in affected.get("versions", []):
        return True
    ranges = [r for r in affected.get("ranges", []) if r.get("type") == "ECOSYSTEM"]
    if not ranges:  # neither versions nor ranges: all of them
        return not affected.get("versions")
    return any(_is_within(public, one.get("events", [])) for one in ranges)


def _is_within(version: str, events: Iterable[Mapping[str, str]]) -> bool:
    """Whether a version lies in a range; yes where that can't be told."""
    try:
        own = Version(version)
        ordered = sorted(
            (Version("0.dev0" if at == "0" else at), kind)
            for event in events
            for kind, at in event.items()
        )
    except InvalidVersion:
        return True
    inside = False
    for at, kind in ordered:
        if kind == "introduced" and own >= at:
            inside = True
        elif (kind == "fixed" and own >= at) or (kind == "last_affected" and own > at):
            inside = False
    return inside


def _finding(
    name: str, version: str, advisory: Mapping[str, Any], affected: Mapping[str, Any]
) -> Finding:
    fixed = [
        event["fixed"]
        for one in affected.get("ranges", [])
        if one.get("type") == "ECOSYSTEM"
        for event in one.get("events", [])
        if "fixed" in event
    ]
    told = (advisory.get("summary") or advisory.get("details") or "").strip().partition("\n")[0]
    way_out = f"mended in {', '.join(fixed)}" if fixed else "no version mends it"
    return Finding(name, version, advisory.get("id", "unnamed"), told, way_out)


def _normal(name: str) -> str:
    """The name by which the index knows a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main())
