"""The models that were imported, by name: `manifest.json` in the models folder.

A name in the settings means a model of this list; its file's hash is what the list says, or the
model is not loaded.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock, Timeout

from sovereign_rag.errors import ModelError, NotFound

_FILE: Final = "manifest.json"
_WAIT_S: Final = 30.0
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_Models = Mapping[str, "ImportedModel"]


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A language model that was brought in, as it was when it was checked."""

    name: str
    file: str  # its name in the models folder
    sha256: str
    size: int  # bytes
    hash_from: Literal["catalogue", "admin"]  # who said what the hash should be
    architecture: str
    tokenizer: str
    parameters: int
    context_tokens: int  # that it was trained for
    licence: str | None
    source: str  # "file /media/usb/….gguf", "hub mistralai/…@commit"
    imported: str  # ISO 8601, UTC
    languages: tuple[str, ...] = ()  # as the admin says, ISO 639-1
    limits: str = ""  # as the admin says; "": nothing


def valid_name(name: str) -> bool:
    """Whether `name` may be a model's: small letters, digits, dots, dashes, underscores."""
    return _NAME.fullmatch(name) is not None


class Registry:
    """The list of one models folder; several processes may write it."""

    def __init__(self, models_dir: Path) -> None:
        self.folder = models_dir
        self._path = models_dir / _FILE

    def all(self) -> tuple[ImportedModel, ...]:
        """Every imported model, by name.

        Raises:
            ModelError: The list can't be read. It is not taken for empty: then a model whose
                file was changed would pass.
        """
        return tuple(sorted(self._read().values(), key=lambda model: model.name))

    def get(self, name: str) -> ImportedModel | None:
        """The model of that name. Raises ModelError as `all` does."""
        return self._read().get(name.lower())

    def of_file(self, path: Path) -> ImportedModel | None:
        """The model whose file this is. Raises ModelError as `all` does."""
        real = path.resolve()
        return next((m for m in self._read().values() if self.path(m).resolve() == real), None)

    def path(self, model: ImportedModel) -> Path:
        """Where a model's file is."""
        return self.folder / model.file

    def add(self, model: ImportedModel) -> None:
        """Note a model, in place of one of the same name.

        Raises:
            ModelError: The list can't be read or written.
        """
        self._change(lambda models: {**models, model.name: model})

    def remove(self, name: str) -> ImportedModel:
        """Strike a model off and delete its file.

        Raises:
            NotFound: There is no such model.
            ModelError: The list can't be written or the file not deleted.
        """
        model = self.get(name)
        if model is None:
            names = ", ".join(m.name for m in self.all()) or "none"
            raise NotFound(f"No model {name!r} was imported. Those that were: {names}.")
        self._change(lambda models: {k: m for k, m in models.items() if k != model.name})
        try:
            self.path(model).unlink(missing_ok=True)
        except OSError as error:
            raise ModelError(
                f"{model.name} is off the list, but its file {self.path(model)} can't be deleted: "
                f"{error.strerror}. Delete it by hand."
            ) from error
        return model

    def _read(self) -> dict[str, ImportedModel]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            found = [_model(entry) for entry in content["models"]]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The list of imported models {self._path} can't be read: {error}. Restore it "
                "from a backup, or delete it and import the models again."
            ) from error
        for model in found:
            if Path(model.file).name != model.file or not valid_name(model.name):
                raise ModelError(
                    f"The list of imported models {self._path} names the file {model.file!r}, "
                    "which is not one of its folder. Restore it from a backup, or delete it and "
                    "import the models again."
                )
        return {model.name: model for model in found}

    def _change(self, change: Callable[[_Models], _Models]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".{_FILE}.lock", timeout=_WAIT_S):
                models = change(self._read())
                self._write({"models": [_entry(models[name]) for name in sorted(models)]})
        except (OSError, Timeout) as error:
            raise ModelError(
                f"The list of imported models {self._path} can't be written: {error}. Check the "
                "disk, and that this user may write the folder (setting models_dir)."
            ) from error

    def _write(self, content: Mapping[str, Any]) -> None:
        handle, scratch = tempfile.mkstemp(dir=self.folder, prefix=f".{_FILE}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).replace(self._path)
        except OSError:
            Path(scratch).unlink(missing_ok=True)
            raise


def _model(entry: Mapping[str, Any]) -> ImportedModel:
    return ImportedModel(**{**entry, "languages": tuple(entry.get("languages", ()))})


def _entry(model: ImportedModel) -> dict[str, Any]:
    """Without what nobody said, so that a version before reads the list as well."""
    unsaid = {name for name in ("languages", "limits") if not getattr(model, name)}
    return {name: value for name, value in asdict(model).items() if name not in unsaid}
