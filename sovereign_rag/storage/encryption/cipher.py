"""The form that bytes have on the disk: AES-256-GCM in blocks, so that large files are streamed.

    file    SRENC1, id of the content's key (16), salt (16), blocks
    block   up to 64 KiB of the file, and 16 bytes that tell whether they were changed

Each file has a key of its own, derived (HKDF) from the content's key, its salt and its name. A
block's nonce is its number and whether it is the last one: blocks that are swapped, repeated, left
out or cut off do not open. This is the construction of Hoang, Reyhanitabar, Rogaway and Vizár,
"Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (CRYPTO 2015), STREAM.
"""

import os
from collections.abc import Iterable, Iterator
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sovereign_rag.errors import DataDamaged

MAGIC: Final = b"SRENC1"
ID_BYTES: Final = 16
KEY_BYTES: Final = 32
HEADER_BYTES: Final = len(MAGIC) + 2 * ID_BYTES
BLOCK_BYTES: Final = 1 << 16
_TAG_BYTES: Final = 16
_SEALED_BYTES: Final = BLOCK_BYTES + _TAG_BYTES
_NONCE_BYTES: Final = 12


def key_id_of(header: bytes) -> str | None:
    """Which key a file was encrypted with, in hex; None: it does not look encrypted."""
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return None
    return header[len(MAGIC) : len(MAGIC) + ID_BYTES].hex()


def encrypted(blocks: Iterable[bytes], key: bytes, key_id: str, name: str) -> Iterator[bytes]:
    """The form on the disk of a file that comes in blocks of any size.

    Args:
        key: Of the content, KEY_BYTES.
        key_id: Its name, in hex.
        name: Of the file; it opens under no other.
    """
    header = MAGIC + bytes.fromhex(key_id) + os.urandom(ID_BYTES)
    cipher = _cipher(key, header, name)
    yield header
    number, waiting = 0, bytearray()
    for block in blocks:
        waiting += block
        while len(waiting) > BLOCK_BYTES:  # one is held back: it may be the last
            part = bytes(waiting[:BLOCK_BYTES])
            del waiting[:BLOCK_BYTES]
            yield cipher.encrypt(_nonce(number, is_last=False), part, header)
            number += 1
    yield cipher.encrypt(_nonce(number, is_last=True), bytes(waiting), header)


def decrypted(file: IO[bytes], key: bytes, name: str) -> Iterator[bytes]:
    """The bytes of an encrypted file, from its beginning on.

    Raises:
        DataDamaged: They are not those that were stored under this name with this key. What came
            before the damage was whole.
    """
    header = file.read(HEADER_BYTES)
    cipher = _cipher(key, header, name)
    number, sealed = 0, file.read(_SEALED_BYTES)
    while True:
        following = file.read(_SEALED_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, is_last=not following), sealed, header)
        except InvalidTag as error:
            raise DataDamaged(name) from error
        if not following:
            return
        number, sealed = number + 1, following


def plain_size(stored: int) -> int:
    """How many bytes a file has that takes `stored` on the disk."""
    rest = stored - HEADER_BYTES
    return rest - _TAG_BYTES * max(1, -(-rest // _SEALED_BYTES))


def wrap(key: bytes, secret: bytes, context: str) -> bytes:
    """Encrypt a key with another one; it opens in this context alone."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, context.encode())


def unwrap(key: bytes, wrapped: bytes, context: str) -> bytes:
    """The inverse of `wrap`. Raises DataDamaged: another key, another context, or changed."""
    try:
        return AESGCM(key).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise DataDamaged(context.partition("\n")[0]) from error


def derived(key: bytes, salt: bytes, info: str) -> bytes:
    """A key of another one's, for one purpose."""
    return HKDF(SHA256(), KEY_BYTES, salt, info.encode()).derive(key)


def _cipher(key: bytes, header: bytes, name: str) -> AESGCM:
    return AESGCM(derived(key, header[-ID_BYTES:], f"file\n{name}"))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_NONCE_BYTES - 1, "big") + bytes([is_last])


class Frames:
    """A file that grows: after the header, pieces with their length, each encrypted by itself."""

    def __init__(self, key: bytes, key_id: str, name: str) -> None:
        self._key, self._key_id, self._name = key, key_id, name

    def read(self, data: bytes) -> bytes:
        """All pieces, one after the other; one that was cut off or changed ends them.

        What lies there in another key, or in clear, counts as nothing: it is made again.
        """
        if key_id_of(data) != self._key_id:
            return b""
        header = data[:HEADER_BYTES]
        cipher, whole = _cipher(self._key, header, self._name), []
        for begin, end in _pieces(data):
            sealed = data[begin:end]
            try:
                whole.append(cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header))
            except InvalidTag:
                break
        return b"".join(whole)

    def append(self, file: IO[bytes], data: bytes) -> None:
        """Write a piece at the end of a file that is open for both, and locked."""
        file.seek(0)
        stored = file.read()
        if key_id_of(stored) == self._key_id:
            header = stored[:HEADER_BYTES]
            end = max((end for _, end in _pieces(stored)), default=HEADER_BYTES)
        else:
            header, end = self.header(), 0
        file.truncate(end)  # what a crash left half written
        file.seek(0, 2)
        file.write((b"" if end else header) + self.piece(header, data))

    def header(self) -> bytes:
        return MAGIC + bytes.fromhex(self._key_id) + os.urandom(ID_BYTES)

    def piece(self, header: bytes, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + _cipher(self._key, header, self._name).encrypt(nonce, data, header)
        return len(sealed).to_bytes(4, "big") + sealed


def _pieces(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each whole piece begins and ends."""
    at = HEADER_BYTES
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield at + 4, end
        at = end
