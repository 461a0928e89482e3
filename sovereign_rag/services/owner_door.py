"""The owner's own way into a running service: a socket in the data folder.

Who owns the folder may read all of it anyway; by this door they ask the service that runs, whose
models are loaded, in place of loading them anew. The folder and the socket are its owner's alone,
and the kernel says which account is at the other end. Nothing of it can be said by a request that
came in elsewhere.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from sovereign_rag.access import DEFAULT_TENANT, Principal, local_owner
from sovereign_rag.system.peer import is_of

AS_HEADER: Final = "sovereign-as"
"""Whose eyes the owner looks through, as JSON of `View`; meant at this door alone."""

_LONGEST_PATH: Final = 100  # bytes; a Unix socket's address ends at 107


class View(BaseModel):
    """Somebody whose eyes the owner looks through; without a user the owner's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str = DEFAULT_TENANT
    user: str | None = None
    groups: tuple[str, ...] = ()
    clearance: int = 0

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """What the command line says of whoever asks there: the owner, or one of their views."""
        if principal.is_owner:
            return cls(tenant=principal.tenant)
        return cls(
            tenant=principal.tenant,
            user=principal.user,
            groups=tuple(sorted(principal.groups)),
            clearance=principal.clearance,
        )

    @property
    def principal(self) -> Principal:
        if self.user is None:
            return local_owner(self.tenant)
        return Principal(
            self.user, frozenset(self.groups), self.tenant, self.clearance, is_view=True
        )


def door_path(data_dir: Path) -> Path:
    """Where the socket of a data folder lies."""
    return data_dir / "door" / "service.sock"


@contextlib.contextmanager
def opened(data_dir: Path) -> Iterator[socket.socket | None]:
    """The socket, listening; None where it can't be: a long path, or another service has it."""
    path = door_path(data_dir)
    if len(os.fsencode(path)) > _LONGEST_PATH or not hasattr(socket, "SO_PEERCRED"):
        yield None
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    if _answers(path):
        yield None
        return
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        return caller.connect_ex(str(path)) == 0


def is_owner(connected: socket.socket) -> bool:
    """Whether the account at the other end of the socket is this process's own."""
    return is_of(connected, os.geteuid())
