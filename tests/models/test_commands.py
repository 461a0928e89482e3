"""The commands that choose, bring and remove models, and what they leave on record."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.cli import run_arguments
from sovereign_rag.models import bundled, catalogue
from sovereign_rag.models.registry import Registry
from sovereign_rag.system.cpu import memory_bytes
from tests.hub import Hub, hub

__all__ = ["hub"]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    config = tmp_path / "settings.toml"
    config.write_text(f'models_dir = "{tmp_path / "models"}"\n', encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_arguments(
            [*arguments, "--data-dir", str(tmp_path / "data"), "--config", str(config)]
        )
        out, err = capsys.readouterr()
        return code, out, err

    return run


Cli = Callable[..., tuple[int, str, str]]


def audited(cli: Cli) -> list[tuple[str, dict[str, Any]]]:
    entries = json.loads(cli("audit", "show", "--json")[1])["entries"]
    return [(entry["action"], entry["detail"]) for entry in entries]


def test_the_catalogue_tells_what_fits_this_machine(cli: Cli) -> None:
    _, plain, note = cli("models", "catalogue")
    told = json.loads(cli("models", "catalogue", "--json")[1])

    assert "mistral-7b-instruct-v0.3-q4_k_m" in plain
    assert "models fetch" in note
    assert len(told["models"]) == len(catalogue.catalogue())
    for model in told["models"]:
        assert model["fits"] == (model["memory"] <= memory_bytes())
        assert model["imported"] is False


def test_fetching_with_print_contacts_nobody(cli: Cli) -> None:
    name = "ministral-3-3b-instruct-2512-q4_k_m"

    code, out, _ = cli("models", "fetch", name, "--print", "--mirror", "https://hub.example.org")

    assert code == 0
    assert "https://hub.example.org/mistralai/Ministral-3-3B-Instruct-2512-GGUF/resolve/" in out
    assert "sha256sum -c" in out
    assert audited(cli) == []


def test_a_fetch_that_fails_prints_what_to_carry_and_is_on_record(cli: Cli, hub: Hub) -> None:
    name = "ministral-3-3b-instruct-2512-q4_k_m"

    code, out, err = cli("models", "fetch", name, "--mirror", hub.url)

    assert code == 3
    assert "not the file of the catalogue" in err
    assert "sha256sum -c" in out
    (begun, asked), (ended, failure) = audited(cli)
    assert (begun, ended) == ("models.fetch", "models.fetch.failed")
    assert asked["url"].startswith(hub.url)
    assert failure["error"] == "ModelError"


def test_nothing_is_fetched_that_cannot_be_recorded(cli: Cli, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "audit").write_text("in the way", encoding="utf-8")

    code, _, err = cli("models", "fetch", "mistral-7b-instruct-v0.3-q8_0", "--mirror", hub.url)

    assert (code, "audit" in err) == (3, True)
    assert hub.seen == []


@pytest.mark.model
def test_a_model_is_imported_listed_and_removed_by_commands(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "Small.gguf"
    shutil.copyfile(bundled.smollm2(), file)

    said = ("--languages", "en,fr", "--limits", "Small talk alone.")
    brought = cli("models", "import", str(file), "--no-exam", "--json", *said)
    refused = cli("models", "import", str(file), "--languages", "French and German")
    record_content = json.loads(brought[1])
    imported = record_content["imported"]
    registry = Registry(tmp_path / "models")
    present = [(m.name, m.languages, m.limits) for m in registry.all()]
    removed = cli("models", "remove", "small")

    assert record_content["exam"] is None
    assert (imported["name"], imported["hash_from"]) == ("small", "admin")
    assert imported["sha256"] == bundled.SMOLLM2_SHA256
    assert present == [("small", ("en", "fr"), "Small talk alone.")]
    assert (refused[0], "as in fr,de" in refused[2]) == (2, True)
    assert removed[0] == 0
    assert registry.all() == ()
    assert [action for action, _ in audited(cli)] == [
        *("models.import", "models.import.done", "models.remove", "models.remove.done"),
    ]
