"""What is installed has its hash, and what has another one is refused."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.project.imports import ROOT, normal
from tests.project.pyproject import dependencies, pyproject

SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}")
STALE = "requirements.lock is older than constraints.txt: run `make lock`"


def locked() -> dict[str, tuple[str, list[str]]]:
    """The version and the hashes of each package."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin = re.match(r"([a-z0-9.-]+)==(\S+)", line)
            assert pin is not None, line
            found[normal(pin[1])] = (pin[2], SHA256.findall(line))
    return found


def test_the_lock_names_the_very_versions_of_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    split = (line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {normal(name): version for name, version in split}
    versions = {name: version for name, (version, _) in locked().items()}

    assert {name: versions.get(name) for name in pins} == pins, STALE


def test_every_package_of_the_lock_has_a_hash() -> None:
    assert len(locked()) > 200
    assert [name for name, (_, hashes) in locked().items() if not hashes] == []


def test_what_installs_and_builds_the_rest_is_locked_too() -> None:
    groups = pyproject()["dependency-groups"]
    wanted = [Requirement(line) for name in ("build", "lock") for line in groups[name]]
    found = locked()

    for requirement in [*dependencies(), *wanted]:
        assert normal(requirement.name) in found, STALE
        assert requirement.specifier.contains(found[normal(requirement.name)][0])
    assert {"pip", "cmake", "ninja", "scikit-build-core"} <= set(found)


@pytest.mark.parametrize("place", ["tools/setup.sh", "docker/Dockerfile"])
def test_setting_up_installs_by_the_lock_and_nothing_beside_it(place: str) -> None:
    text = (ROOT / place).read_text("utf-8").replace("\\\n", " ")
    runs = [line for line in text.splitlines() if re.search(r"\bpip\b.* install\b", line)]

    assert "tools/install.sh " in text
    held = ("--no-deps --no-build-isolation", "--no-deps --require-hashes")  # ourselves; by hashes
    plain = [" ".join(line.split()) for line in runs]
    assert [line for line in plain if not any(by in line for by in held)] == []


@pytest.mark.parametrize("is_whole", [True, False])
def test_pip_takes_a_file_with_its_hash_and_refuses_an_altered_one(
    tmp_path: Path, is_whole: bool
) -> None:
    """By the means of tools/install.sh: hashes of constraints, for a package that another needs."""
    wheel(tmp_path, "teapot", needs="teacup")
    cup = wheel(tmp_path, "teacup")
    digests = {p.name.partition("-")[0]: sha256(p) for p in tmp_path.glob("*.whl")}
    if not is_whole:
        with zipfile.ZipFile(cup, "a") as archive:
            archive.writestr("teacup/more.py", "print('more than was locked')")
    lock = tmp_path / "requirements.lock"
    lock.write_text("".join(f"{n}==1.0 --hash=sha256:{d}\n" for n, d in digests.items()))
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    options = ["--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "there")]

    ran = subprocess.run(
        [*pip, *options, "--require-hashes", "-c", str(lock), "teapot"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ran.returncode == 0) is is_whole, ran.stderr
    assert (tmp_path / "there" / "teacup.py").exists() is is_whole
    assert ("DO NOT MATCH THE HASHES" in ran.stderr) is not is_whole


def wheel(folder: Path, name: str, needs: str = "") -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    about += f"Requires-Dist: {needs}\n" if needs else ""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", about)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
