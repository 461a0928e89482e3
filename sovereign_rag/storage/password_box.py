"""A password while its document waits: sealed in the catalog, the key in the data folder.

Whoever reads the database, a dump or a backup of it finds nothing without the key, and the sealed
form opens for the one document that it was given for. It is erased when the document's task ends.
"""

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sovereign_rag.errors import BadInput, DocumentError, EnvironmentFault

KEY_NAME: Final = "sealing.key"
MAX_PASSWORD_CHARS: Final = 1_000
_NONCE_BYTES: Final = 12  # random; far below 2^32 messages are sealed with one key


class Seal:
    """Seals and opens with AES-256-GCM, under the key of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        """The key is made when it is first needed."""
        self._path = data_dir / KEY_NAME

    def close(self, password: str, *, tenant: str, uri: str) -> bytes:
        """Seal a password for the document that `uri` names in `tenant`.

        Raises:
            BadInput: It is empty or longer than any format takes.
            EnvironmentFault: The key can't be read or made.
        """
        if not 0 < len(password) <= MAX_PASSWORD_CHARS:
            raise BadInput(f"A password has 1 to {MAX_PASSWORD_CHARS} characters.")
        nonce = os.urandom(_NONCE_BYTES)
        text = password.encode("utf-8", "surrogatepass")
        return nonce + AESGCM(self._key()).encrypt(nonce, text, _context(tenant, uri))

    def open(self, sealed: bytes, *, tenant: str, uri: str) -> str:
        """The password again.

        Raises:
            DocumentError: It was sealed for another document, or with a key that is gone.
            EnvironmentFault: The key can't be read.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            text = AESGCM(self._key()).decrypt(nonce, rest, _context(tenant, uri))
        except InvalidTag as error:
            raise DocumentError(
                "encrypted",
                f"The password can't be opened: {self._path} is not the key that it was sealed "
                "with. Hand the document in again, with its password.",
            ) from error
        return text.decode("utf-8", "surrogatepass")

    def _key(self) -> bytes:
        try:
            if not self._path.exists():
                self._make()
            return self._path.read_bytes()
        except OSError as error:
            raise EnvironmentFault(
                f"The key {self._path} can't be read or made: {error.strerror}. Give this user "
                "the right to write in the data folder."
            ) from error

    def _make(self) -> None:
        """Whole or not at all; of several processes the first one's counts."""
        beside = self._path.with_name(f"{KEY_NAME}.{os.getpid()}")
        handle = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(AESGCM.generate_key(bit_length=256))
                file.flush()
                os.fsync(file.fileno())
            if not self._path.exists():
                os.link(beside, self._path)
        except FileExistsError:
            pass  # another process was faster
        finally:
            beside.unlink()


def _context(tenant: str, uri: str) -> bytes:
    return f"{tenant}\n{uri}".encode("utf-8", "surrogatepass")
