"""Which parser made a stored text: the engines, the recognition, and our own reading."""

import hashlib
from importlib.metadata import PackageNotFoundError, version

from ingest.parse.ocr.tesseract import installed_tesseract
from sovereign_rag.settings import ParseSettings

PARSER_VERSION = 9
"""Raised whenever our own reading of a format changes what text comes out."""

_ENGINES = (
    "unstructured",
    "liteparse",
    "pypdfium2",
    "python-calamine",
    "lxml",
    "tinycss2",
    "cssselect2",
    "pypandoc_binary",
    "pi-heif",
)


def parser_key(settings: ParseSettings) -> str:
    """Letters, digits, hyphens; another engine, OCR setting or version of our code is another."""
    tesseract = installed_tesseract(settings.ocr_languages)
    facts = [f"{name}={_version(name)}" for name in _ENGINES]
    facts.append(f"ocr={settings.ocr}")
    if settings.ocr:
        facts += [f"tesseract={tesseract.version}", f"languages={tesseract.languages}"]
        facts.append(f"dpi={settings.ocr_dpi}")
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"p{PARSER_VERSION}-{digest[:12]}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
