"""A store on TCP, and what can go wrong on the way to it.

The engine is the real one, behind the part of Qdrant's protocol that it speaks on its Unix socket;
here it listens on a port. Each proxy before it stands for a node.
"""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Literal

import uvicorn

from tests.snapshots import ServersEngine, server_app

Fault = Literal["none", "refuses", "hangs", "resets", "fails", "loses", "delays"]
"""What a node does: nothing wrong; no listener; silence; half an answer and a reset; status 500;
the request is done and the connection closed before the answer; all of it, a little later."""

_DELAY_S: Final = 0.05


@contextmanager
def engine_on_tcp(folder: Path) -> Iterator[int]:
    """The port of an engine over `folder`, in a thread of this process."""
    (folder / "collections").mkdir(parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    servers: list[uvicorn.Server] = []

    def run() -> None:
        engine = ServersEngine(folder / "collections", folder / "snapshots")
        config = uvicorn.Config(
            server_app(engine), log_config=None, access_log=False, lifespan="off", ws="none"
        )
        servers.append(uvicorn.Server(config))
        started.set()
        try:
            servers[0].run(sockets=[listener])
        finally:
            engine.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        yield listener.getsockname()[1]
    finally:
        servers[0].should_exit = True
        thread.join()
        listener.close()


class FaultProxy:
    """A node: passes on what it is asked, or does what `fault` says. Its address stays the same."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.asked: list[tuple[str, str]] = []  # method and path of all that arrived
        self.done: list[tuple[str, str]] = []  # likewise of all that the engine has done
        self.only = ""  # a part of the paths at which the fault is; "": at all of them
        self.hanging = 0  # requests that are still to be done
        self._counting = threading.Lock()
        self._fault: Fault = "none"
        self._awake = threading.Event()  # set: what hung goes on
        self._server = self._listening(0)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        was, self._fault = self._fault, fault
        if fault == "refuses" and was != "refuses":
            self._stop()
        elif was == "refuses" and fault != "refuses":
            self._server = self._listening(self.port)
        if was == "hangs":
            self._awake.set()
        if fault == "hangs":
            self._awake = threading.Event()

    def arrived(self, method: str, path: str) -> None:
        """Called with what arrived, before anything is done of it."""

    @contextmanager
    def one_more_hangs(self) -> Iterator[None]:
        with self._counting:
            self.hanging += 1
        try:
            yield
        finally:
            with self._counting:
                self.hanging -= 1

    @property
    def awake(self) -> threading.Event:
        return self._awake

    def close(self) -> None:
        self.fault = "none"
        self._stop()

    def _listening(self, port: int) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", port), _Handler)
        server.proxy = self
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Of a caller who went away; that is what happens here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        proxy.asked.append((self.command, self.path))
        proxy.arrived(self.command, self.path)
        fault = proxy.fault if proxy.only in self.path else "none"
        match fault:
            case "refuses":  # on a connection from before
                self._reset()
                return
            case "hangs":
                with proxy.one_more_hangs():  # then it is done late, as a stopped process does it
                    proxy.awake.wait(60)
                    late = self._forward(body)
                    proxy.done.append((self.command, self.path))
                with suppress(OSError):
                    self._answer(*late)
                return
            case "fails":
                self._answer(500, b'{"status": {"error": "Service internal error: disk"}}')
                return
            case "delays":
                time.sleep(_DELAY_S)
        status, answer = self._forward(body)
        proxy.done.append((self.command, self.path))
        if fault == "loses":
            self.close_connection = True
        elif fault == "resets":
            with suppress(OSError):
                self._answer(status, answer, sent=len(answer) // 2)
                self.wfile.flush()
            self._reset()
        else:
            with suppress(OSError):
                self._answer(status, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _handle

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=60)
        try:
            headers = {"content-type": self.headers.get("content-type", "application/json")}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            return answer.status, answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, body: bytes, *, sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""
