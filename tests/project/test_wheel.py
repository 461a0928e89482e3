"""The wheel, installed into an environment of its own, away from the checkout."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.project.imports import ROOT

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "sovereign_rag", "ingest")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout gets no folders of the build."""
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, checkout / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(checkout)], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment's folder of programs; other packages come from the tests' environment."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched last, and .pth files in it, such as an editable
    # installation's, are not read.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--ignore-installed", str(wheel)], check=True, timeout=300
    )
    return folder / "bin"


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_both_packages(wheel: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in ("sovereign_rag", "ingest")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert files - names(wheel) == set()


def test_the_wheel_brings_licence_and_notice(wheel: Path) -> None:
    licences = {name.split("/licenses/")[1] for name in names(wheel) if "/licenses/" in name}

    assert licences == {"LICENSE", "NOTICE"}


def test_the_installed_packages_are_those_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    asked = "import ingest, sovereign_rag; print(ingest.__file__, sovereign_rag.__file__)"

    found = subprocess.run(
        [installed / "python", "-c", asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert all(Path(file).is_relative_to(installed.parent) for file in found), found


def test_the_installed_doctor_misses_no_package(installed: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [installed / "sovereign-rag", "doctor", "--json", "--data-dir", str(tmp_path / "data")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    checks = json.loads(ran.stdout)["checks"]
    packages = [check for check in checks if check["check"].startswith("package ")]
    assert ran.returncode == 0, ran.stderr
    assert len(packages) > 10
    assert all(check["state"] == "ok" for check in packages), packages


@pytest.fixture
def address(installed: Path, tmp_path: Path) -> Iterator[str]:
    """Where the installed product serves, in a folder without a checkout."""
    options = ("serve", "--port", "0", "--allow-anonymous", "--data-dir", str(tmp_path / "data"))
    running = subprocess.Popen(
        [str(installed / "sovereign-rag"), *options],
        cwd=tmp_path,
        env={**os.environ, "SOVEREIGN_RAG_GENERATION__EXAM": "false"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        assert select.select([running.stdout], [], [], 120)[0], "it did not say where it serves"
        yield running.stdout.readline().strip()
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=60)
        running.stdout.close()


def test_the_installed_server_answers_as_soon_as_it_has_said_where(address: str) -> None:
    health = httpx.get(f"{address}/healthz", timeout=60, trust_env=False)
    page = httpx.get(f"{address}/", timeout=60, trust_env=False, headers={"Accept": "text/html"})

    assert health.status_code == 200
    assert page.status_code == 200
    assert "<form" in page.text
