"""Which of Tesseract's data is the right one here: `recognition.json` in the models folder."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sovereign_rag.errors import ModelError

_FILE: Final = "recognition.json"
_WAIT_S: Final = 10.0


class RecognitionRecord:
    """The hash of each file as it was first used, or accepted since; by the data's name ("fra")."""

    def __init__(self, models_dir: Path) -> None:
        self._folder, self.path = models_dir, models_dir / _FILE

    def hashes(self) -> dict[str, str]:
        """What is recorded.

        Raises:
            ModelError: It can't be read. It is not taken for empty: then a changed file would pass.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {str(name): str(sha256) for name, sha256 in content["files"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"The record of the recognition's data {self.path} can't be read: {error}. Restore "
                "it from a backup, or delete it, and the files that are there now count."
            ) from error

    def with_new(self, found: Mapping[str, str]) -> dict[str, str]:
        """Record what has no hash yet; returns what is recorded then.

        Where the folder can't be written nothing new is. Raises ModelError as `hashes` does.
        """
        known = self.hashes()
        if found.keys() <= known.keys():
            return known
        try:
            with self._alone():
                known = {**found, **self.hashes()}
                self._write(known)
        except (OSError, Timeout):
            return self.hashes()
        return known

    def accept(self, found: Mapping[str, str]) -> None:
        """Record what is there now in place of what was.

        Raises:
            ModelError: It can't be written.
        """
        try:
            with self._alone():
                known = self.hashes()
                self._write({**known, **found})
        except (OSError, Timeout) as error:
            raise ModelError(
                f"The record of the recognition's data {self.path} can't be written: {error}. "
                "Check the disk, and that this user may write the folder (setting models_dir)."
            ) from error

    def _alone(self) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / f".{_FILE}.lock", timeout=_WAIT_S)

    def _write(self, hashes: Mapping[str, str]) -> None:
        handle, scratch = tempfile.mkstemp(dir=self._folder, prefix=f".{_FILE}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"files": dict(sorted(hashes.items()))}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).chmod(0o644)  # another user's service reads what a command of root wrote
            Path(scratch).replace(self.path)
        except OSError:
            Path(scratch).unlink(missing_ok=True)
            raise
