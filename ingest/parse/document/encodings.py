"""Which encoding a text is in that does not say so: decided by the letters that come out."""

import codecs
from typing import Final

from charset_normalizer import from_bytes

_DETECT_BYTES = 200_000
_DETECTABLE = [
    *("utf_8", "cp1252", "iso8859_15", "cp850", "mac_roman", "utf_16", "cp1250", "cp1251"),
    *("cp1253", "cp1254", "cp1257", "cp932", "gb18030", "euc_kr", "big5"),
]
# What each language writes beside a to z, lower case; the first encoding wins a draw. Two bytes
# out of three mean a letter in all of these, so only the letters of one language tell them apart.
_LETTERS: Final = {
    "cp1252": (
        *("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "àèéìíîòóù", "áâãàçéêíóôõú", "åæøäöéü"),
        "éèëïöüáóíij",
    ),
    "cp1250": (
        *("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű", "áäčďéíĺľňóôŕšťúýž", "ăâîșțşţ", "čšžćđ"),
    ),
    "cp1254": ("çğıöşüâîiû",),
}
_LATIN: Final = frozenset({*_LETTERS, "cp1257", "iso8859_15", "latin_1"})


def guessed(data: bytes) -> str:
    """The name of the encoding in which bytes that are not UTF-8 most likely are text."""
    sample = data[:_DETECT_BYTES]
    if not any(c.isalpha() for c in sample.decode("cp1252", "replace") if not c.isascii()):
        return "cp1252"  # quotation marks and the like alone
    best = from_bytes(sample, cp_isolation=_DETECTABLE).best()
    if best is not None and codecs.lookup(best.encoding).name not in _latin_names():
        return best.encoding
    return max(_LETTERS, key=lambda encoding: _likeness(sample, encoding))


def _likeness(data: bytes, encoding: str) -> tuple[float, int]:
    """The share of letters beyond a to z that one language alone would account for; their count.

    Of two encodings that fit, the one that makes letters rather than signs of the same bytes.
    """
    text = data.decode(encoding, "replace")
    letters = [c.lower()[0] for c in text if not c.isascii() and (c.isalpha() or c == "\ufffd")]
    if not letters:
        return 0.0, 0
    languages = (set(language) for language in _LETTERS[encoding])
    fitting = max(sum(c in language for c in letters) for language in languages)
    return fitting / len(letters), len(letters)


def _latin_names() -> set[str]:
    return {codecs.lookup(name).name for name in _LATIN}
