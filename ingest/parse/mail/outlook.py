"""Messages of Outlook (MSG): an OLE container of properties, with attachments inside.

Source: [MS-OXMSG].
"""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import olefile  # type: ignore[import-untyped]  # the package has no types

from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.job import Job
from ingest.parse.mail import mapi
from ingest.parse.mail.mapi import Attached, Bag, Key, MapiMessage, Value
from ingest.parse.mail.outlook_items import item_draft

_STREAM = re.compile(r"__substg1\.0_([0-9A-F]{4})([0-9A-F]{4})(-[0-9A-F]{8})?", re.IGNORECASE)
_MANY = 0x1000  # in a type: the property has several values, each in a stream of its own
_PROPERTIES = "__properties_version1.0"
_NAMES = "__nameid_version1.0"
_EMBEDDED = "__substg1.0_3701000D"
_NAMED_FROM = 0x8000
_HEADER_BYTES = {"message": 32, "embedded": 24, "part": 8}  # of a stream of properties
_MAPI = UUID("00020328-0000-0000-c000-000000000046")
_PUBLIC_STRINGS = UUID("00020329-0000-0000-c000-000000000046")
_DEEPEST = 16

Names = dict[int, Key]


def read_msg(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Outlook's messages, appointments, contacts and tasks.

    Raises:
        DocumentError: "encrypted".
    """
    with olefile.OleFileIO(str(path)) as container:
        message = _Container(container).message([], "message")
    return item_draft(message, job, path.parent)


class _Container:
    def __init__(self, container: olefile.OleFileIO) -> None:
        self._container = container
        self._entries: list[list[str]] = container.listdir(streams=True, storages=True)
        self._named = _names(container)

    def message(self, place: list[str], kind: str) -> MapiMessage:
        properties = self._bag(place, kind)
        properties.encodings = mapi.encodings_of(properties)
        message = MapiMessage(properties)
        for storage in self._storages(place):
            inner = self._bag([*place, storage], "part")
            inner.encodings = properties.encodings
            if storage.lower().startswith("__recip_version1.0_"):
                message.recipients.append(inner)
                continue
            embedded = [*place, storage, _EMBEDDED]
            is_message = embedded in self._entries and len(embedded) < _DEEPEST
            attached = self.message(embedded, "embedded") if is_message else None
            message.attachments.append(Attached(inner, attached))
        return message

    def _storages(self, place: list[str]) -> Iterator[str]:
        starts = ("__recip_version1.0_", "__attach_version1.0_")
        found = {e[len(place)] for e in self._entries if e[: len(place)] == place != e}
        yield from sorted(name for name in found if name.lower().startswith(starts))

    def _bag(self, place: list[str], kind: str) -> Bag:
        bag = Bag()
        header = self._stream([*place, _PROPERTIES])[_HEADER_BYTES[kind] :]
        for at in range(0, len(header) - 15, 16):
            type_, number = (int.from_bytes(header[at + k : at + k + 2], "little") for k in (0, 2))
            if type_ in mapi.SIZES and type_ != mapi.GUID:
                self._put(bag, number, mapi.fixed(type_, header[at + 8 : at + 16]))
        for entry in self._entries:
            match = _STREAM.fullmatch(entry[-1]) if entry[:-1] == place else None
            if match is None:
                continue
            number, type_ = (int(part, 16) for part in match.groups()[:2])
            if type_ in {mapi.NARROW, mapi.WIDE, mapi.BINARY}:
                self._put(bag, number, mapi.varying(type_, self._stream(entry)))
            elif type_ & ~_MANY in {mapi.NARROW, mapi.WIDE} and match.group(3):
                value = mapi.varying(type_ & ~_MANY, self._stream(entry))
                self._put(bag, number, value, joined=True)
        return bag

    def _put(self, bag: Bag, number: int, value: Value | None, *, joined: bool = False) -> None:
        key: Key | None = number if number < _NAMED_FROM else self._named.get(number)
        if key is None or value is None:
            return
        before = bag.values.get(key)
        if joined and isinstance(before, str) and isinstance(value, str):
            value = f"{before}, {value}"
        elif joined and isinstance(before, bytes) and isinstance(value, bytes):
            value = before + b", " + value
        bag.values[key] = value

    def _stream(self, entry: list[str]) -> bytes:
        if entry not in self._entries:
            return b""
        data: bytes = self._container.openstream(entry).read()
        return data


def _names(container: olefile.OleFileIO) -> Names:
    """What the numbers from 0x8000 on stand for in this file."""

    def stream(name: str) -> bytes:
        entry = [_NAMES, f"__substg1.0_{name}0102"]
        return container.openstream(entry).read() if container.exists(entry) else b""

    guids, entries, words = stream("0002"), stream("0003"), stream("0004")
    sets = [UUID(bytes_le=guids[at : at + 16]) for at in range(0, len(guids) - 15, 16)]
    found: Names = {}
    for at in range(0, len(entries) - 7, 8):
        number = int.from_bytes(entries[at : at + 4], "little")
        guid_and_kind, index = (
            int.from_bytes(entries[at + k : at + k + 2], "little") for k in (4, 6)
        )
        if guid_and_kind & 1:
            length = int.from_bytes(words[number : number + 4], "little")
            word = words[number + 4 : number + 4 + length].decode("utf-16-le", "replace")
            found[_NAMED_FROM + index] = word
            continue
        guid = guid_and_kind >> 1
        known = {1: _MAPI, 2: _PUBLIC_STRINGS}
        own = sets[guid - 3] if 3 <= guid < len(sets) + 3 else known.get(guid)
        if own is not None:
            found[_NAMED_FROM + index] = own, number
    return found
