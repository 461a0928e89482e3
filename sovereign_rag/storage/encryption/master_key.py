"""The admin's key, which opens all others: from a file, or from a program that has it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from sovereign_rag.errors import BadInput, KeyUnavailable
from sovereign_rag.settings import EncryptionSettings
from sovereign_rag.storage.encryption.cipher import KEY_BYTES, derived, unwrap, wrap

_HEX: Final = re.compile(rb"[0-9a-fA-F]{64}")
_OTHERS: Final = 0o077


class MasterKey:
    """Wraps keys; what it is leaves this object in no message."""

    def __init__(self, key: bytes) -> None:
        self._key = derived(key, b"", "wrapping")
        self.id = derived(key, b"", "name")[:8].hex()
        """Its name, from which nobody can tell the key."""

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    @classmethod
    def of(cls, settings: EncryptionSettings) -> "MasterKey":
        """Raises KeyUnavailable: there is none where the settings say, or it is none."""
        if settings.key_file is not None:
            return cls.read(settings.key_file)
        return cls(_printed(settings.key_command, settings.key_timeout_s))

    @classmethod
    def read(cls, file: Path) -> "MasterKey":
        """Raises KeyUnavailable."""
        try:
            mode, text = file.stat().st_mode, file.read_bytes()
        except OSError as error:
            raise KeyUnavailable(
                f"The key of encryption.key_file, {file}, can't be read: {error.strerror}. Bring "
                "it back, or mount its disk; nothing is lost, and nothing is read or written."
            ) from error
        if mode & _OTHERS:
            raise KeyUnavailable(
                f"Others than its owner may read {file}, which holds the master key: "
                f"`chmod 600 {file}`."
            )
        return cls(_key_in(text, str(file)))

    def wrap(self, secret: bytes, context: str) -> str:
        return wrap(self._key, secret, context).hex()

    def unwrap(self, wrapped: str, context: str) -> bytes:
        """Raises DataDamaged."""
        return unwrap(self._key, bytes.fromhex(wrapped), context)


def write_new(file: Path) -> MasterKey:
    """Make a key and write it to a file that is not there yet, for this user alone.

    Raises:
        BadInput: The file is there, or can't be written.
    """
    key = os.urandom(KEY_BYTES)
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as target:
            target.write(key.hex().encode() + b"\n")
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise BadInput(f"{file} can't be written: {error.strerror}. Name a new file.") from error
    return MasterKey(key)


def _printed(command: tuple[str, ...], timeout_s: float) -> bytes:
    what = f"The program of encryption.key_command, {command[0]},"
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"it took over {timeout_s:g} s"
        raise KeyUnavailable(f"{what} gives no key: {reason}.") from error
    if done.returncode:
        # Of what it printed nothing is told: it may be the key.
        raise KeyUnavailable(f"{what} gives no key: it ended with {done.returncode}.")
    return _key_in(done.stdout, command[0])


def _key_in(text: bytes, place: str) -> bytes:
    text = text.strip()
    if not _HEX.fullmatch(text):
        raise KeyUnavailable(
            f"What {place} gives is no master key: 64 hexadecimal digits, as `sovereign-rag "
            "encryption key FILE` writes them."
        )
    return bytes.fromhex(text.decode("ascii"))
