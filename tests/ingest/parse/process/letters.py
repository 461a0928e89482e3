"""Files and programs for the tests of the sandbox."""

import os
import subprocess
import sys

import psutil  # type: ignore[import-untyped]  # the package has no types

SENTENCE = "The supplier delivers the goods within ten working days."


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PATH": os.defpath},
    )


def zygotes() -> list[psutil.Process]:
    here = psutil.Process().children()
    return [
        child for child in here if "ingest.parse.process.fork_server" in " ".join(child.cmdline())
    ]
