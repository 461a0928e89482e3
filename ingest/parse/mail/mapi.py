"""Properties of Outlook's messages, wherever they were kept: in an MSG file or in winmail.dat.

Sources: [MS-OXCDATA] 2.11 for the types of values, [MS-OXPROPS] for the numbers of properties.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ingest.parse.document.text import decode

Key = int | tuple[UUID, int] | str
"""A property's number; of a named one the set it belongs to and its number there, or its name."""

Value = int | float | bool | datetime | str | bytes
"""8-bit text stays bytes until the code page of its message is known."""

_SET: Final = "000620{:02x}-0000-0000-c000-000000000046"
APPOINTMENT, TASK, ADDRESS, COMMON = (UUID(_SET.format(n)) for n in (0x02, 0x03, 0x04, 0x08))

KEYWORDS: Final = "Keywords"  # the categories of whatever item

CLASS, SUBJECT, BODY, RTF, HTML = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013
SENT, RECEIVED, MESSAGE_ID = 0x0039, 0x0E06, 0x1035
NAME, ADDRESS_TYPE, EMAIL, SMTP = 0x3001, 0x3002, 0x3003, 0x39FE
SENDER_NAME, SENDER_EMAIL, SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
RECIPIENT_KIND = 0x0C15
TOPIC = 0x0070  # of a conversation: its subject without "Re:"
FILE_NAME, LONG_FILE_NAME, DATA = 0x3704, 0x3707, 0x3701
_LOCALE, _INTERNET_CODE_PAGE, _MESSAGE_CODE_PAGE = 0x3FF1, 0x3FDE, 0x3FFD

SHORT, INT, FLOAT, DOUBLE, CURRENCY, APP_TIME = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
BOOL, OBJECT, LONG, NARROW, WIDE, TIME, GUID, BINARY = (
    *(0x0B, 0x0D, 0x14, 0x1E, 0x1F, 0x40, 0x48, 0x102),
)
SIZES: Final[Mapping[int, int]] = {
    **{SHORT: 2, INT: 4, FLOAT: 4, DOUBLE: 8, CURRENCY: 8, APP_TIME: 8, BOOL: 2, LONG: 8},
    **{TIME: 8, GUID: 16, 0x0A: 4},
}
"""Bytes of the types whose values are all of one length."""

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LATEST_TICK = 0x3000000000000000
# Code pages of Windows by the language in which a message was written; all others have 1252.
_BY_LOCALE = {0x0404: 950, 0x0C04: 950, 0x1404: 950, 0x0804: 936, 0x1004: 936, 0x0C1A: 1251}
_BY_LANGUAGE = {
    **dict.fromkeys((0x05, 0x0E, 0x15, 0x18, 0x1A, 0x1B, 0x1C, 0x24), 1250),
    **dict.fromkeys((0x02, 0x19, 0x22, 0x23, 0x2F), 1251),
    **{0x08: 1253, 0x1F: 1254, 0x0D: 1255, 0x01: 1256, 0x29: 1256, 0x25: 1257, 0x26: 1257},
    **{0x27: 1257, 0x2A: 1258, 0x11: 932, 0x12: 949, 0x1E: 874},
}
_NAMES = {65001: "utf-8", 65000: "utf-7", 20127: "ascii", 20866: "koi8-r", 21866: "koi8-u"}
_NAMES |= {936: "gb18030", 950: "big5hkscs", 50220: "iso2022_jp", 51932: "euc_jp", 51949: "euc_kr"}


def fixed(kind: int, data: bytes) -> Value | None:
    """A value of a type in `SIZES`; None: it says nothing."""
    data = data.ljust(8, b"\0")
    if kind == BOOL:
        return data[0] != 0
    if kind == TIME:
        ticks = int.from_bytes(data[:8], "little")
        if not 0 < ticks < _LATEST_TICK:
            return None
        try:
            return _EPOCH + timedelta(microseconds=ticks // 10)
        except OverflowError:
            return None
    formats = {SHORT: "<h", INT: "<i", FLOAT: "<f", DOUBLE: "<d", LONG: "<q"}
    if kind not in formats:
        return None
    value: int | float = struct.unpack_from(formats[kind], data)[0]
    return value


def varying(kind: int, data: bytes) -> Value | None:
    """A value whose length its writer chose."""
    if kind == WIDE:
        return data.decode("utf-16-le", "replace").rstrip("\0")
    return data.rstrip(b"\0") if kind == NARROW else data


@dataclass(slots=True)
class Bag:
    """The properties of a message, a recipient or an attachment."""

    values: dict[Key, Value] = field(default_factory=dict)
    encodings: tuple[str, ...] = ()  # of 8-bit text, those that are most likely first

    def text(self, *keys: Key) -> str:
        """The first of these properties that says something, as text."""
        for key in keys:
            value = self.values.get(key)
            said = decoded(value, self.encodings) if isinstance(value, bytes) else value
            if isinstance(said, str) and said.strip():
                return said
        return ""

    def number(self, key: Key) -> float | None:
        value = self.values.get(key)
        return value if isinstance(value, int | float) else None

    def moment(self, *keys: Key) -> datetime | None:
        found = (self.values.get(key) for key in keys)
        return next((value for value in found if isinstance(value, datetime)), None)

    def bytes(self, key: Key) -> bytes:
        value = self.values.get(key)
        return value if isinstance(value, bytes) else b""


def decoded(data: bytes, encodings: Iterable[str]) -> str:
    """8-bit text: UTF-8 where it is that, else in the first of `encodings` that fits."""
    for encoding in ("utf-8", *encodings):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return decode(data)


def encodings_of(message: Bag) -> tuple[str, ...]:
    """In which 8-bit text of a message may be: as it says itself, as its language has it."""
    pages = [message.number(_MESSAGE_CODE_PAGE)]
    locale = message.number(_LOCALE)
    if locale is not None:
        number = int(locale) & 0xFFFF
        pages.append(_BY_LOCALE.get(number, _BY_LANGUAGE.get(number & 0x3FF, 1252)))
    pages.append(message.number(_INTERNET_CODE_PAGE))
    return tuple(dict.fromkeys(_codec(int(page)) for page in pages if page))


def html_of(message: Bag) -> str:
    """The HTML body, which has a code page of its own; "" where there is none."""
    value = message.values.get(HTML)
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else ""
    page = message.number(_INTERNET_CODE_PAGE)
    own = (_codec(int(page)),) if page else ()
    return decoded(value, (*own, *message.encodings))


def _codec(page: int) -> str:
    if page in _NAMES:
        return _NAMES[page]
    if 28591 <= page <= 28605:
        return f"iso8859_{page - 28590}"
    return f"cp{page}"


@dataclass(slots=True)
class MapiMessage:
    """A message with what belongs to it."""

    properties: Bag
    recipients: list[Bag] = field(default_factory=list)
    attachments: list["Attached"] = field(default_factory=list)


@dataclass(slots=True)
class Attached:
    """A file, or a message of its own."""

    properties: Bag
    message: MapiMessage | None = None
