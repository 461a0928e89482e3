"""HTTP to the engine's socket, by the standard library.

httpx's own way there takes two to three times the CPU, at both ends, and a search goes it twice.
"""

import http.client
import select
import socket
from pathlib import Path

import httpx

from sovereign_rag.store.embedded import door


class UnixTransport(httpx.BaseTransport):
    """Sends requests to the server at a Unix socket; for any number of threads.

    `secret` is the file whose content the server asks for.

    Raises httpx.NetworkError when it can't be reached or goes away, httpx.TimeoutException when it
    takes longer than the request allows.
    """

    def __init__(self, address: str, *, secret: Path) -> None:
        self._address, self._secret = address, secret
        self._idle: list[_Connection] = []  # popped and appended, each of which is atomic

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        connection = self._idle_connection() or _Connection(self._address, self._secret)
        keep = False
        try:
            connection.allow(request.extensions.get("timeout", {}).get("read"))
            headers = {"content-type": request.headers.get("content-type", "application/json")}
            target = request.url.raw_path.decode("ascii")
            connection.request(request.method, target, request.read(), headers)
            answer = connection.getresponse()
            content = answer.read()
            keep = not answer.will_close
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no answer in time ({error})", request=request) from error
        except (OSError, http.client.HTTPException) as error:
            raise httpx.ReadError(f"no answer ({error})", request=request) from error
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        return httpx.Response(answer.status, headers=answer.getheaders(), content=content)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _idle_connection(self) -> "_Connection | None":
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if connection.is_open():
                return connection
            connection.close()
        return None


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: str, secret: Path) -> None:
        super().__init__("embedded")
        self._address, self._secret = address, secret

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._address)
        door.enter(self.sock, self._secret)

    def allow(self, timeout_s: float | None) -> None:
        """For each step of what follows; None: as long as it takes."""
        self.timeout = timeout_s
        if self.sock is not None:
            self.sock.settimeout(timeout_s)

    def is_open(self) -> bool:
        """Nothing was asked, so all that could be read is the end."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        return not waiting.poll(0)
