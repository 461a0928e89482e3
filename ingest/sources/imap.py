"""An IMAP mailbox; each message is a document, as the bytes that the server has.

Messages never change under their number (UID) as long as the folder keeps its UIDVALIDITY, so a
look asks for the numbers alone. Folders are opened for reading only: nothing is marked as seen.
"""

import base64
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from ingest.sources import sidecar
from ingest.sources.source import Entry, LeftOut, Listing
from sovereign_rag.errors import DocumentError, EnvironmentFault, SettingsError
from sovereign_rag.settings import ImapSource
from sovereign_rag.settings.sources import secret

_BLOCK: Final = 1 << 20
_LIST = re.compile(rb'\((?P<flags>[^)]*)\) (?P<delimiter>"(?:[^"\\]|\\.)*"|NIL) (?P<name>.*)', re.S)
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_PORTS: Final = {"tls": 993, "starttls": 143, "none": 143}


class Mailbox:
    """A mailbox as a source: INBOX/1-42.eml is message 42 of INBOX."""

    kind = "imap"
    facts_key = None

    def __init__(self, name: str, section: ImapSource, *, max_bytes: int) -> None:
        """`max_bytes` is the size above which a message is refused."""
        self.name = name
        self._section, self._max_bytes = section, max_bytes
        self._connection: imaplib.IMAP4 | None = None
        self._folders: dict[str, bytes] = {}  # as the server writes them, by name

    @property
    def prefix(self) -> str:
        return f"{self.name}:/"

    def list(self) -> Listing:
        entries: list[Entry] = []
        left_out: list[LeftOut] = []
        for name, written in self._list_folders():
            if not any(sidecar.matches(pattern, name) for pattern in self._patterns()):
                left_out.append(LeftOut(name, "not chosen"))
                continue
            validity = self._select(written)
            with self._asking():
                _, found = self._server.uid("SEARCH", "UNDELETED")
            for uid in sorted(int(n) for n in (found[0] or b"").split()):
                key = f"{name}/{validity}-{uid}.eml"
                entries.append(
                    Entry(
                        key=key,
                        uri=f"{self.prefix}{key}",
                        name=f"{uid}.eml",
                        stamp=f"{validity}:{uid}",
                    )
                )
            self._folders[name] = written
        return Listing(entries=tuple(entries), left_out=tuple(left_out))

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        folder, _, file = entry.key.rpartition("/")
        validity, _, uid = file.removesuffix(".eml").partition("-")
        if self._select(self._folders[folder]) != validity:
            raise DocumentError("missing", f"{folder} was made anew meanwhile; sync again.")
        with self._asking():
            _, sizes = self._server.uid("FETCH", uid, "(RFC822.SIZE)")
        size = _SIZE.search(b"".join(part for part in sizes if isinstance(part, bytes)))
        if size is None:
            raise DocumentError("missing", f"{entry.key} is not in the mailbox any more.")
        if int(size.group(1)) > self._max_bytes:
            raise DocumentError(
                "too_large",
                f"{entry.key} has {int(size.group(1)) >> 20} MiB; raise parse.max_file_mib.",
            )
        with self._asking():
            _, answer = self._server.uid("FETCH", uid, "(BODY.PEEK[])")
        for part in answer:
            if isinstance(part, tuple):
                for begin in range(0, len(part[1]), _BLOCK):
                    yield part[1][begin : begin + _BLOCK]
                return
        raise DocumentError("missing", f"{entry.key} is not in the mailbox any more.")

    def facts(self, entry: Entry) -> tuple[str, ...]:
        return ()

    @property
    def _server(self) -> imaplib.IMAP4:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _patterns(self) -> Iterator[str]:
        # Every folder by default, at whatever depth.
        return iter("**" if pattern == "*" else pattern for pattern in self._section.folders)

    def _list_folders(self) -> Sequence[tuple[str, bytes]]:
        with self._asking():
            _, lines = self._server.list()
        found: list[tuple[str, bytes]] = []
        for line in lines:
            raw = line[0] + line[1] if isinstance(line, tuple) else line
            match = _LIST.match(raw or b"")
            if match is None or b"\\noselect" in match["flags"].lower():
                continue
            written = line[1] if isinstance(line, tuple) else match["name"]
            name = decode_name(_unquoted(written))
            delimiter = _unquoted(match["delimiter"]).decode("ascii", "replace")
            if match["delimiter"] != b"NIL" and delimiter != "/":
                name = name.replace("/", "_").replace(delimiter, "/")
            quoted = b'"' + _unquoted(written).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
            found.append((name, quoted))
        return sorted(found)

    def _select(self, written: bytes) -> str:
        """Open a folder for reading; returns its UIDVALIDITY."""
        with self._asking():
            status, said = self._server.select(written.decode("latin-1"), readonly=True)
            if status != "OK":
                raise EnvironmentFault(
                    f"The folder {written.decode('ascii', 'replace')} of {self.name!r} can't be "
                    f"opened: {said!r}. Leave it out by `folders`, or give the user the right to."
                )
            _, validity = self._server.response("UIDVALIDITY")
        return (validity[0] or b"0").decode("ascii") if validity else "0"

    def _connect(self) -> imaplib.IMAP4:
        section = self._section
        password = secret(
            section.password, section.password_file, what=f"sources.{self.name}.password_file"
        )
        port = section.port or _PORTS[section.security]
        with self._asking():
            if section.security == "tls":
                server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                    section.host, port, ssl_context=self._tls(), timeout=section.timeout_s
                )
            else:
                server = imaplib.IMAP4(section.host, port, timeout=section.timeout_s)
            try:
                if section.security == "starttls":
                    server.starttls(self._tls())
                server.login(section.user, password or "")
            except BaseException:  # no connection stays open, whatever refused it
                server.shutdown()
                raise
        return server

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context()
            if self._section.ca_file is not None:
                context.load_verify_locations(self._section.ca_file)
        except OSError as error:
            raise SettingsError(
                f"ca_file {self._section.ca_file} can't be read: {error}."
            ) from error
        return context

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (imaplib.IMAP4.error, OSError) as error:
            self._drop()
            raise EnvironmentFault(
                f"The mailbox of {self.name!r} on {self._section.host} failed: {error}. Check "
                "host, port, security, user and password of its section."
            ) from error

    def __enter__(self) -> "Mailbox":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._connection is not None:
            with suppress(imaplib.IMAP4.error, OSError):  # it leaves anyway
                self._connection.logout()
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):  # closed from the other side
                self._connection.shutdown()
            self._connection = None


def decode_name(written: bytes) -> str:
    """A folder's name from IMAP's variant of UTF-7 (RFC 3501, 5.1.3)."""

    def decoded(match: re.Match[str]) -> str:
        inside = match.group(1)
        if not inside:
            return "&"
        padded = inside.replace(",", "/") + "=" * (-len(inside) % 4)
        return base64.b64decode(padded).decode("utf-16-be", "replace")

    text = written.decode("utf-8", "replace")
    try:
        return re.sub(r"&([A-Za-z0-9+,]*)-", decoded, text)
    except ValueError:  # no base64
        return text


def _unquoted(written: bytes) -> bytes:
    written = written.strip()
    if written.startswith(b'"') and written.endswith(b'"') and len(written) > 1:
        return re.sub(rb"\\(.)", rb"\1", written[1:-1])
    return written
