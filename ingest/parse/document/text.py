"""What canonical text is: the characters that a reader sees, in one form."""

import re
import unicodedata

from ingest.detect import wide_encoding
from ingest.parse.document.encodings import guessed
from ingest.parse.document.symbol_fonts import private_sign
from sovereign_rag.errors import DocumentError

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r" {2,}")
_SPACE_AT_LINE_END = re.compile(r" +(?=\n|$)")
_SPACE_AT_LINE_START = re.compile(r"(?<=\n) +")
_BLANK_LINES = re.compile(r"\n{3,}")
_FIRST_WORD = re.compile(r"[a-zà-öø-ÿœß]+")
_CONJUNCTIONS = frozenset(("und", "oder", "bzw", "sowie", "et", "ou", "and", "or", "y", "o", "e"))
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\U000e0000-\U000e007f]")
_NO_TEXT = {"Cc", "Cn", "Co", "Cs"}


class _Dropped(dict[int, int | str | None]):
    """Table for str.translate, filled as characters are met: what stays, becomes a space, goes.

    Gone are control characters and everything of Unicode's category "format": zero-width
    characters, soft hyphens, direction marks and tags, which a person does not see and which
    would split words for a search or carry hidden text.
    """

    def __missing__(self, code: int) -> int | str | None:
        category = unicodedata.category(chr(code))
        value: int | str | None = code
        if code in (9, 10):
            value = code if code == 10 else " "
        elif category in {"Cc", "Cf", "Cs"}:
            value = None
        elif category == "Zs":
            value = " "
        elif category == "Co":
            value = private_sign(code) or code
        self[code] = value
        return value


_TABLE = _Dropped()


def canonical(text: str, *, keep_indent: bool = False) -> str:
    """Text as it is stored and quoted: NFC, line feeds alone, no invisible characters.

    Every kind of space becomes the plain one and runs of it become one, so that a quote can be
    found again however it was spaced. `keep_indent` leaves runs of spaces alone, for code.
    """
    text = _LINE_ENDS.sub("\n", text)
    if keep_indent:
        text = text.expandtabs(4)
    text = unicodedata.normalize("NFC", text.translate(_TABLE))
    if not keep_indent:
        text = _SPACE_AT_LINE_START.sub("", _SPACES.sub(" ", text))
    text = _BLANK_LINES.sub("\n\n", _SPACE_AT_LINE_END.sub("", text))
    return text.strip("\n") if keep_indent else text.strip()


def invisible_characters(text: str) -> int:
    """How many characters of a raw text nobody sees and writing seldom needs.

    Soft hyphens and a byte order mark are usual; joiners hold emoji and some scripts together.
    """
    return len(_INVISIBLE.findall(text))


def one_line(text: str) -> str:
    """Canonical text on one line."""
    return " ".join(canonical(text).split())


def is_broken(before: str, after: str) -> bool:
    """Whether a word was broken by a hyphen at a line's end between `before` and `after`.

    Not so in "Soft- und Hardware", where the hyphen stands for a shared ending.
    """
    word = _FIRST_WORD.match(after)
    return before[-1:].isalpha() and word is not None and word.group() not in _CONJUNCTIONS


def squashed(text: str) -> str:
    """Letters and digits alone, in lower case: what stays of a text whatever its layout."""
    return "".join(c for c in text.lower() if c.isalnum())


def decode(data: bytes, declared: str | None = None) -> str:
    """Bytes of a text file as text: byte order mark, declared encoding, UTF-8, then a guess.

    Raises:
        DocumentError: "broken", when what comes out is not text.
    """
    text = _decode(data, declared)
    sample = text[:20_000]
    strange = sum(unicodedata.category(c) in _NO_TEXT and not c.isspace() for c in sample)
    if sample and strange > 0.1 * len(sample):
        raise DocumentError(
            "broken",
            "The file is named like a text and does not hold text. Bring the original file.",
        )
    return text


def _decode(data: bytes, declared: str | None) -> str:
    wide = wide_encoding(data[:4096])
    if wide is not None:
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if declared:
        try:
            return data.decode(declared)
        except (LookupError, UnicodeDecodeError):
            pass
    return data.decode(guessed(data), "replace")
