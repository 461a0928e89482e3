"""Whether the text layer of a page says anything.

A font without a mapping gives codes of glyphs in place of letters: "3HQþWHFK" for "Pen". Words of
a language are letters alone, in one of three cases, in Latin script with vowels; names of parts
and figures are not, so little is asked for, and a page that fails is looked at as an image.
"""

import math
import re
import unicodedata
from itertools import islice

_APART = re.compile(r"[\s\-–—/'’.,:;…@_()\[\]\"„“”«»]+")
_FEWEST_LETTERS = 20
_SHORTEST = 3  # characters of a word that is looked at
_LEAST_SHARE = 0.3  # of the words that look like words
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]+")
_VOWELS = frozenset("aeiouy")


def is_legible(text: str, least: float = _LEAST_SHARE) -> bool:
    """Whether enough of a text's words look like words, or there are too few letters to tell.

    Args:
        text: Words apart.
        least: The share of them that has to, 0 to 1.
    """
    letters = sum(map(str.isalpha, text))
    if letters < _FEWEST_LETTERS:
        return True
    words = [w for w in _APART.split(text) if len(w) >= _SHORTEST and any(map(str.isalpha, w))]
    enough = math.ceil(least * len(words))
    return sum(1 for _ in islice(filter(_is_word, words), enough)) == enough


def _is_word(text: str) -> bool:
    if not all(character.isalpha() or unicodedata.combining(character) for character in text):
        return False
    cased = text.islower() or text.isupper() or text[1:].islower() or text.lower() == text.upper()
    if not cased or not _LATIN.fullmatch(text):
        return cased
    return not _VOWELS.isdisjoint(unicodedata.normalize("NFKD", text.lower()))
