"""RTF as a stream of groups, control words and decoded text.

Source: Rich Text Format Specification 1.9.1, "Contents of an RTF file", "Unicode RTF".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+"
    rb"|([^\\{}\r\n]+)|(\\)",
    re.DOTALL,
)
_CHARSETS = {
    **{77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257"},
    **{204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850"},
}
_DOCUMENT = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
_DEEPEST = 2_000


@dataclass(frozen=True, slots=True)
class RtfToken:
    kind: Literal["open", "close", "word", "symbol", "text"]
    text: str = ""
    number: int | None = None


@dataclass(slots=True)
class _State:
    font: int = -1
    skip: int = 1  # bytes that stand for the same as a \u before them
    in_fonts: bool = False


def tokens(data: bytes) -> Iterator[RtfToken]:
    """The tokens of a file. Text is decoded by its font's character set or the document's.

    Raises:
        RecursionError: Groups are nested more than two thousand deep.
    """
    default = "cp1252"
    first_font: int | None = None
    charsets: dict[int, str] = {}
    stack = [_State()]
    pending = bytearray()  # bytes in the font's encoding
    units: list[int] = []  # UTF-16, as \u gives it
    skip = at = 0

    def text_so_far() -> Iterator[RtfToken]:
        nonlocal pending, units
        if units:
            packed = b"".join((u & 0xFFFF).to_bytes(2, "little") for u in units)
            units = []
            yield RtfToken("text", packed.decode("utf-16-le", "replace"))
        if pending:
            font = stack[-1].font if stack[-1].font >= 0 else first_font
            encoding = charsets.get(font if font is not None else -1, default)
            text, pending = _decoded(bytes(pending), encoding), bytearray()
            yield RtfToken("text", text)

    while (found := _TOKEN.match(data, at)) is not None:
        at = found.end()
        word, number, code, symbol, brace, plain, _ = found.groups()
        if plain is not None or code is not None:
            chunk = plain if plain is not None else bytes([int(code, 16)])
            cut = min(skip, len(chunk))
            skip, chunk = skip - cut, chunk[cut:]
            if chunk:
                if units:
                    yield from text_so_far()
                pending += chunk
            continue
        if word == b"u" and number is not None:
            if pending:
                yield from text_so_far()
            units.append(int(number))
            skip = stack[-1].skip
            continue
        if word is None and symbol is None and brace is None:
            continue  # a line's end, or a backslash at the end of the file
        skip = 0
        yield from text_so_far()
        if brace == b"{":
            if len(stack) > _DEEPEST:
                raise RecursionError
            top = stack[-1]
            stack.append(_State(top.font, top.skip, top.in_fonts))
            yield RtfToken("open")
        elif brace == b"}":
            if len(stack) > 1:
                stack.pop()
            yield RtfToken("close")
        elif symbol is not None:
            yield RtfToken("symbol", symbol.decode("latin-1"))
        elif word is not None:
            name = word.decode("ascii")
            value = int(number) if number is not None else None
            if name == "bin":
                at += max(0, value or 0)
            elif name == "uc":
                stack[-1].skip = max(0, value or 0)
            elif name == "fonttbl":
                stack[-1].in_fonts = True
            elif name == "f" and value is not None:
                stack[-1].font = value
                first_font = value if first_font is None and not stack[-1].in_fonts else first_font
            elif name == "fcharset" and value in _CHARSETS:
                charsets[stack[-1].font] = _CHARSETS[value]
            elif name == "plain":
                stack[-1].font = -1
            elif name == "ansicpg" and value:
                default = f"cp{value}"
            elif name in _DOCUMENT:
                default = _DOCUMENT[name]
            yield RtfToken("word", name, value)
    yield from text_so_far()


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
