"""The engine's process: one a folder, alive as long as somebody is connected to it."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from sovereign_rag.errors import StoreError
from sovereign_rag.store.embedded import door
from sovereign_rag.store.embedded.engine import Engine
from sovereign_rag.store.embedded.folder import EngineFolder, locked
from sovereign_rag.store.embedded.guarded_http import guarded_http
from sovereign_rag.store.embedded.rest_server import create_app
from sovereign_rag.version import VERSION

log = logging.getLogger(__name__)

GREETING: Final = f"sovereign-rag engine {VERSION}\n".encode()

_LINGER_S: Final = 2.0  # the next command of a script needn't wait for a start
_FIRST_CLIENT_S: Final = 10.0
_PREDECESSOR_S: Final = 60.0  # it may still be flushing
_TICK_S: Final = 0.2
_BREATH_S: Final = 0.01


def run(data_dir: Path, ready: Callable[[], None]) -> None:
    """Serve the folder until nobody is there any more; calls `ready` when it can be joined.

    Raises:
        StoreError: Another engine keeps the folder.
    """
    os.umask(0o077)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    folder = EngineFolder(data_dir)
    try:
        with locked(folder.engine_lock, timeout_s=_PREDECESSOR_S) as handle:
            os.truncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
            engine = Engine(folder.collections)
            try:
                asyncio.run(_serve(folder, engine, ready))
            finally:
                engine.close()
    except TimeoutError as error:
        raise StoreError(
            f"Another engine has held {folder.engine_lock} for {_PREDECESSOR_S:.0f} s; its "
            "process id is in that file. End it, and try again."
        ) from error


class _Presence:
    """Who is connected: a client holds one connection for as long as it lives."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._connected = 0
        self._alone_from = time.monotonic() + _FIRST_CLIENT_S - _LINGER_S

    @property
    def abandoned(self) -> bool:
        return not self._connected and time.monotonic() - self._alone_from > _LINGER_S

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await door.admits(reader, writer.get_extra_info("socket"), self._secret):
            log.warning("the engine turned away a process without its secret")
            writer.close()
            return
        self._connected += 1
        try:
            writer.write(GREETING)
            await writer.drain()
            while await reader.read(64):
                pass
        except ConnectionError:
            pass  # it ended, however it did
        finally:
            self._connected -= 1
            self._alone_from = time.monotonic()
            writer.close()


async def _serve(folder: EngineFolder, engine: Engine, ready: Callable[[], None]) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has stopped; the flush comes after that.
        signal.signal(signal_number, lambda *_: None)
    secret = door.make_secret(folder.secret)
    http = _listen(folder.http_socket)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(engine),
            http=guarded_http(secret),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=10,
        )
    )
    presence = _Presence(secret)
    meeting = await asyncio.start_unix_server(presence.meet, sock=_listen(folder.presence_socket))
    serving = asyncio.create_task(server.serve(sockets=[http]))
    ready()
    more = False
    while not serving.done() and not server.should_exit:
        await asyncio.sleep(_BREATH_S if more else _TICK_S)  # in which requests are answered
        folder.trim_log()
        more = engine.tick(alone=presence.abandoned)
        if presence.abandoned and not more:
            # From here on nobody is greeted; whoever waits to be is cut off and starts the next
            # engine, which waits for this one's lock.
            server.should_exit = True
    meeting.close()
    await serving
    for address in (folder.presence_socket, folder.http_socket, folder.secret):
        Path(address).unlink(missing_ok=True)


def _listen(address: str) -> socket.socket:
    Path(address).unlink(missing_ok=True)  # of an engine that was killed: its lock is ours now
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    os.chmod(address, 0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener
