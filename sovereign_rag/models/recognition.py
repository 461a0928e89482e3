"""The models of the text recognition: Tesseract's data, a file for each language."""

import shutil
import subprocess
from typing import Final

from sovereign_rag.models.known_limits import known_of_recognition
from sovereign_rag.models.manifest import ModelEntry, model_hash, size_of
from sovereign_rag.settings import Settings
from sovereign_rag.system.tesseract import installed_recogniser

_TURNS: Final = "osd"
"""The data that tells how a page lies."""


def recognition_entries(settings: Settings, *, fresh: bool = False) -> list[ModelEntry]:
    """Of the languages that the settings name; none where pages are not recognised.

    Nobody says which hash they should have: they are the system's packages, or come in a bundle,
    which is held to its signature.

    Raises:
        ModelError: A file can't be read.
    """
    if not settings.parse.ocr or shutil.which("tesseract") is None:
        return []
    try:
        found = installed_recogniser()
    except (OSError, subprocess.SubprocessError):
        return []
    if found.folder is None:
        return []
    names = [*settings.parse.ocr_languages.split("+"), _TURNS]
    files = [(name, found.folder / f"{name}.traineddata") for name in names]
    return [
        ModelEntry(
            role="recognition",
            name=f"tesseract-{name}",
            path=file,
            sha256=model_hash(file, models_dir=settings.models_dir, fresh=fresh),
            size=size_of(file),
            licence="apache-2.0",
            source=f"Tesseract {found.version}, {found.folder}",
            expected_sha256=None,
            languages=known_of_recognition(name).languages,
            limits=known_of_recognition(name).limits,
        )
        for name, file in files
        if file.is_file()
    ]
