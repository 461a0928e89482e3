"""An OpenAI-compatible server on loopback that follows a script, faults included."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sovereign_rag.generation.endpoint import EndpointModel
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message

Make = Callable[..., Any]

SOON_S = 2.0
"""A limit that a test waits for, and that an answer at once keeps on a busy machine."""

QUESTION = [Message("system", "Be brief."), Message("user", "What is the notice period?")]


class Upstream:
    """An OpenAI-compatible server on loopback that follows a script, a line a request."""

    def __init__(self, *script: "Line", certificate: Path | None = None) -> None:
        self.script, self.bodies, self.headers = list(script), list[Any](), list[Any]()
        self.over = threading.Event()  # ends whoever stalls
        self.arrived = threading.Semaphore(0)
        self.gone = threading.Semaphore(0)  # a reader that went away, seen while stalling
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, json.dumps({"data": [{"id": "small"}]}).encode())

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                self.body = json.loads(content)
                upstream.bodies.append(self.body)
                upstream.headers.append((self.path, dict(self.headers)))
                upstream.arrived.release()
                line = upstream.script.pop(0) if len(upstream.script) > 1 else upstream.script[0]
                line(self, upstream)

            def reply(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


Line = Callable[[Any, Upstream], None]


def event(text: str = "", finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more}, ensure_ascii=False)}\n\n".encode()


def begin(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.end_headers()


USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 16},
}


def talks(*words: str, finish: str = "stop") -> Line:
    def line(handler: Any, _: Upstream) -> None:
        begin(handler)
        handler.wfile.write(b": comment\n\n" + event())
        for word in words:
            handler.wfile.write(event(word))
        handler.wfile.write(event(finish=finish))
        handler.wfile.write(f"data: {json.dumps({'choices': [], 'usage': USAGE})}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")

    return line


def stalls(*words: str, headers: bool = True) -> Line:
    """Says some words, then nothing more until the test is over or the reader has gone."""

    def line(handler: Any, upstream: Upstream) -> None:
        if headers:
            begin(handler)
            for word in words:
                handler.wfile.write(event(word))
        handler.connection.settimeout(0.02)
        while not upstream.over.is_set():
            try:
                if handler.connection.recv(1) == b"":
                    upstream.gone.release()
                    return
            except TimeoutError:
                continue

    return line


def breaks_off(*words: str) -> Line:
    def line(handler: Any, _: Upstream) -> None:
        begin(handler)
        for word in words:
            handler.wfile.write(event(word))

    return line


def sends(kind: str, body: bytes) -> Line:
    return lambda handler, _: handler.reply(200, body, Content_Type=kind)


def refuses(status: int, said: str = "no", **headers: str) -> Line:
    body = json.dumps({"error": {"message": said}}).encode()
    return lambda handler, _: handler.reply(status, body, **headers)


def ask(language_model: EndpointModel, **more: Any) -> tuple[str, Delta]:
    pieces = list(
        language_model.stream(CompletionRequest(QUESTION, tenant="default", max_tokens=50, **more))
    )
    return "".join(piece.text for piece in pieces), pieces[-1]
