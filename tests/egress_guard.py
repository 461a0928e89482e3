"""The guard: an attempt to leave this machine is refused, noted, and fails the test it was made in.

It sees what Python's own `socket` does in this process: connections, datagrams, look-ups of names.
What native code and child processes do is seen by the kernel alone: `test_zero_egress.py`.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterator

import pytest

attempts: list[str] = []
"""What was tried since the last test."""

_SENT = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKED_UP = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


def install() -> None:
    """Refuse from here on, for good; before the imports that are to be watched."""
    sys.addaudithook(_refuse)


@pytest.fixture(autouse=True)
def stay_on_this_machine() -> Iterator[None]:
    """Fail on an attempt to connect elsewhere, also one that best-effort code swallowed."""
    yield
    made, attempts[:] = list(attempts), []
    assert made == []


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in _SENT:
        sender, address = args[0], args[1]
        leaves = (
            isinstance(sender, socket.SocketType)
            and sender.family in {socket.AF_INET, socket.AF_INET6}
            and isinstance(address, tuple)
            and not _is_here(address[0])
        )
    else:
        address = args[0] if event in _LOOKED_UP else None
        leaves = address is not None and not _is_here(address)
    if leaves:
        attempts.append(f"{event} {address!r}")
        raise ConnectionRefusedError(attempts[-1])


def _is_here(host: object) -> bool:
    """Whether a name or an address is this machine's own; the empty one listens."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
