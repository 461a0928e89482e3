"""The bill of materials: valid CycloneDX, with all that is installed and nothing else."""

import json
from importlib.metadata import distributions
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sovereign_rag.compliance import sbom
from sovereign_rag.models import bundled
from sovereign_rag.settings import load_settings
from tests.cli.running import CommandLine
from tests.project.imports import normal


@pytest.fixture(scope="module")
def validator() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


@pytest.fixture(scope="module")
def bill() -> dict[str, object]:
    return sbom.bill(load_settings())


def test_it_is_valid_and_one_with_a_word_of_its_own_is_not(
    bill: dict[str, object], validator: JsonStrictValidator
) -> None:
    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps({**bill, "bomFormat": "a list"})) is not None


def test_every_installed_package_is_in_it_and_nothing_that_is_not(bill: dict[str, object]) -> None:
    components = bill["components"]
    assert isinstance(components, list)
    listed = {(p["name"], p["version"]) for p in components if p["type"] == "library"}
    names = {normal(d.metadata["Name"]) for d in distributions() if d.metadata["Name"]}

    assert {name for name, _ in listed} == names - {"sovereign-rag"}
    assert len(listed) == len({name for name, _ in listed})


@pytest.mark.model
def test_every_file_of_a_model_is_in_it_with_its_hash(bill: dict[str, object]) -> None:
    components = bill["components"]
    assert isinstance(components, list)
    (embedding,) = (p for p in components if p.get("description", "").startswith("embedding"))
    folder = bundled.multilingual_e5_small(load_settings().models_dir)

    files = {part["name"]: part["hashes"][0]["content"] for part in embedding["components"]}

    assert "model.safetensors" in files
    assert {name for name in files if "/" not in name} <= {p.name for p in folder.iterdir()}
    assert all(len(sha256) == 64 for sha256 in files.values())


def test_licences_are_a_list_for_people(cli: CommandLine) -> None:
    done = cli("sbom", "--licences", "--no-models")

    assert done.code == 0
    assert any(line.split()[:1] == ["cryptography"] for line in done.out.splitlines())


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(tmp_path / "data", capsys)
