"""How far the audit record has come, told to a syslog: it takes notes and gives none back.

RFC 5424, over UDP (RFC 5426), TCP (RFC 6587, counted) or the local socket. What a syslog keeps is
handed to `audit verify --noted`.
"""

import os
import re
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit_chain import ChainHead

SCHEMES: Final = ("syslog+udp", "syslog+tcp", "syslog+unix")

_PRIORITY: Final = 13 * 8 + 5  # facility "log audit", severity "notice"
_PORTS: Final = {"syslog+udp": 514, "syslog+tcp": 601}
_WAIT_S: Final = 5.0
_NOTE: Final = re.compile(r"\b(?:number=)?(\d{1,18}) (?:hash=)?([0-9a-f]{64})\b")


class SyslogAnchor:
    """A listed syslog; nothing but its address is connected to."""

    def __init__(self, url: str, folder: Path) -> None:
        """`folder` says which record it is that has come so far."""
        self.where, self._folder = url, folder
        self._url = urlsplit(url)

    def last(self) -> ChainHead | None:
        """None: a syslog is asked by people."""
        return None

    def note(self, head: ChainHead) -> None:
        """Send number and hash. Raises AuditError, as far as the way tells that it failed."""
        message = note_line(head, self._folder)
        try:
            self._send(message)
        except OSError as error:
            raise AuditError(
                f"The audit record could not be noted at {self.where}: {error}. See that the "
                "syslog there takes messages, or correct audit.anchor."
            ) from error

    def _send(self, message: bytes) -> None:
        scheme, host = self._url.scheme, self._url.hostname or ""
        port = self._url.port or _PORTS.get(scheme, 0)
        if scheme == "syslog+unix":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
                local.settimeout(_WAIT_S)
                local.connect(self._url.path)
                local.send(message)
        elif scheme == "syslog+tcp":
            with socket.create_connection((host, port), timeout=_WAIT_S) as stream:
                stream.sendall(b"%d %b" % (len(message), message))
        else:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as datagrams:
                datagrams.settimeout(_WAIT_S)
                datagrams.sendto(message, address)


def note_line(head: ChainHead, folder: Path) -> bytes:
    """One message, without a line end."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = re.sub(r"[^!-~]", "-", socket.gethostname())[:255] or "-"
    text = f"number={head.number:012d} hash={head.hash} record={folder}"
    header = f"<{_PRIORITY}>1 {at} {host} sovereign-rag {os.getpid()} audit.head -"
    return f"{header} {text}".encode("utf-8", "backslashreplace")


def notes_in(lines: Iterable[str]) -> Iterator[ChainHead]:
    """The notes among lines of a syslog, or as `audit verify` prints them."""
    for line in lines:
        if found := _NOTE.search(line):
            yield ChainHead(int(found[1]), found[2])
