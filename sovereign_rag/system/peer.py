"""Who is at the other end of a Unix socket, as the kernel says."""

import socket
import struct


def is_of(connected: socket.socket, account: int) -> bool:
    """Whether the process at the other end is of `account`; where no kernel tells, it is."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return bool(uid == account)
