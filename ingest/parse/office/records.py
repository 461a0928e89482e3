"""The records that XLSB and XLS files are made of.

Sources: [MS-XLSB] 2.1.4, [MS-XLS] 2.1.4.
"""

import struct
from collections.abc import Iterator

_LONGEST_STRING = 1 << 20


def xlsb(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of an XLSB part; both numbers are of variable length."""
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind & 0x80 and at < len(data):
            kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
            at += 1
        length = shift = 0
        for _ in range(4):
            if at >= len(data):
                return
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        yield kind, data[at : at + length]
        at += length


def wide_strings(data: bytes) -> list[str]:
    """Strings one after the other: a length in characters, then UTF-16."""
    found, at = [], 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if length == 0xFFFFFFFF:
            continue
        if length > _LONGEST_STRING or at + 2 * length > len(data):
            break
        found.append(data[at : at + 2 * length].decode("utf-16-le", "replace"))
        at += 2 * length
    return found


def biff(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of an XLS stream from `at` on."""
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def narrow_or_wide(data: bytes, length: int) -> str:
    """A string of XLS behind the flag that tells whether it has one or two bytes a character."""
    if data[:1] and data[0] & 1:
        return data[1 : 1 + 2 * length].decode("utf-16-le", "replace")
    return data[1 : 1 + length].decode("latin-1")
