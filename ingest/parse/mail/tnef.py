"""winmail.dat: a message of Outlook's as it travels to mail programs that are not Outlook.

Source: [MS-OXTNEF].
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.job import Job
from ingest.parse.mail import mapi
from ingest.parse.mail.mapi import Attached, Bag, Key, MapiMessage
from ingest.parse.mail.outlook_items import item_draft
from sovereign_rag.errors import DocumentError

_START = 6  # a signature and a key stand before the first attribute
_SUBJECT, _BODY, _CLASS, _CODE_PAGE = 0x8004, 0x800C, 0x8008, 0x9007
_PROPERTIES, _RECIPIENTS, _ATTACHMENT = 0x9003, 0x9004, 0x9005
_NEW_ATTACHMENT, _TITLE, _DATA = 0x9002, 0x8010, 0x800F
_OWN_NAMES = {"IPM.Microsoft Mail.Note": "IPM.Note"}
_MULTIPLE = 0x1000
_NAMED_FROM = 0x8000
_IMESSAGE = UUID("00020307-0000-0000-c000-000000000046").bytes_le
_MOST_VALUES = 100_000
_DEEPEST = 8


def read_tnef(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of winmail.dat: the message, and the files that travelled in it.

    Raises:
        DocumentError: "broken" or "encrypted".
    """
    try:
        message = _message(path.read_bytes(), 0)
    except (struct.error, IndexError) as error:
        raise DocumentError(
            "broken",
            "The file is cut off. Ask for it again, or have it sent as HTML or plain text.",
        ) from error
    return item_draft(message, job, path.parent)


def _message(data: bytes, depth: int) -> MapiMessage:
    bag = Bag()
    message = MapiMessage(bag)
    encoding = "cp1252"
    for number, value in _attributes(data):
        if number == _CODE_PAGE and len(value) >= 4:
            encoding = f"cp{int.from_bytes(value[:4], 'little')}"
        elif number == _PROPERTIES:
            bag.values.update(_values(value, 0)[0])
        elif number == _RECIPIENTS:
            message.recipients += _recipients(value)
        elif number == _NEW_ATTACHMENT:
            message.attachments.append(Attached(Bag()))
        elif number in {_TITLE, _DATA, _ATTACHMENT} and message.attachments:
            _attach(message.attachments[-1], number, value, depth)
        elif number in {_SUBJECT, _BODY, _CLASS}:
            key = {_SUBJECT: mapi.SUBJECT, _BODY: mapi.BODY, _CLASS: mapi.CLASS}[number]
            bag.values.setdefault(key, value.rstrip(b"\0"))
    bag.encodings = (*mapi.encodings_of(bag), encoding)
    for inner in (*message.recipients, *(a.properties for a in message.attachments)):
        inner.encodings = bag.encodings
    name = bag.text(mapi.CLASS)
    bag.values[mapi.CLASS] = _OWN_NAMES.get(name, name)
    return message


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of each attribute; two bytes of a sum follow each."""
    at = _START
    while at + 9 <= len(data):
        number, length = struct.unpack_from("<I", data, at + 1)[0], 0
        length = struct.unpack_from("<I", data, at + 5)[0]
        yield number & 0xFFFF, data[at + 9 : at + 9 + length]
        at += 9 + length + 2


def _attach(attached: Attached, number: int, value: bytes, depth: int) -> None:
    values = attached.properties.values
    if number == _TITLE:
        values.setdefault(mapi.LONG_FILE_NAME, value.rstrip(b"\0"))
    elif number == _DATA:
        values[mapi.DATA] = value
    else:
        found = _values(value, 0)[0]
        data = found.get(mapi.DATA)
        if isinstance(data, bytes) and data.startswith(_IMESSAGE):
            inner = data[len(_IMESSAGE) :]
            found.pop(mapi.DATA)
            if depth < _DEEPEST:
                attached.message = _message(inner, depth + 1)
        elif data == b"":
            found.pop(mapi.DATA)
        values.update(found)


def _recipients(data: bytes) -> Iterator[Bag]:
    (rows,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(rows, _MOST_VALUES)):
        if at >= len(data):
            return
        values, at = _values(data, at)
        yield Bag(values)


def _values(data: bytes, at: int) -> tuple[dict[Key, mapi.Value], int]:
    """The properties in a list of them, and where it ends."""
    found: dict[Key, mapi.Value] = {}
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    for _ in range(min(count, _MOST_VALUES)):
        if at + 4 > len(data):
            break
        type_, number = struct.unpack_from("<HH", data, at)
        at += 4
        key: Key | None = number
        if number >= _NAMED_FROM:
            key, at = _name(data, at)
        kind = type_ & ~_MULTIPLE
        many, at = (struct.unpack_from("<I", data, at)[0], at + 4) if _lists(type_) else (1, at)
        for _ in range(min(many, _MOST_VALUES)):
            value, at = _value(kind, data, at)
            if key is None or value is None:
                continue
            before = found.get(key)
            if isinstance(before, str) and isinstance(value, str):
                value = f"{before}, {value}"
            found[key] = value if before is None or isinstance(value, str) else before
    return found, at


def _lists(type_: int) -> bool:
    """Whether the number of values stands before them: of several, and of those of any length."""
    return bool(type_ & _MULTIPLE) or type_ not in mapi.SIZES


def _value(kind: int, data: bytes, at: int) -> tuple[mapi.Value | None, int]:
    if (size := mapi.SIZES.get(kind)) is not None:
        return mapi.fixed(kind, data[at : at + size]), at + max(4, size)
    (length,) = struct.unpack_from("<I", data, at)
    at += 4
    return mapi.varying(kind, data[at : at + length]), at + length + -length % 4


def _name(data: bytes, at: int) -> tuple[Key | None, int]:
    own = UUID(bytes_le=data[at : at + 16])
    (kind,) = struct.unpack_from("<I", data, at + 16)
    (number,) = struct.unpack_from("<I", data, at + 20)
    if kind == 0:
        return (own, number), at + 24
    word = data[at + 24 : at + 24 + number].decode("utf-16-le", "replace").rstrip("\0")
    return word or None, at + 24 + number + -number % 4
