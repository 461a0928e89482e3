"""What the doctor is told of each Qdrant server: ready, of which version, or what is wrong."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import node_states


@pytest.fixture
def server() -> Iterator[Callable[[bytes, int], str]]:
    """Starts one that says of itself what it is told to; gives its address."""
    made: list[HTTPServer] = []

    def start(said: bytes, ready: int = 200) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(ready if self.path == "/readyz" else 200)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        made.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=made[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{made[-1].server_address[1]}"

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


def named(version: str) -> bytes:
    return json.dumps({"title": "qdrant - vector search engine", "version": version}).encode()


def test_each_server_is_told_with_its_version_and_one_that_is_too_old_by_what_it_needs(
    server: Callable[..., str],
) -> None:
    new, old = server(named("1.20.1")), server(named("1.18.9"))
    balancer, busy = server(b"<html>"), server(named("1.20.1"), 503)
    away = "http://127.0.0.1:9"
    settings = Settings(store=StoreSettings(url=",".join((new, old, balancer, busy, away))))

    states = node_states(settings)

    assert states[new] == "ready, version 1.20.1"
    assert states[old] == "version 1.18.9, and 1.19 is the oldest that is supported"
    assert states[balancer] == "ready"
    assert states[busy] == "status 503"
    assert not states[away].startswith("ready")
