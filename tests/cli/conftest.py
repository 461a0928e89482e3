"""The command line over an empty data folder, and over one with documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.cli import run_arguments
from tests.cli.running import CommandLine, command


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line over an empty data folder."""
    return CommandLine(tmp_path / "data", capsys)


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data folder with documents, and what `ingest` reported of it; for tests that only read."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "urlaub.md").write_text(
        "# Urlaubsordnung\n\n## Dauer\n\nJeder Angestellte hat dreißig Tage Urlaub im Jahr.\n",
        encoding="utf-8",
    )
    (folder / "preavis.txt").write_text(
        "La durée du préavis est de trois mois pour les cadres.\n", encoding="utf-8"
    )
    (folder / "probe\x1b]0;owned\x07\x1b[2J[red].txt").write_text(
        "[bold red]Der Probelauf[/bold red] kostet \u202esiebzig\u202c Euro.\n", encoding="utf-8"
    )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that could be read")
    restricted = tmp_path_factory.mktemp("restricted")
    (restricted / "gehalt.txt").write_text(
        "Das Gehalt der Leitung steigt um vier Prozent.\n", encoding="utf-8"
    )
    (restricted / "notiz.txt").write_text("Eine Notiz über Zitronen.\n", encoding="utf-8")
    data = tmp_path_factory.mktemp("data")
    done = command("ingest", str(folder), "--json", "--data-dir", str(data))
    assert done.returncode == 6, done.stderr
    for_hr = ("--readers", "group:hr", "--data-dir", str(data))
    assert run_arguments(["ingest", str(restricted), *for_hr]) == 0
    return data, json.loads(done.stdout)


@pytest.fixture
def reading(filled: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line over the documents of `filled`."""
    return CommandLine(filled[0], capsys)
