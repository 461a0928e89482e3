"""Folders for documents in work, which are gone after use, also after a crash."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from sovereign_rag.errors import ParserUnavailable

_PREFIX = "sovereign-rag-parse-"
_LOCK = "lock"


class ScratchRoot:
    """A folder of this process's own below `parent`, made when it is first needed.

    It is held by a lock on a file in it, which the kernel lets go with the process. Whoever makes
    a new one removes those of its own user that nobody holds any more.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent
        self._guard = threading.Lock()
        self._root: Path | None = None
        self._lock: int | None = None

    def make(self) -> Path:
        """A new empty folder, readable for this user alone. Raises ParserUnavailable."""
        with self._guard:
            try:
                if self._root is None:
                    self._root = self._claim()
                return Path(tempfile.mkdtemp(dir=self._root))
            except OSError as error:
                raise ParserUnavailable(
                    f"Could not make a folder for temporary files: {error}. Is the disk full?"
                ) from error

    def remove(self) -> None:
        with self._guard:
            if self._root is not None:
                remove_tree(self._root)  # the next start sweeps
            if self._lock is not None:
                os.close(self._lock)
            self._root = self._lock = None

    def _claim(self) -> Path:
        parent = self._parent or Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(parent)
        root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        claimed = root / f"{_LOCK}.new"
        self._lock = os.open(claimed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        claimed.rename(root / _LOCK)  # who sweeps sees it only once it is held
        return root


def remove_tree(folder: Path) -> None:
    """Remove a folder that a hostile process could write to; what can't be removed stays."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # it is nested deeper than Python's own stack
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # of another user, or just being made
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(folder)  # another may sweep it, too
        except BlockingIOError:
            pass  # a living process holds it
        finally:
            os.close(handle)
