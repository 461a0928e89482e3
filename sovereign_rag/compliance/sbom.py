"""A bill of materials in CycloneDX 1.6: every package, and every file of every model."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

from sovereign_rag.errors import BadInput, ModelMissing
from sovereign_rag.models.inventory import all_models
from sovereign_rag.models.manifest import ModelEntry, hash_file, hash_folder
from sovereign_rag.models.recognition import recognition_entries
from sovereign_rag.settings import Settings
from sovereign_rag.version import VERSION

_OWN: Final = "sovereign-rag"
_TASKS: Final = {
    "embedding": "feature-extraction",
    "generation": "text-generation",
    "recognition": "image-to-text",
}
_LICENCE_CLASSIFIER: Final = "License :: OSI Approved :: "
_EXPRESSION: Final = re.compile(r"[A-Za-z0-9.+() -]+")


def bill(
    settings: Settings, *, with_models: bool = True, wheels: Path | None = None
) -> dict[str, Any]:
    """The bill of this very installation, as plain JSON types.

    Args:
        wheels: A folder of them, to be listed instead of the packages that are installed.
        with_models: Hash the models that the settings name and that were imported; takes as long
            as reading them takes where they were not hashed before.

    Raises:
        BadInput: A file among the wheels is none.
        ModelError: A model can't be read.
    """
    all_packages = _installed() if wheels is None else _in(wheels)
    packages = [_package(found) for found in all_packages if _name_of(found) != _OWN]
    models = [_model(entry) for entry in _models(settings)] if with_models else []
    own = {
        "type": "application",
        "bom-ref": _OWN,
        "name": _OWN,
        "version": VERSION,
        "purl": f"pkg:pypi/{_OWN}@{VERSION}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    components = [*packages, *models]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {"timestamp": datetime.now(UTC).isoformat(), "component": own},
        "components": components,
        "dependencies": [
            {"ref": _OWN, "dependsOn": sorted(part["bom-ref"] for part in components)}
        ],
    }


def licences(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, version, licence) of every component of a bill, by name."""
    rows = [
        (part["name"], part.get("version", ""), _licence_words(part))
        for part in found["components"]
    ]
    return sorted(rows, key=lambda row: row[0].lower())


def _installed() -> list[Distribution]:
    """Every package once, as the interpreter finds it first."""
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        if distribution.metadata["Name"]:
            found.setdefault(_name_of(distribution), distribution)
    return [found[name] for name in sorted(found)]


def _in(wheels: Path) -> list[Distribution]:
    """What each wheel of a folder says of itself."""
    found = {}
    for file in sorted(wheels.glob("*.whl")):
        told = next(iter(distributions(path=[str(file)])), None)
        if told is None:
            raise BadInput(f"{file} is no wheel. Build the folder anew.")
        found[_name_of(told), told.version] = told
    if not found:
        raise BadInput(f"{wheels} holds no wheel.")
    return [found[key] for key in sorted(found)]


def _name_of(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def _package(distribution: Distribution) -> dict[str, Any]:
    name, version = _name_of(distribution), distribution.version
    purl = f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": _licences_of(distribution),
    }


def _licences_of(distribution: Distribution) -> list[dict[str, Any]]:
    """As the package itself says; an empty list: it does not."""
    told = distribution.metadata
    expression = told["License-Expression"]
    if expression and _EXPRESSION.fullmatch(expression):
        return [{"expression": expression}]
    names = [
        classifier.removeprefix(_LICENCE_CLASSIFIER)
        for classifier in told.get_all("Classifier") or ()
        if classifier.startswith(_LICENCE_CLASSIFIER)
    ]
    if not names and told["License"]:  # some hold the whole text in that field
        names = [told["License"].strip().partition("\n")[0][:100]]
    return [{"license": {"name": name}} for name in names if name]


def _licence_words(part: dict[str, Any]) -> str:
    said = part.get("licenses", ())
    words = (
        one.get("expression") or one["license"].get("id") or one["license"]["name"] for one in said
    )
    return ", ".join(words) or "not said"


def _models(settings: Settings) -> Iterator[ModelEntry]:
    try:
        used, others = all_models(settings)
    except ModelMissing:  # the one that writes is not here: then nothing of it is
        return
    every = (*used, *recognition_entries(settings), *others)
    yield from (entry for entry in every if entry.sha256)


def _model(entry: ModelEntry) -> dict[str, Any]:
    """A model with its files; what it was trained on, its publisher knows."""
    files = _files(entry.path)
    made: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{entry.role}:{entry.name}",
        "name": entry.name,
        "version": entry.sha256[:12],
        "description": f"{entry.role}, from {entry.source}",
        "licenses": [{"license": {"name": entry.licence}}] if entry.licence else [],
        "modelCard": {
            "modelParameters": {"task": _TASKS[entry.role]},
            "considerations": {"technicalLimitations": [entry.limits]},
        },
        "properties": [
            {"name": "sovereign-rag:size", "value": str(entry.size)},
            {"name": "sovereign-rag:state", "value": entry.state},
            {"name": "sovereign-rag:languages", "value": " ".join(entry.languages)},
        ],
        "components": [
            {
                "type": "file",
                "bom-ref": f"model:{entry.role}:{entry.name}/{name}",
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
            }
            for name, sha256 in sorted(files.items())
        ],
    }
    if entry.path.is_file():
        made["hashes"] = [{"alg": "SHA-256", "content": entry.sha256}]
    return made


def _files(path: Path) -> dict[str, str]:
    return {path.name: hash_file(path)} if path.is_file() else hash_folder(path)[1]
