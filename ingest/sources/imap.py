"""An IMAP mailbox; each message is a document, as the bytes that the server has.

Messages never change under their number (UID) as long as the folder keeps its UIDVALIDITY, so a
look asks for the numbers alone. Folders are opened for reading only: nothing is marked as seen.
"""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from imapclient import IMAPClient, imap_utf7
from imapclient.exceptions import IMAPClientError

from ingest.sources import sidecar
from ingest.sources.source import Entry, LeftOut, Listing
from sovereign_rag.errors import DocumentError, EnvironmentFault, SettingsError
from sovereign_rag.settings import ImapSource
from sovereign_rag.settings.sources import secret

_BLOCK: Final = 1 << 20
_SIZE: Final = b"RFC822.SIZE"
_BODY: Final = b"BODY[]"
_PORTS: Final = {"tls": 993, "starttls": 143, "none": 143}


class Mailbox:
    """A mailbox as a source: INBOX/1-42.eml is message 42 of INBOX."""

    kind = "imap"
    facts_key = None

    def __init__(self, name: str, section: ImapSource, *, max_bytes: int) -> None:
        """`max_bytes` is the size above which a message is refused."""
        self.name = name
        self._section, self._max_bytes = section, max_bytes
        self._connection: IMAPClient | None = None
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
            if not written.isascii():  # against the protocol, and nothing that could be asked for
                left_out.append(LeftOut(name, "unreadable"))
                continue
            validity = self._select(written)
            with self._asking():
                found = self._server.search("UNDELETED")
            for uid in sorted(found):
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
        size = self._fetch(entry, int(uid), "RFC822.SIZE", _SIZE)
        if size > self._max_bytes:
            raise DocumentError(
                "too_large", f"{entry.key} has {size >> 20} MiB; raise parse.max_file_mib."
            )
        body: bytes = self._fetch(entry, int(uid), "BODY.PEEK[]", _BODY)
        for begin in range(0, len(body), _BLOCK):
            yield body[begin : begin + _BLOCK]

    def facts(self, entry: Entry) -> tuple[str, ...]:
        return ()

    @property
    def _server(self) -> IMAPClient:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _patterns(self) -> Iterator[str]:
        # Every folder by default, at whatever depth.
        return iter("**" if pattern == "*" else pattern for pattern in self._section.folders)

    def _list_folders(self) -> Sequence[tuple[str, bytes]]:
        with self._asking():
            folders = self._server.list_folders()
        found: list[tuple[str, bytes]] = []
        for flags, delimiter, written in folders:
            if b"\\noselect" in {flag.lower() for flag in flags}:
                continue
            raw = written.encode() if isinstance(written, str) else written  # "2026" comes as text
            name = decode_name(raw)
            if delimiter is not None and delimiter != b"/":
                name = name.replace("/", "_").replace(delimiter.decode("ascii", "replace"), "/")
            found.append((name, raw))
        return sorted(found)

    def _fetch(self, entry: Entry, uid: int, item: str, key: bytes) -> Any:
        with self._asking():
            answer = self._server.fetch([uid], [item])
        if key not in answer.get(uid, {}):
            raise DocumentError("missing", f"{entry.key} is not in the mailbox any more.")
        return answer[uid][key]

    def _select(self, written: bytes) -> str:
        """Open a folder for reading; returns its UIDVALIDITY."""
        try:
            with self._asking():
                opened = self._server.select_folder(written, readonly=True)
        except EnvironmentFault as fault:
            raise EnvironmentFault(
                f"The folder {written.decode()} of {self.name!r} can't be opened. Leave it out by "
                f"`folders`, or give the user the right to. {fault}"
            ) from fault
        return str(opened.get(b"UIDVALIDITY", 0))

    def _connect(self) -> IMAPClient:
        section = self._section
        password = secret(
            section.password, section.password_file, what=f"sources.{self.name}.password_file"
        )
        port = section.port or _PORTS[section.security]
        is_tls = section.security == "tls"
        with self._asking():
            server = IMAPClient(
                section.host,
                port,
                ssl=is_tls,
                ssl_context=self._tls() if is_tls else None,
                timeout=section.timeout_s,
            )
            server.folder_encode = False  # names stay as they came, so that they can be asked for
            try:
                if section.security == "starttls":
                    server.starttls(self._tls())
                server.login(section.user, password or "")
            except BaseException:  # no connection stays open, whatever refused it
                with suppress(OSError):  # closed by what failed; that is to be told, not this
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
        except (IMAPClientError, OSError) as error:
            self._drop()
            raise EnvironmentFault(
                f"The mailbox of {self.name!r} on {self._section.host} failed: {error}. Check "
                "host, port, security, user and password of its section."
            ) from error

    def __enter__(self) -> "Mailbox":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._connection is not None:
            with suppress(IMAPClientError, OSError):  # it leaves anyway
                self._connection.logout()
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):  # closed from the other side
                self._connection.shutdown()
            self._connection = None


def decode_name(written: bytes) -> str:
    """A folder's name from IMAP's variant of UTF-7 (RFC 3501, 5.1.3), or as it is if it is none."""
    try:
        name: str = imap_utf7.decode(written)
    except UnicodeError:
        return written.decode("utf-8", "replace")
    return name if written.isascii() else written.decode("utf-8", "replace")
