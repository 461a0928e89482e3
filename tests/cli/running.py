"""Runs the command line, in this process or in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.cli import run_arguments

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold red]Der Probelauf[/bold red]\x1b[0m \x9b31mkostet "
    "\u202esiebzig\u202c Euro.\x00\x07"
)
"""What a document may try on a terminal: a title, a wipe, colours, markup, reversed writing."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


class CommandLine:
    """Runs commands in this process, over one data folder."""

    def __init__(self, data_dir: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.data_dir, self._capture = data_dir, capture

    def __call__(self, *arguments: str) -> Ran:
        self._capture.readouterr()
        code = run_arguments([*arguments, "--data-dir", str(self.data_dir)])
        out, err = self._capture.readouterr()
        return Ran(code, out, err)


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sovereign_rag.cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        env={**os.environ, **variables},
    )


def document_named(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(d for d in report["documents"] if d["uri"].endswith(name))
    return found
