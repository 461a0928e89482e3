"""A PostgreSQL server of a test's own, stopped and started at will; and a pooler before it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FAR_TOO_LONG_S = 60.0
_USER = "catalog"
_ACCOUNT = "postgres" if os.getuid() == 0 else None  # neither program lets root run it
_RUN_AS: dict[str, Any] = (
    {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": []} if _ACCOUNT else {}
)


@contextmanager
def _folder_of_its_own() -> Iterator[Path]:
    """Below no folder that other accounts may not enter, as pytest's are."""
    folder = Path(tempfile.mkdtemp(prefix="own-server-"))
    try:
        if _ACCOUNT is not None:
            shutil.chown(folder, _ACCOUNT)
        yield folder
    finally:
        shutil.rmtree(folder)


def _found(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which(name, path=path)


def is_at_hand(*names: str) -> bool:
    return all(_found(name) for name in names)


class OwnServer:
    """A cluster in `folder`, which is empty, on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, _free_port()
        self._call("initdb", "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        with (folder / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\nmax_connections = 60\nshared_buffers = 16MB\n")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder}"
        self._call("pg_ctl", "-w", "-o", options, "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        """At once, as a machine that fails does: what was not committed is not there."""
        self._call("pg_ctl", "-w", "-m", "immediate", "stop")

    def _call(self, name: str, *arguments: str) -> None:
        program = _found(name)
        assert program is not None
        subprocess.run(
            [program, "-D", str(self._folder), *arguments],
            **_RUN_AS,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def own_server() -> Iterator[OwnServer]:
    with _folder_of_its_own() as folder:
        server = OwnServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def pooler(server: OwnServer) -> Iterator[str]:
    """The URL of a pgbouncer that gives each transaction another of two connections."""
    with _folder_of_its_own() as folder:
        yield from _pooled(folder, server)


def _pooled(folder: Path, server: OwnServer) -> Iterator[str]:
    port, program = _free_port(), _found("pgbouncer")
    assert program is not None
    (folder / "users").write_text(f'"{_USER}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port} dbname=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
        f"auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 2\n"
        "unix_socket_dir =\nserver_round_robin = 1\n"
    )
    running = subprocess.Popen(
        [program, str(folder / "pgbouncer.ini")],
        **_RUN_AS,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/postgres"
    finally:
        running.terminate()
        running.wait()


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + _FAR_TOO_LONG_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
