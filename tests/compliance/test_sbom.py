"""The bill of materials: valid CycloneDX, with all that is installed and nothing else."""

import json
import zipfile
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sovereign_rag.compliance import sbom
from sovereign_rag.models import bundled
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.settings import load_settings
from sovereign_rag.system.tesseract import installed_recogniser
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


@pytest.mark.model
def test_the_files_that_scans_are_recognised_by_are_in_it(bill: dict[str, Any]) -> None:
    data = installed_recogniser().folder
    assert data is not None
    listed = {
        part["name"]: part["hashes"][0]["content"]
        for part in bill["components"]
        if part.get("description", "").startswith("recognition")
    }

    assert {"tesseract-fra", "tesseract-deu", "tesseract-osd"} <= set(listed)
    assert listed["tesseract-fra"] == hash_file(data / "fra.traineddata")


@pytest.mark.model
def test_every_model_in_it_says_its_known_limits_and_a_package_none(bill: dict[str, Any]) -> None:
    stated = {
        part["name"]: part["modelCard"]["considerations"]["technicalLimitations"]
        for part in bill["components"]
        if part["type"] == "machine-learning-model"
    }

    assert all(isinstance(word, str) and word for (word,) in stated.values())
    assert "handwriting" in stated["tesseract-fra"][0]
    assert "512 tokens" in stated["multilingual-e5-small"][0]
    assert not any("modelCard" in p for p in bill["components"] if p["type"] == "library")


def test_a_folder_of_wheels_is_listed_by_what_each_says_and_not_what_is_installed(
    cli: CommandLine, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "A_Thing-1.0-py3-none-any.whl", "w") as made:
        about = "Metadata-Version: 2.4\nName: A.Thing\nVersion: 1.0\nLicense-Expression: MIT\n"
        made.writestr("A_Thing-1.0.dist-info/METADATA", about)

    listed = cli("sbom", "--no-models", "--wheels", str(wheels))
    (wheels / "other-1.0-py3-none-any.whl").write_bytes(b"no archive")
    refused = cli("sbom", "--no-models", "--wheels", str(wheels))

    (component,) = json.loads(listed.out)["components"]
    assert component["purl"] == "pkg:pypi/a-thing@1.0"
    assert component["licenses"] == [{"expression": "MIT"}]
    assert refused.code == 2
    assert "is no wheel" in refused.err


def test_licences_are_a_list_for_people(cli: CommandLine) -> None:
    done = cli("sbom", "--licences", "--no-models")

    assert done.code == 0
    assert any(line.split()[:1] == ["cryptography"] for line in done.out.splitlines())


def drop_a_component(bill: dict[str, Any]) -> None:
    bill["components"].pop()


def change_a_hash(bill: dict[str, Any]) -> None:
    bill["components"][0]["version"] = "0.0.0"


def leave_it(bill: dict[str, Any]) -> None:
    """As it was signed."""


@pytest.mark.parametrize(
    ("attack", "code"), [(leave_it, 0), (drop_a_component, 2), (change_a_hash, 2)]
)
def test_a_signed_one_that_was_tampered_with_is_refused(
    cli: CommandLine, tmp_path: Path, attack: Callable[[dict[str, Any]], None], code: int
) -> None:
    file, key, public = tmp_path / "sbom.cdx.json", tmp_path / "dpo.pem", tmp_path / "dpo.pub"
    made = Ed25519PrivateKey.generate()
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    key.write_bytes(made.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    key.chmod(0o600)
    public.write_bytes(
        made.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = cli("sbom", "--no-models", "--to", str(file), "--key", str(key))
    bill = json.loads(file.read_text("utf-8"))

    attack(bill)
    file.write_text(json.dumps(bill, indent=2) + "\n", "utf-8")
    checked = cli("sbom", "--verify", str(file), "--public-key", str(public))

    assert signed.code == 0
    assert (checked.code, "is as it was signed" in checked.out) == (code, code == 0)
    assert ("was changed since" in checked.err) == (code != 0)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(tmp_path / "data", capsys)
