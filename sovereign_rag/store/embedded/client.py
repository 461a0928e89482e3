"""The client's end: join the engine of a data folder, start it if need be, bring it back."""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Final

import httpx

from sovereign_rag.errors import StoreError
from sovereign_rag.store.embedded import door
from sovereign_rag.store.embedded.folder import EngineFolder, locked
from sovereign_rag.store.embedded.unix_transport import UnixTransport
from sovereign_rag.version import VERSION

_START_TIMEOUT_S: Final = 120.0  # a log that wasn't flushed is replayed at 5,000 chunks a second
_GREETING_TIMEOUT_S: Final = 60.0  # the engine does one thing at a time
_PATIENCE_S: Final = 3_600.0  # for what takes as long as the collections are large
_ATTEMPTS: Final = 5


class EngineTransport(httpx.BaseTransport):
    """Carries HTTP requests to the engine of `data_dir`, wherever they are addressed.

    The engine is joined at the first request, and started if nobody has. If it ends or is
    killed, the next request starts it again; one that was under way is sent a second time,
    because everything that the engine offers may be done twice.

    Who asks waits no longer for an engine that comes back than for its answer; the first join may
    take longer, because a program that opens a folder has nothing else to do.

    Raises StoreError when it can't be started. For use by any number of threads.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder: EngineFolder | None = None
        self._http: UnixTransport | None = None
        self._presence: socket.socket | None = None
        self._coming: Future[socket.socket] | None = None  # while the engine is met or started
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="engine-start")
        self._first_join_s: float | None = _START_TIMEOUT_S + _GREETING_TIMEOUT_S
        self._joining = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        http, presence = self._join(request)
        try:
            return http.handle_request(request)
        except httpx.NetworkError:
            self._leave(presence)
            http, _ = self._join(request)
            return http.handle_request(request)

    def flush(self) -> None:
        """Have the engine write everything to the disk, synchronised."""
        self._order("flush", {}, _GREETING_TIMEOUT_S)

    def copy(self, folder: Path) -> None:
        """Have the engine write its collections as they are now into `folder`, a new one."""
        self._order("copy", {"folder": str(folder.absolute())}, _PATIENCE_S)

    def erase(self) -> None:
        """Have the engine take the bytes of what was deleted off the disk, before it returns."""
        self._order("erase", {}, _PATIENCE_S)

    def _order(self, what: str, told: dict[str, str], patience_s: float) -> None:
        timeout = httpx.Timeout(patience_s).as_dict()
        request = httpx.Request(
            "POST", f"http://embedded/admin/{what}", json=told, extensions={"timeout": timeout}
        )
        try:
            response = self.handle_request(request)
        except httpx.TransportError as error:
            raise StoreError(f"The embedded engine doesn't answer ({error}); try again.") from error
        if response.status_code != 200:
            raise StoreError(f"The embedded engine could not {what}: {response.text[:300]}")

    def close(self) -> None:
        with self._joining:
            if self._coming is not None:
                self._coming.add_done_callback(_leave_at_once)
            if self._presence is not None:
                self._presence.close()
            if self._http is not None:
                self._http.close()
            if self._folder is not None:
                self._folder.close()
            self._presence, self._http, self._folder, self._coming = None, None, None, None

    def _join(self, request: httpx.Request) -> tuple[UnixTransport, socket.socket]:
        with self._joining:
            if self._folder is None or self._http is None:
                self._folder = EngineFolder(self._data_dir)
                self._http = UnixTransport(self._folder.http_socket, secret=self._folder.secret)
            if self._presence is not None and _is_alive(self._presence):
                return self._http, self._presence
            if self._presence is not None:
                self._presence.close()
                self._presence = None
            if self._coming is None:
                self._coming = self._starter.submit(_meet_or_start, self._folder)
            http, coming = self._http, self._coming
        patience_s = self._first_join_s or request.extensions.get("timeout", {}).get("read")
        try:
            presence = coming.result(patience_s)
        except FutureTimeout as error:
            raise httpx.ConnectTimeout("the engine is being started", request=request) from error
        finally:
            if coming.done():
                self._came(coming)
        return http, presence

    def _came(self, coming: Future[socket.socket]) -> None:
        with self._joining:
            if self._coming is coming:  # else another thread was faster
                self._coming = None
                if coming.exception() is None:
                    self._presence, self._first_join_s = coming.result(), None

    def _leave(self, presence: socket.socket) -> None:
        with self._joining:
            if self._presence is presence:  # else another thread has joined anew already
                presence.close()
                self._presence = None


def _leave_at_once(coming: Future[socket.socket]) -> None:
    if coming.exception() is None:
        coming.result().close()


def _meet_or_start(folder: EngineFolder) -> socket.socket:
    for _ in range(_ATTEMPTS):  # one that is just ending greets nobody
        if presence := _meet(folder):
            return presence
        try:
            with locked(folder.start_lock, timeout_s=_START_TIMEOUT_S):
                if presence := _meet(folder):  # somebody else was faster
                    return presence
                _start(folder)
                if presence := _meet(folder):
                    return presence
        except TimeoutError as error:
            raise StoreError(
                "Another process has been starting the embedded engine for "
                f"{_START_TIMEOUT_S:.0f} s; look into {folder.log}."
            ) from error
    raise StoreError(f"The embedded engine ends as soon as it has started; look into {folder.log}.")


def _meet(folder: EngineFolder) -> socket.socket | None:
    """Connect for as long as we live; None if there is no engine."""
    presence = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    presence.settimeout(_GREETING_TIMEOUT_S)
    try:
        presence.connect(folder.presence_socket)
        door.enter(presence, folder.secret)
        greeting = b""
        while not greeting.endswith(b"\n") and (more := presence.recv(64)):
            greeting += more
    except TimeoutError as error:
        presence.close()
        raise StoreError("The embedded engine is busy and doesn't answer; try again.") from error
    except OSError:
        greeting = b""
    if not greeting.endswith(b"\n"):
        presence.close()
        return None
    theirs = greeting.decode().split()[-1]
    if theirs != VERSION:
        presence.close()
        raise StoreError(
            f"Version {theirs} of this program is using the data folder {folder.data_dir}, and "
            f"this is {VERSION}: stop the other one first, for instance its server."
        )
    presence.setblocking(False)
    return presence


def _is_alive(presence: socket.socket) -> bool:
    try:
        return presence.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _start(folder: EngineFolder) -> None:
    folder.trim_log()
    said_before = folder.log_size()
    handle = os.open(folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        code = launch(folder.data_dir, handle)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(
            f"The embedded engine could not be started ({error}); look into {folder.log}."
        ) from error
    finally:
        os.close(handle)
    if code != 0:
        with folder.log.open("rb") as log:
            log.seek(said_before)
            said = log.read().decode("utf-8", "replace").strip()
        if said:  # else it was killed, and may be tried again
            raise StoreError(
                f"The embedded engine could not be started. It said:\n{said[-1500:]}\n"
                f"The whole log is {folder.log}."
            )


def launch(data_dir: Path, log: int) -> int:
    """Start an engine that outlives this process; 0: it can be joined.

    `log` is the open file that its standard output and error go to.
    """
    return subprocess.run(
        [sys.executable, "-P", "-m", "sovereign_rag.store.embedded", str(data_dir)],
        env={
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONUTF8": "1",
            "OPENBLAS_NUM_THREADS": "1",  # it multiplies no matrices; each thread has its memory
        },
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        timeout=_START_TIMEOUT_S,
        check=False,
    ).returncode
