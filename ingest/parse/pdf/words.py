"""A block's text in the characters of the file, each word with its place on the page.

The layout engine knows reading order, cells, and which words were broken at a line's end. On the
way it adds marks of Markdown, straightens quotation marks and writes formulas in TeX. PDFium
knows the characters as they stand in the file, with a box for each. Both sides are reduced to
their bare letters and digits, runs of words are looked up, and what is stored is what the file
has at that place.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ingest.parse.document.text import canonical, is_broken
from ingest.parse.pdf.characters import BREAKS, PageCharacters, reduced
from sovereign_rag.domain import Box, Word

_TOKEN = re.compile(r"\S+")
_SEPARATOR = re.compile(r"( \| |\n)")
_FORMULA = frozenset("${}\\^")
_MARKS = re.compile(r"[*~`_\\]+")
_CONTEXT_WORDS = 4
_MOST_ATTACHED = 4  # signs before or after a word that belong to it: ("...
_LONGEST_CONJUNCTION = 8  # letters, with what ends it
_LOST_SHARE = 0.3  # of a block's words not found: its text is taken from its place instead
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_HYPHENS = "-\u2010\xad\x02\ufffe"

_Letter = tuple[str, int]
"""A character of a text and its index among the page's characters; -1: it is not on the page."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    key: str  # bare letters and digits
    origin: list[int]  # for each of them, its index in `text`


def placed(text: str, region: Box | None, page: PageCharacters) -> tuple[str, tuple[Word, ...]]:
    """The text as the file has it, and its words.

    Args:
        text: Of a block, as the layout engine gives it; cells and lines stay apart.
        region: Where the block stands; its words are looked for inside it alone.
        page: Remembers which characters were used, so that repeated words keep their places.

    A word broken at a line's end gives two `Word`s, one for each part.
    """
    segments = _SEPARATOR.split(text)
    letters: list[_Letter] = []
    for index, segment in enumerate(segments):
        if index % 2:
            letters += ((character, -1) for character in segment)
            continue
        found, lost = _rewritten(segment, region, page)
        if lost > _LOST_SHARE and len(segments) == 1 and region is not None:
            found = _flowing(page.inside(region), page.text) or found
        letters += _trimmed(found)
    return "".join(character for character, _ in letters), tuple(_words(letters, page))


def _rewritten(
    segment: str, region: Box | None, page: PageCharacters
) -> tuple[list[_Letter], float]:
    """(letters, share of words that were not found) of a stretch without separators.

    A formula that the layout engine wrote in TeX counts as all the words.
    """
    tokens = [_Token(t, *reduced(t)) for t in _TOKEN.findall(segment)]
    worded = [token for token in tokens if token.key]
    letters: list[_Letter] = []
    signs: list[str] = []
    end: int | None = None  # of the last word, among the page's bare letters
    lost = seen = 0
    formula = False
    for token in tokens:
        if not token.key:
            signs.append(token.text)
            continue
        following = [other.key for other in worded[seen : seen + _CONTEXT_WORDS]]
        seen += 1
        at = page.find(following, after=end, region=region)
        if at is not None and at == end:
            letters += _gap(page, at)
        else:
            letters += _attached_after(page, end)
            letters += _synthetic(signs, page)
            letters.append((" ", -1))
            letters += _attached_before(page, at)
        signs = []
        if at is None and page.hides(token.key):
            end = None
        elif at is None:
            lost += 1
            formula = formula or not _FORMULA.isdisjoint(token.text)
            letters += ((c, -1) for c in _MARKS.sub("", token.text))
            end = None
        else:
            letters += _token_letters(token, at, page)
            end = at + len(token.key)
    letters += _attached_after(page, end)
    letters += _synthetic(signs, page)
    return letters, 1.0 if formula else lost / max(1, len(worded))


def _gap(page: PageCharacters, at: int) -> Iterator[_Letter]:
    """What the file has between two words that follow each other in it."""
    first, last = page.origin[at - 1] + 1, page.origin[at]
    hyphen, ends = page.text[first : first + 1], page.text[first + 1 : last]
    broken = hyphen in BREAKS or not BREAKS.isdisjoint(ends)
    if hyphen and hyphen in _HYPHENS and not ends.strip("".join(BREAKS) + " ") and broken:
        following = page.text[last : last + _LONGEST_CONJUNCTION]
        if is_broken(page.text[first - 1], following):
            return
    blank = False
    for index in range(first, last):
        character = page.text[index]
        if character in "\r\n" or character.isspace():
            blank = True
        else:
            yield from [(" ", -1)] * blank
            blank = False
            yield "-" if character in _HYPHENS else character, index
    if blank or first == last or page.text[last - 1] in BREAKS:
        yield " ", -1


def _token_letters(token: _Token, at: int, page: PageCharacters) -> Iterator[_Letter]:
    """A word from the file, put together again where it was broken."""
    before = -1
    for offset in range(len(token.key)):
        here = page.origin[at + offset]
        if here == before:
            continue  # a ligature, which is one character there
        if offset:
            between = page.text[before + 1 : here]
            written = token.text[token.origin[offset - 1] + 1 : token.origin[offset]]
            if not BREAKS.isdisjoint(between):
                if any(character in _HYPHENS for character in written):
                    yield "-", before + 1
            elif not between.isspace():
                yield from ((c, before + 1 + k) for k, c in enumerate(between))
        character = page.text[here]
        yield from ((c, here) for c in _LIGATURES.get(character, character))
        before = here


def _attached_before(page: PageCharacters, at: int | None) -> list[_Letter]:
    if at is None:
        return []
    first = page.origin[at]
    start = first
    while start > 0 and first - start < _MOST_ATTACHED and _is_sign(page.text[start - 1]):
        start -= 1
    return [(page.text[index], index) for index in range(start, first)]


def _attached_after(page: PageCharacters, end: int | None) -> list[_Letter]:
    if end is None:
        return []
    last = page.origin[end - 1]
    stop = last + 1
    while stop < len(page.text) and stop - last <= _MOST_ATTACHED and _is_sign(page.text[stop]):
        stop += 1
    return [(page.text[index], index) for index in range(last + 1, stop)]


def _is_sign(character: str) -> bool:
    return not (character.isspace() or character.isalnum() or character in BREAKS)


def _synthetic(signs: Sequence[str], page: PageCharacters) -> Iterator[_Letter]:
    """Signs that stand alone, unless they are the layout engine's own marks."""
    for sign in signs:
        if sign in page.text or not _MARKS.search(sign):
            yield " ", -1
            yield from ((character, -1) for character in sign)


def _flowing(indices: Iterable[int], text: str) -> list[_Letter]:
    """Characters in the order of the file, lines joined, broken words put together."""
    letters: list[_Letter] = []
    for index in indices:
        character = text[index]
        if character in BREAKS or character.isspace():
            if letters and letters[-1][0] != " ":
                letters.append((" ", -1))
        else:
            letters += ((c, index) for c in _LIGATURES.get(character, character))
    return letters


def _trimmed(letters: Sequence[_Letter]) -> Iterator[_Letter]:
    """Canonical letters: one space between words, none at the ends, nothing invisible."""
    waiting = started = False
    for character, index in letters:
        if character == " " or not (clean := _canonical_letter(character)):
            waiting = True if character == " " else waiting
            continue
        if waiting and started:
            yield " ", -1
        waiting, started = False, True
        yield from ((c, index) for c in clean)


@lru_cache(maxsize=8192)
def _canonical_letter(character: str) -> str:
    return canonical(character)


def _words(letters: Sequence[_Letter], page: PageCharacters) -> Iterator[Word]:
    start = 0
    while start < len(letters):
        character, index = letters[start]
        end = start + 1
        if character.isspace() or index < 0:
            start = end
            continue
        last = index
        while end < len(letters):
            character, index = letters[end]
            if index < 0 or not BREAKS.isdisjoint(page.text[last + 1 : index]):
                break
            last, end = index, end + 1
        yield Word(start, end, page.around(letters[start][1], last))
        start = end
