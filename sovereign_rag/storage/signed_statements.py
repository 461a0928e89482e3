"""Statements that whoever has the public key alone can hold to have been made here (Ed25519).

    {"statement": {"kind": "backup", …}, "signature": "hex"}

What is signed is the line `sovereign-rag statement v1`, and the statement as JSON with sorted keys
and without blanks. The keys are those of the audit record's checkpoints: `audit key` makes one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sovereign_rag.errors import BadInput

_HEAD: Final = b"sovereign-rag statement v1\n"


def signed_statement(kind: str, facts: Mapping[str, Any], key: Ed25519PrivateKey | None) -> bytes:
    """A file that says what `facts`, plain JSON types, are; unsigned where there is no key."""
    statement = {"kind": kind, **facts}
    signature = None if key is None else key.sign(_message(statement)).hex()
    return json.dumps({"statement": statement, "signature": signature}, indent=1).encode() + b"\n"


def statement_in(
    file: Path, kind: str, key: Ed25519PublicKey | None, *, what: str
) -> dict[str, Any]:
    """The statement of a file, which the holder of the key made as it is.

    Args:
        key: None: the signature is not looked at, which the caller has to have been asked for.
        what: The file, in words that begin a sentence.

    Raises:
        BadInput: It is not such a file, or was not signed with that key, or changed since.
    """
    try:
        content = json.loads(file.read_bytes())
        statement, signature = dict(content["statement"]), content["signature"]
    except OSError as error:
        raise BadInput(f"{what} {file} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{what} {file} is damaged. Take another one.") from error
    if statement.get("kind") != kind:
        raise BadInput(f"{what} {file} is something else: {statement.get('kind')!r}.")
    if key is not None and not _is_signed(statement, signature, key):
        raise BadInput(
            f"{what} {file} is not signed with this key, or was changed since. Do not use it: "
            "compare it with another copy."
        )
    return statement


def _is_signed(statement: Mapping[str, Any], signature: object, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(bytes.fromhex(str(signature)), _message(statement))
    except (ValueError, InvalidSignature):
        return False
    return True


def _message(statement: Mapping[str, Any]) -> bytes:
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _HEAD + text.encode("utf-8", "backslashreplace")
