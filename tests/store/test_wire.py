"""Requests to the engine's socket: connections are kept, and what goes wrong is told apart."""

import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from sovereign_rag.store.embedded.unix_transport import UnixTransport

SECRET = b"thirty-two bytes, or as many here"


class Handler(BaseHTTPRequestHandler):
    """Gives back what it was sent; `/silent` says nothing until the test is over."""

    protocol_version = "HTTP/1.1"
    connections: list["Handler"]
    over: threading.Event

    def setup(self) -> None:
        super().setup()
        assert self.rfile.read(len(SECRET)) == SECRET
        self.connections.append(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/silent":
            self.over.wait()
            return
        if self.path == "/cut":
            self.close_connection = True
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("content-type", self.headers["content-type"])
        self.send_header("content-length", str(len(body)))
        if self.path == "/last":
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests say what they saw."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    Handler.connections, Handler.over = [], threading.Event()
    address = str(tmp_path / "http")
    with Server(address, Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield address
        Handler.over.set()
        for connection in Handler.connections:
            connection.close_connection = True
        server.shutdown()
        serving.join()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def client(address: str, secret: Path) -> Iterator[httpx.Client]:
    transport = UnixTransport(address, secret=secret)
    with httpx.Client(transport=transport, base_url="http://engine") as client:
        yield client


def test_an_answer_comes_back_with_its_status_and_its_type(client: httpx.Client) -> None:
    found = client.post("/echo?wait=true", content=b"{}", headers={"content-type": "text/x"})
    missing = client.post("/missing", content=b"[1]")

    assert (found.status_code, found.content) == (200, b"{}")
    assert found.headers["content-type"] == "text/x"
    assert (missing.status_code, missing.json()) == (404, [1])


def test_requests_one_after_the_other_share_a_connection(client: httpx.Client) -> None:
    for number in range(5):
        assert client.post("/echo", content=str(number)).text == str(number)

    assert len(Handler.connections) == 1


def test_many_threads_get_each_their_own_answer(client: httpx.Client) -> None:
    def ask(number: int) -> bool:
        return client.post("/echo", content=str(number)).text == str(number)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(200)))

    assert len(Handler.connections) <= 8


def test_a_connection_that_the_server_ended_is_not_used_again(client: httpx.Client) -> None:
    assert client.post("/last", content="a").text == "a"
    assert client.post("/echo", content="b").text == "b"

    assert len(Handler.connections) == 2


def test_a_server_that_goes_away_is_a_network_error(
    client: httpx.Client, tmp_path: Path, secret: Path
) -> None:
    nobody = httpx.Client(transport=UnixTransport(str(tmp_path / "nobody"), secret=secret))

    with pytest.raises(httpx.NetworkError):
        client.post("/cut", content="a")
    with pytest.raises(httpx.NetworkError):
        nobody.post("http://engine/echo", content="a")
    assert client.post("/echo", content="a").text == "a"


def test_a_server_that_says_nothing_is_a_timeout(client: httpx.Client) -> None:
    with pytest.raises(httpx.TimeoutException):
        client.post("/silent", content="a", timeout=0.2)

    assert client.post("/echo", content="a", timeout=30).text == "a"
