"""Checkpoints of the audit record, signed with a key that its machine need not keep (Ed25519).

Whoever has the public key alone can tell, on another machine, that the record up to a checkpoint is
the one that was signed: `tools/verify_audit.py`, which shares no code with this.

What is signed is the line `sovereign-rag audit checkpoint v1`, and a line `NUMBER HASH TIME`.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.storage.audit_chain import ChainHead

_HEAD: Final = "sovereign-rag audit checkpoint v1"


def make_key(path: Path) -> bytes:
    """Write a new private key, for nobody else's eyes; returns the public key as PEM.

    Raises:
        BadInput: There is a file of that name.
        EnvironmentFault: It can't be written.
    """
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise BadInput(f"{path} is there already; a key is never written over.") from error
    except OSError as error:
        raise EnvironmentFault(f"{path} can't be written: {error.strerror}.") from error
    return public_pem(key.public_key())


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a key to sign with. Raises BadInput."""
    try:
        key = serialization.load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{path} holds no private key without a passphrase: {error}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{path} holds no Ed25519 key; `sovereign-rag audit key` makes one.")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a key to check with. Raises BadInput."""
    try:
        key = serialization.load_pem_public_key(_content(path))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{path} holds no public key: {error}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{path} holds no Ed25519 key; `sovereign-rag audit key` makes one.")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def signed(head: ChainHead, key: Ed25519PrivateKey) -> dict[str, Any]:
    """A checkpoint of the record up to `head`, in plain JSON types."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    signature = key.sign(_message(head.number, head.hash, at))
    return {"number": head.number, "hash": head.hash, "at": at, "signature": signature.hex()}


def is_signed(checkpoint: Mapping[str, Any], key: Ed25519PublicKey) -> bool:
    """Whether the holder of the private key made this checkpoint."""
    try:
        message = _message(checkpoint["number"], checkpoint["hash"], checkpoint["at"])
        key.verify(bytes.fromhex(checkpoint["signature"]), message)
    except (KeyError, TypeError, ValueError, InvalidSignature):
        return False
    return True


def _message(number: object, hash_: object, at: object) -> bytes:
    return f"{_HEAD}\n{number} {hash_} {at}\n".encode()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from error
