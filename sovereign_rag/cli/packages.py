"""The packages without which a part of the product does not work, for `doctor`."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package."""

    module: str  # as it is imported
    use: str
    where: str  # the file or folder of ours that imports it


NEEDED: Final = (
    Package("unstructured", "reading HTML, Markdown, Org and reStructuredText", "ingest/parse"),
    Package("lxml", "reading office files, EPUB and HTML", "ingest/parse"),
    Package("python_calamine", "reading spreadsheets", "ingest/parse"),
    Package("icalendar", "reading calendars and address cards", "ingest/parse"),
    Package("liteparse", "reading PDF", "ingest/parse"),
    Package("pypdfium2", "reading and drawing PDF", "ingest/parse"),
    Package("PIL", "reading pictures", "ingest/parse"),
    Package("sentence_transformers", "embedding", "sovereign_rag/embedding"),
    Package("torch", "embedding", "sovereign_rag/embedding"),
    Package("qdrant_client", "the vector store", "sovereign_rag/store"),
    Package("qdrant_edge", "the embedded vector store", "sovereign_rag/store"),
    Package("llama_cpp", "the language model", "sovereign_rag/generation"),
    Package("fastapi", "the API and the page", "sovereign_rag/api"),
    Package("uvicorn", "the API and the page", "sovereign_rag/cli"),
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
