"""What pyproject.toml asks for."""

import tomllib
from typing import Any

from packaging.requirements import Requirement

from tests.project.imports import ROOT


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def project() -> dict[str, Any]:
    part: dict[str, Any] = pyproject()["project"]
    return part


def dependencies() -> list[Requirement]:
    """Of the product, with its extras."""
    config = project()
    extras = config["optional-dependencies"].values()
    return [Requirement(line) for lines in (config["dependencies"], *extras) for line in lines]


def development() -> list[Requirement]:
    """Of the dependency group `dev`."""
    return [Requirement(line) for line in pyproject()["dependency-groups"]["dev"]]
