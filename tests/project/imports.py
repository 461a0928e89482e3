"""What the code imports, and which installed package each import belongs to."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = {  # modules that several packages share, longest first
    "llama_index.embeddings.openai_like": "llama-index-embeddings-openai-like",
    "llama_index": "llama-index-core",
    "opentelemetry.exporter.otlp.proto.common": "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
}
OURS = frozenset({"sovereign_rag", "ingest", "tests"})


def normal(name: str) -> str:
    """The name by which an index knows a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def imported_modules(file: Path) -> frozenset[str]:
    """Dotted names of all that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return frozenset(found)


def python_files(place: Path) -> Iterator[Path]:
    """The file itself, or all below a folder."""
    yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def third_party(places: Iterable[Path]) -> frozenset[str]:
    """Top-level names that are neither Python's nor ours, nor a file beside the importing one."""
    found: set[str] = set()
    for file in (file for place in places for file in python_files(place)):
        beside = set()
        if not (file.parent / "__init__.py").exists():  # scripts import each other by name
            beside = {other.stem for other in file.parent.glob("*.py")}
        found |= {_top(module) for module in imported_modules(file)} - beside
    return frozenset(found - set(sys.stdlib_module_names) - OURS - {"__future__", ""})


def _top(module: str) -> str:
    shared = (name for name in NAMESPACES if f"{module}.".startswith(f"{name}."))
    return next(shared, module.partition(".")[0])


@cache
def _packages() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def package_of(module: str) -> str:
    """The package that installs a module, as an index knows it.

    Raises:
        KeyError: None that is installed here does.
    """
    return NAMESPACES.get(module) or normal(_packages()[module][0])
