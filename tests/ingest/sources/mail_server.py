"""A real IMAP server for tests, and messages to put into it."""

import imaplib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path


@contextmanager
def serving_mail(*options: str) -> Iterator[int]:
    """An IMAP server on loopback with one mailbox, ana's; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    program = Path(sys.executable).with_name("pymap")
    server = subprocess.Popen(
        [
            *(str(program), "--host", "127.0.0.1", "--port", str(port), *options),
            *("dict", "--demo-user", "ana", "--demo-password", "demo"),
        ],
        env={**os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                imaplib.IMAP4("127.0.0.1", port, timeout=5).logout()
                break
            except OSError:
                assert server.poll() is None, "the mail server ended"
                assert time.monotonic() < deadline, "the mail server did not start"
                time.sleep(0.2)  # its readiness can only be tried
        yield port
    finally:
        server.terminate()
        server.wait(30)


def message(subject: str, text: str) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "bo@example.org", "ana@example.org", subject
    made["Date"] = "Mon, 02 Feb 2026 10:00:00 +0000"
    made.set_content(text)
    return made.as_bytes()
