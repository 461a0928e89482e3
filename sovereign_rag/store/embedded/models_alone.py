"""The client library's models without the client: half of what the engine's start would import."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

_PACKAGES: Final = ("qdrant_client", "qdrant_client.http")
"""Whose own code imports the client, and asks each model for its validator, used or not."""


def leave_out_the_client() -> None:
    """Let `qdrant_client.http.models` be imported alone in this process, which is no client.

    Its packages stand in `sys.modules` as the folders that they are. A model makes its validator
    when it is first used.
    """
    spec = PathFinder.find_spec(_PACKAGES[0])
    if spec is None or spec.origin is None or _PACKAGES[0] in sys.modules:
        return  # what comes next says what is missing, or has what it needs
    folder = Path(spec.origin).parent
    for name, path in zip(_PACKAGES, (folder, folder / "http"), strict=True):
        package = ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package
