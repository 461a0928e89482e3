"""A hub of models on loopback, which speaks the real one's protocol, faults included."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sovereign_rag.models import catalogue
from sovereign_rag.models.catalogue import CatalogueModel

CONTENT = os.urandom(3 << 20)


class Hub:
    """A hub on loopback: it sends one to another host for the bytes, as the real one does."""

    def __init__(self, content: bytes) -> None:
        self.content, self.offered = content, hashlib.sha256(content).hexdigest()
        self.size = len(content)
        self.cuts: list[int] = []  # bytes after which the next replies break off
        self.seen: list[tuple[str, str, str | None]] = []  # method, path, range
        self.headers: list[dict[str, str]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                hub.seen.append((self.command, self.path, self.headers["Range"]))
                hub.headers.append({k.lower(): v for k, v in self.headers.items()})
                if self.path.startswith("/bytes/"):
                    self.send_bytes()
                elif "/resolve/" not in self.path or self.path.endswith("missing.gguf"):
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.send_response(302)
                    self.send_header("Location", f"http://localhost:{hub.port}/bytes/{hub.offered}")
                    self.send_header("X-Repo-Commit", "c" * 40)
                    self.send_header("X-Linked-Etag", f'"{hub.offered}"')
                    self.send_header("X-Linked-Size", str(hub.size))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def send_bytes(self) -> None:
                begin = int((self.headers["Range"] or "bytes=0-").split("=")[1].split("-")[0])
                part = hub.content[begin:]
                self.send_response(206 if self.headers["Range"] else 200)
                total = len(hub.content)
                self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
                self.send_header("Content-Length", str(len(part)))
                self.end_headers()
                self.wfile.write(part[: hub.cuts.pop(0)] if hub.cuts else part)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub(CONTENT)
    yield made
    made.close()


@pytest.fixture
def wanted() -> CatalogueModel:
    """A line of the catalogue for the hub's file."""
    return replace(
        catalogue.catalogue()[0],
        name="wanted",
        repository="house/Wanted-GGUF",
        file="Wanted-Q4_K_M.gguf",
        revision="d" * 40,
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
