"""The models of the text recognition: Tesseract's data, a file for each language.

They are the system's packages, or come in a bundle. The hash that a file has when it is first used
or looked at holds from then on; another file is refused until somebody accepts it.
"""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Final

from sovereign_rag.errors import ModelError
from sovereign_rag.models.known_limits import known_of_recognition
from sovereign_rag.models.manifest import ModelEntry, hash_file, model_hash, size_of
from sovereign_rag.models.recognition_record import RecognitionRecord
from sovereign_rag.settings import Settings
from sovereign_rag.system.tesseract import Recogniser, installed_recogniser

_TURNS: Final = "osd"
"""The data that tells how a page lies."""

_Stamp = tuple[int, int, int, int] | None


def recognition_entries(settings: Settings, *, fresh: bool = False) -> list[ModelEntry]:
    """Of the languages that the settings name; none where pages are not recognised.

    What has no hash on the record yet gets it.

    Raises:
        ModelError: A file, or the record, can't be read.
    """
    recogniser = _recogniser(settings)
    if recogniser is None:
        return []
    files = [(n, f) for n, f in _files(settings, recogniser.folder) if f.is_file()]
    hashes = {n: model_hash(f, models_dir=settings.models_dir, fresh=fresh) for n, f in files}
    recorded = RecognitionRecord(settings.models_dir).with_new(hashes)
    return [
        ModelEntry(
            role="recognition",
            name=f"tesseract-{name}",
            path=file,
            sha256=hashes[name],
            size=size_of(file),
            licence="apache-2.0",
            source=f"Tesseract {recogniser.version}, {recogniser.folder}",
            expected_sha256=recorded.get(name),
            languages=known_of_recognition(name).languages,
            limits=known_of_recognition(name).limits,
        )
        for name, file in files
    ]


def changed_data(settings: Settings) -> dict[str, tuple[str, str]]:
    """By its name each file that is not the recorded one: the hash on record, and the one it has.

    Raises:
        ModelError: A file, or the record, can't be read.
    """
    return {
        entry.path.stem: (entry.expected_sha256, entry.sha256)
        for entry in recognition_entries(settings, fresh=True)
        if entry.expected_sha256 is not None and entry.state == "mismatch"
    }


class RecognitionGuard:
    """Holds Tesseract's data against the record before pages are recognised; thread-safe.

    Every byte is read at the first question, and again once a file, the program or the record
    changed; otherwise a question costs some looks at the folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._record = RecognitionRecord(settings.models_dir)
        self._files: list[tuple[str, Path]] = []  # some of them may not be there
        self._first: dict[str, str] = {}  # for a folder that can't be written
        self._seen: tuple[_Stamp, ...] | None = None
        self._refusal = ""

    def refusal(self) -> str:
        """Why no page may be recognised, and the way out; "": pages may."""
        if not self._settings.parse.ocr:
            return ""
        with self._lock:
            if self._seen is None or self._seen != self._stamps():
                self._look()
            return self._refusal

    def _look(self) -> None:
        recogniser = _recogniser(self._settings)
        self._files = _files(self._settings, recogniser.folder) if recogniser else []
        self._seen = self._stamps()  # before the bytes: what changes meanwhile is looked at again
        try:
            found = {name: hash_file(file) for name, file in self._files if file.is_file()}
            self._first = {**found, **self._first}
            right = {**self._first, **self._record.with_new(found)}
        except (OSError, ModelError) as error:
            self._refusal = f"The recognition's data can't be compared: {error}"
            return
        changed = [name for name, sha256 in found.items() if right[name] != sha256]
        self._refusal = _refused(self._files[0][1].parent, changed) if changed else ""

    def _stamps(self) -> tuple[_Stamp, ...]:
        program = shutil.which("tesseract")
        files = [Path(program)] if program else []
        return tuple(map(_stamp, (*files, self._record.path, *(f for _, f in self._files))))


def _recogniser(settings: Settings) -> Recogniser | None:
    """None where pages are not recognised, or by a version that does not say where its data is."""
    if not settings.parse.ocr or shutil.which("tesseract") is None:
        return None
    try:
        found = installed_recogniser()
    except (OSError, subprocess.SubprocessError):
        return None
    return found if found.folder is not None else None


def _files(settings: Settings, folder: Path | None) -> list[tuple[str, Path]]:
    if folder is None:
        return []
    names = dict.fromkeys((*settings.parse.ocr_languages.split("+"), _TURNS))
    return [(name, folder / f"{name}.traineddata") for name in names]


def _stamp(file: Path) -> _Stamp:
    try:
        stat = file.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _refused(folder: Path, changed: list[str]) -> str:
    """Short enough to come whole through the parsing process."""
    return (
        f"No page is recognised: Tesseract's data {', '.join(changed)} in {folder} changed since "
        "it was first used. Bring it back; if the change is meant, as by an upgrade, accept it by "
        "`sovereign-rag models accept-recogniser`, then `sovereign-rag jobs retry` what failed."
    )
