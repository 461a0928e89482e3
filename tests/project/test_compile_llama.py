"""The compilation of llama.cpp: the real script, with a Python whose pip only prints."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tools" / "compile_llama.sh"


def compiled(folder: Path, pip: str) -> subprocess.CompletedProcess[str]:
    """Run the script with `pip` as what stands in for pip, a piece of shell."""
    python = folder / "python"
    python.write_text(f"#!/bin/bash\n{pip}\n", encoding="utf-8")
    python.chmod(0o755)
    environment = {"PATH": os.defpath, "TMPDIR": str(folder), "CMAKE_ARGS": "-DGGML_NATIVE=OFF"}
    return subprocess.run(
        [SCRIPT, python], env=environment, capture_output=True, text=True, check=False
    )


def test_it_tells_how_many_steps_there_are_and_how_long_they_take(tmp_path: Path) -> None:
    done = compiled(tmp_path, "echo configuring; echo '[1/83] Building CXX'; echo '[2/83] more'")

    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "Compiling llama.cpp in 83 steps: some 4 minutes on two cores that do nothing else"
    ]


def test_a_failure_is_shown_with_what_the_compiler_said_last(tmp_path: Path) -> None:
    done = compiled(tmp_path, "echo '[1/2] Building CXX'; echo 'error: no such header'; exit 1")

    assert done.returncode == 1
    assert "error: no such header" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "python"]


def test_only_the_library_is_built_by_hash_and_with_what_the_caller_wants(tmp_path: Path) -> None:
    done = compiled(tmp_path, 'echo "$CMAKE_ARGS|$PIP_REQUIRE_HASHES|$*" >&2; exit 1')

    flags, hashes, arguments = done.stderr.splitlines()[-1].split("|")
    assert flags.split()[0] == "-DLLAVA_BUILD=OFF"
    assert flags.split()[-1] == "-DGGML_NATIVE=OFF"
    assert hashes == "1"
    assert "--build-constraint requirements.lock llama-cpp-python" in arguments
