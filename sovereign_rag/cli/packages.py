"""The packages without which a part of the product does not work, for `doctor`."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class NamedPackage:
    """One installed package."""

    module: str  # as it is imported
    use: str
    where: str  # the file or folder of ours that imports it


NEEDED: Final = (
    NamedPackage(
        "unstructured", "reading HTML, Markdown, Org and reStructuredText", "ingest/parse"
    ),
    NamedPackage("lxml", "reading office files, EPUB and HTML", "ingest/parse"),
    NamedPackage("python_calamine", "reading spreadsheets", "ingest/parse"),
    NamedPackage("icalendar", "reading calendars and address cards", "ingest/parse"),
    NamedPackage("liteparse", "reading PDF", "ingest/parse"),
    NamedPackage("pypdfium2", "reading and drawing PDF", "ingest/parse"),
    NamedPackage("PIL", "reading pictures", "ingest/parse"),
    NamedPackage("sentence_transformers", "embedding", "sovereign_rag/embedding"),
    NamedPackage("torch", "embedding", "sovereign_rag/embedding"),
    NamedPackage("qdrant_client", "the vector store", "sovereign_rag/store"),
    NamedPackage("qdrant_edge", "the embedded vector store", "sovereign_rag/store"),
    NamedPackage("llama_cpp", "the language model", "sovereign_rag/generation"),
    NamedPackage("fastapi", "the API and the page", "sovereign_rag/api"),
    NamedPackage("uvicorn", "the API and the page", "sovereign_rag/cli"),
)


def is_installed(module: str) -> bool:
    """Whether a package of this import name is found."""
    return importlib.util.find_spec(module) is not None


def stranger_named_ingest(ours: Path) -> Path | None:
    """Where another package `ingest` is found first; None where ours is.

    Args:
        ours: The folder that holds the package `sovereign_rag`.
    """
    spec = importlib.util.find_spec("ingest")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin)
    return None if found == ours / "ingest" / "__init__.py" else found
