"""Where the engine keeps its data, its sockets, its locks and its log."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sovereign_rag.errors import StoreError

_LONGEST_ADDRESS: Final = 100  # bytes; Linux takes 107, macOS 103
_LOG_LIMIT: Final = 1 << 20
_LOG_KEPT: Final = 1 << 16


class EngineFolder:
    """`vectors/` in a data folder, for its owner alone.

    collections/NAME/   what is stored
    run/                engine.sock, presence.sock and the secret that both ask for
    engine.lock         held by the engine while it lives; its process id is the content
    start.lock          held by whoever starts an engine
    engine.log          what it had to say, about 1 MiB at most
    """

    def __init__(self, data_dir: Path) -> None:
        """Make what is missing.

        Raises:
            StoreError: The folder can't be made or belongs to another account.
        """
        root = data_dir.absolute() / "vectors"
        self.data_dir = data_dir.absolute()
        self.collections = root / "collections"
        self.engine_lock = root / "engine.lock"
        self.start_lock = root / "start.lock"
        self.log = root / "engine.log"
        run = root / "run"
        try:
            for folder in (root, run, self.collections):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _keep_private(folder)
            self._run = run
            self._run_handle = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(
                f"The folder {root} can't be used: {error.strerror}. Choose a data folder that "
                "belongs to the account that runs this (data_dir)."
            ) from error
        self.http_socket = self._address("engine.sock")
        self.presence_socket = self._address("presence.sock")
        self.secret = run / "secret"

    def close(self) -> None:
        """Release the handle behind the sockets' addresses; they are of no use afterwards."""
        if self._run_handle >= 0:
            os.close(self._run_handle)
            self._run_handle = -1

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def trim_log(self) -> None:
        """Keep the end of a log that has grown; its writer appends, so it goes on after it."""
        if self.log_size() > _LOG_LIMIT:
            with self.log.open("r+b") as file:
                file.seek(-_LOG_KEPT, os.SEEK_END)
                end = file.read()
                file.seek(0)
                file.write(end)
                file.truncate()

    def _address(self, name: str) -> str:
        """The path of a socket, or a short way to it: a Unix socket's address is a small array."""
        path = str(self._run / name)
        if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
            return path
        through_handle = f"/proc/self/fd/{self._run_handle}"
        if not os.path.isdir(through_handle):
            raise StoreError(
                f"The path {path} is too long for a socket on this system: choose a shorter "
                "data folder (data_dir)."
            )
        return f"{through_handle}/{name}"


@contextmanager
def locked(path: Path, *, timeout_s: float) -> Iterator[int]:
    """Hold an exclusive lock on `path`, which ends with this process at the latest.

    Yields:
        The open file's descriptor.

    Raises:
        TimeoutError: Somebody else held it all that time.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{path} is locked") from None
                time.sleep(0.02)
        yield handle
    finally:
        os.close(handle)


def _keep_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(1, f"{folder} is not a folder of this account")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
