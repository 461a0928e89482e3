"""Compound files (OLE) and what Outlook keeps in them, made for the tests.

Sources: [MS-CFB] for the container, [MS-OXMSG] and [MS-OXTNEF] for messages.
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

Tree = Mapping[str, "bytes | Tree"]

_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_MINI_BELOW = 4096

NARROW, WIDE, BINARY, INT, DOUBLE, BOOL, TIME = 0x1E, 0x1F, 0x102, 0x03, 0x05, 0x0B, 0x40
OBJECT = 0x0D
_IMESSAGE = UUID("00020307-0000-0000-c000-000000000046").bytes_le
COMMON, APPOINTMENT, TASK, ADDRESS = (
    UUID(f"000620{n:02x}-0000-0000-c000-000000000046") for n in (8, 2, 3, 4)
)

Property = tuple[int | tuple[UUID, int], int, object]
"""Number (of a named one its set, too), type, value."""


def compound(tree: Tree) -> bytes:
    """A compound file with these streams and storages."""
    entries: list[bytes] = []
    mini, big = bytearray(), bytearray()
    mini_fat: list[int] = []
    fat: list[int] = []

    def stored(data: bytes) -> int:
        if not data:
            return _END
        size, space, chain = (64, mini, mini_fat) if len(data) < _MINI_BELOW else (512, big, fat)
        first = len(chain)
        space.extend(data + b"\0" * (-len(data) % size))
        chain.extend(range(first + 1, len(space) // size))
        chain.append(_END)
        return first

    def entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
        wide = (name + "\0").encode("utf-16-le")
        packed = wide.ljust(64, b"\0") + struct.pack("<HBB", len(wide), kind, 1)
        packed += struct.pack("<III", _NONE, right, child) + b"\0" * 36
        return packed + struct.pack("<IQ", start, size)

    def added(inner: Tree) -> int:
        first = len(entries)
        names = list(inner)
        entries.extend(b"" for _ in names)
        for at, name in enumerate(names):
            right = first + at + 1 if at + 1 < len(names) else _NONE
            content = inner[name]
            if isinstance(content, bytes):
                made = entry(name, 2, right, _NONE, stored(content), len(content))
            else:
                child = added(content) if content else _NONE
                made = entry(name, 1, right, child, 0, 0)
            entries[first + at] = made
        return first if names else _NONE

    entries.append(b"")
    child = added(tree)
    mini_bytes, mini_start = len(mini), _END
    if mini:
        mini_start = len(fat)
        big.extend(mini + b"\0" * (-len(mini) % 512))
        fat.extend(range(mini_start + 1, len(big) // 512))
        fat.append(_END)
    entries[0] = entry("Root Entry", 5, _NONE, child, mini_start, mini_bytes)

    def chained(data: bytes) -> int:
        start = len(fat)
        big.extend(data + b"\0" * (-len(data) % 512))
        fat.extend(range(start + 1, len(big) // 512))
        fat.append(_END)
        return start

    directory = chained(b"".join(entries))
    table = struct.pack(f"<{len(mini_fat)}I", *mini_fat) if mini_fat else b""
    mini_table = chained(table + b"\xff" * (-len(table) % 512)) if table else _END
    sectors = 1
    while (len(fat) + sectors) * 4 > sectors * 512:
        sectors += 1
    first = len(fat)
    fat.extend([_FAT] * sectors)
    packed = struct.pack(f"<{len(fat)}I", *fat).ljust(sectors * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += struct.pack("<HHHHH6xIII4x", 0x3E, 3, 0xFFFE, 9, 6, 0, sectors, directory)
    header += struct.pack("<IIIII", _MINI_BELOW, mini_table, 1 if table else 0, _END, 0)
    places = [*range(first, first + sectors), *[_FREE] * (109 - sectors)]
    return header + struct.pack("<109I", *places) + bytes(big) + packed


def message(
    path: Path,
    properties: Sequence[Property],
    *,
    recipients: Sequence[Sequence[Property]] = (),
    attachments: Sequence[Sequence[Property]] = (),
) -> Path:
    """An MSG file."""
    named: list[tuple[UUID, int]] = []
    tree = _bag(properties, 32, named)
    for number, inner in enumerate(recipients):
        tree[f"__recip_version1.0_#{number:08X}"] = _bag(inner, 8, named)
    for number, inner in enumerate(attachments):
        tree[f"__attach_version1.0_#{number:08X}"] = _bag(inner, 8, named)
    sets = list(dict.fromkeys(own for own, _ in named))
    entries = b"".join(
        struct.pack("<IHH", number, (sets.index(own) + 3) << 1, at)
        for at, (own, number) in enumerate(named)
    )
    tree["__nameid_version1.0"] = {
        "__substg1.0_00020102": b"".join(own.bytes_le for own in sets),
        "__substg1.0_00030102": entries,
        "__substg1.0_00040102": b"",
    }
    path.write_bytes(compound(tree))
    return path


def _bag(
    properties: Sequence[Property], header: int, named: list[tuple[UUID, int]]
) -> "dict[str, bytes | Tree]":
    streams: dict[str, bytes | Tree] = {}
    fixed = bytearray(header)
    for key, kind, value in properties:
        number = key if isinstance(key, int) else _number(key, named)
        data = packed(kind, value)
        if kind in {NARROW, WIDE, BINARY}:
            streams[f"__substg1.0_{number:04X}{kind:04X}"] = data
            data = struct.pack("<I", len(data))
        fixed += struct.pack("<HHI", kind, number, 6) + data.ljust(8, b"\0")
    streams["__properties_version1.0"] = bytes(fixed)
    return streams


def _number(key: tuple[UUID, int], named: list[tuple[UUID, int]]) -> int:
    if key not in named:
        named.append(key)
    return 0x8000 + named.index(key)


def packed(kind: int, value: object) -> bytes:
    """A value as both kinds of file keep it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-16-le")
    if isinstance(value, datetime):
        since = value.astimezone(UTC) - datetime(1601, 1, 1, tzinfo=UTC)
        return struct.pack("<Q", int(since.total_seconds() * 10_000_000))
    forms = {INT: "<i", DOUBLE: "<d", BOOL: "<H"}
    return struct.pack(forms[kind], value)


def tnef(
    path: Path,
    properties: Sequence[Property],
    attachments: Mapping[str, bytes] | None = None,
    *,
    messages: Sequence[bytes] = (),
) -> Path:
    """A winmail.dat file; `messages` are others, attached to it as messages."""
    out = struct.pack("<IH", 0x223E9F78, 1) + _attribute(1, 0x9007, struct.pack("<II", 1252, 0))
    out += _attribute(1, 0x9003, _listed(properties))
    for name_of, content in (attachments or {}).items():
        out += _attribute(2, 0x9002, b"\0" * 14)
        out += _attribute(2, 0x8010, name_of.encode("cp1252") + b"\0")
        out += _attribute(2, 0x800F, content)
    for message_in in messages:
        out += _attribute(2, 0x9002, b"\0" * 14)
        out += _attribute(2, 0x9005, _listed([(0x3701, OBJECT, _IMESSAGE + message_in)]))
    path.write_bytes(out)
    return path


def _listed(properties: Sequence[Property]) -> bytes:
    """Properties as winmail.dat lists them."""
    listed = struct.pack("<I", len(properties))
    for key, kind, value in properties:
        number, name = (key, b"") if isinstance(key, int) else (0x8001, _name(key))
        data = packed(kind, value)
        if kind in {NARROW, WIDE, BINARY, OBJECT}:
            data += b"\0" * (1 if kind == NARROW else 2 if kind == WIDE else 0)
            data = struct.pack("<II", 1, len(data)) + data
        listed += struct.pack("<HH", kind, number) + name + data + b"\0" * (-len(data) % 4)
    return listed


def _name(key: tuple[UUID, int]) -> bytes:
    return key[0].bytes_le + struct.pack("<II", 0, key[1])


def _attribute(level: int, number: int, data: bytes) -> bytes:
    head = struct.pack("<BII", level, number | 0x60000, len(data))
    return head + data + struct.pack("<H", sum(data) & 0xFFFF)
