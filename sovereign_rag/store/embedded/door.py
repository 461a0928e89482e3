"""Who may talk to the engine: processes of this account that can read its secret.

The sockets lie in a folder for this account alone, and a process that was confined after it was
started (a parser) is of the same account. So whoever connects first sends 32 bytes, made anew at
each start of the engine and kept in a file beside the sockets: never in an environment, never on
a command line. The kernel tells each side whose process the other is.
"""

import asyncio
import os
import secrets
import socket
from hmac import compare_digest
from pathlib import Path
from typing import Final

from sovereign_rag.errors import StoreError
from sovereign_rag.system.peer import is_of

SECRET_BYTES: Final = 32
ENTER_WITHIN_S: Final = 5.0
"""A connection without the secret ends after this long."""


def make_secret(path: Path) -> bytes:
    """A new secret, in a file that only this account can read."""
    secret = secrets.token_bytes(SECRET_BYTES)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
    return secret


def enter(connected: socket.socket, secret: Path, *, account: int | None = None) -> None:
    """Show the engine at the other end its secret, if it is of `account` (unset: this one).

    Raises:
        OSError: There is no engine any more.
        StoreError: Another account answers there.
    """
    if not is_of(connected, os.geteuid() if account is None else account):
        raise StoreError(
            f"A process of another account answers in {secret.parent}. Find out which, end it, and "
            "see who may write to the data folder."
        )
    connected.sendall(secret.read_bytes())


async def admits(
    reader: asyncio.StreamReader,
    connected: socket.socket,
    secret: bytes,
    *,
    within_s: float = ENTER_WITHIN_S,
) -> bool:
    """Whether who connected shows the secret, in time."""
    if not is_of(connected, os.geteuid()):
        return False
    try:
        shown = await asyncio.wait_for(reader.readexactly(SECRET_BYTES), within_s)
    except (TimeoutError, asyncio.IncompleteReadError):
        return False
    return compare_digest(shown, secret)
