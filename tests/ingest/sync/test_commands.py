"""Syncs at the command line, and the examples that the documentation gives of sources."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.sources import sidecar
from sovereign_rag.cli import run_arguments
from sovereign_rag.settings import load_settings

ROOT = Path(__file__).resolve().parents[3]
LONG_AGO = 1_700_000_000
TOO_MUCH = 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    (folder / "hr").mkdir(parents=True)
    (folder / "menu.txt").write_text("On Mondays there is lentil soup for everybody.\n")
    (folder / "hr" / "pay.txt").write_text("Grade seven earns what the gannet earns.\n")
    (folder / "hr" / ".access.yaml").write_text("readers: group:hr\n")
    for path in folder.rglob("*.txt"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


@pytest.mark.model
def test_a_source_is_synced_shown_and_protected(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sovereign-rag.toml"
    config.write_text(
        f'[sources.shared]\nkind = "folder"\npath = "{folder}"\nreaders = "group:staff"\n'
    )
    common = ["--data-dir", str(tmp_path / "data"), "--config", str(config)]

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_arguments([*arguments, *common])
        said = capsys.readouterr()
        return code, said.out, said.err

    def run_json(*arguments: str) -> Any:
        code, out, _ = run(*arguments, "--json")
        assert code == 0
        return json.loads(out)

    planned = run("sync", str(folder), "--dry-run")
    assert planned[0] == 0
    assert re.search(r"new +file://\S+/menu\.txt +group:staff +readers", planned[1])
    assert re.search(r"new +file://\S+/hr/pay\.txt +group:hr +sidecar", planned[1])

    (report,) = run_json("sync", "shared")["sources"]
    assert report["counts"]["new"] == 2
    assert report["documents"] == {"indexed": 2}
    assert report["left_out"] == []

    assert run("sync", "shared", "--readers", "everyone")[0] == 2  # they stand in the settings

    (listed,) = run_json("sources", "list")["sources"]
    assert (listed["name"], listed["kind"], listed["error"]) == ("shared", "folder", None)
    assert run_json("sources", "show", "shared")["items"] == 2

    for path in folder.rglob("*.txt"):
        path.unlink()
    code, _, said = run("sync", "shared")
    assert code == TOO_MUCH
    assert "--max-delete 100%" in said
    assert run_json("sync", "shared", "--max-delete", "2")["sources"][0]["counts"]["deleted"] == 2


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        (["sync", "nowhere"], "sources.NAME"),
        (["sync", ".", "--access", "magic"], "posix"),
        (["sync", ".", "--max-delete", "a few"], "10%"),
        (["sync", ".", "--readers", "finance"], "group:NAME"),
        (["watch", ".", "--every", "often"], "15m"),
    ],
)
def test_a_wrong_sync_command_says_what_is_right(
    arguments: list[str], way_out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_arguments([*arguments, "--data-dir", str(tmp_path)])

    assert code in {2, 5}
    assert way_out in capsys.readouterr().err


@pytest.mark.parametrize("source", ["docs/sources.md", "examples/sources.toml"])
def test_the_sections_that_are_given_as_examples_are_understood(
    source: str, tmp_path: Path
) -> None:
    text = (ROOT / source).read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL) or [text]
    config = tmp_path / "sovereign-rag.toml"
    config.write_text("\n".join(blocks))

    settings = load_settings(config=config)

    assert {section.kind for section in settings.sources.values()} == {
        "folder",
        "s3",
        "imap",
        "llama_index",
    }


@pytest.mark.parametrize("source", ["docs/sources.md", "examples/access.yaml"])
def test_the_sidecar_that_is_given_as_an_example_is_understood(source: str) -> None:
    text = (ROOT / source).read_text("utf-8")
    (block, *_) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) or [text]

    rules = sidecar.parse(block.encode())

    assert rules.general.readers == frozenset({"group:finance", "user:ana"})
    assert rules.for_path("2025/salaries-2025.xlsx").readers == frozenset({"group:hr"})
    assert rules.for_path("board/minutes/may.pdf").level == 3
