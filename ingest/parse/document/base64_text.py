"""Bytes that were written as text: nobody reads them, and a search must not."""

import re
from itertools import pairwise

_FEWEST = 200  # characters of base64 that are no word, number or key a person would look for
_LONGEST_WORD = 4_000  # of what a person may still read
_DATA_ADDRESS = re.compile(
    r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,\s*[A-Za-z0-9+/=\s%_-]*[A-Za-z0-9+/=]"
)
_SIGN = "A-Za-z0-9+/"
_BLOCK = re.compile(
    rf"(?<![{_SIGN}=])"
    rf"(?:[{_SIGN}_-]{{56,}}(?:\s+[{_SIGN}_-]{{56,}})+"
    rf"(?:\s+[{_SIGN}_-]{{3,}}={{1,2}}|[ \t]*\r?\n[ \t]*[{_SIGN}_-]{{4,}}(?=[ \t]*(?:\r?\n|\Z)))?"
    rf"|[{_SIGN}_-]{{{_FEWEST},}})"
    rf"={{0,2}}(?![{_SIGN}=])",
)
_ALL = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_BLANK = re.compile(r"\s+")


def is_base64(text: str) -> bool:
    """Whether a whole text is bytes in base64, a file or a picture."""
    if len(text) < _FEWEST or not _ALL.fullmatch(text):
        return False
    packed = _BLANK.sub("", text)
    return len(packed) >= _FEWEST and _is_packed(text)


def without_base64(text: str) -> str:
    """A text without the bytes in it, be they at data: addresses or in blocks of their own."""
    if len(text) < _FEWEST // 2 or not _may_hold(text):
        return text
    text = _DATA_ADDRESS.sub("", text)
    return _BLOCK.sub(lambda match: "" if _is_packed(match.group()) else match.group(), text)


def _may_hold(text: str) -> bool:
    return "base64," in text or _BLOCK.search(text) is not None


def _is_packed(text: str) -> bool:
    """Letters of both cases and figures, mixed as no language mixes them."""
    words = text.split()
    packed = "".join(words)
    if max(map(len, words), default=0) > _LONGEST_WORD:
        return True
    if sum(len(word) for word in words) < _FEWEST or sum(map(len, words)) / len(words) < 40:
        return False
    changes = sum(a.islower() != b.islower() for a, b in pairwise(packed[:400]))
    kinds = (
        any(c.isupper() for c in packed),
        any(c.islower() for c in packed),
        any(c.isdigit() for c in packed),
    )
    return all(kinds) and changes > 0.1 * min(400, len(packed))
