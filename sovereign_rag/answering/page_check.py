"""Whether a page of the original shows what a quote from its stored text says.

The stored text is made once, when a document is taken in, by whatever version of the parser there
was. Where it comes from a PDF with a text layer, each cited word is therefore held against the
characters that the file has inside the word's box: read anew, in the parser's confinement.
"""

import logging
import threading
import unicodedata
from collections import Counter, OrderedDict
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from sovereign_rag.domain import Box, PageCharacter, PageText, Word
from sovereign_rag.errors import DocumentError, EnvironmentFault, NotFound

_KEPT_PAGES = 64
_UNKNOWN = "\ufffd"  # stored for a glyph that the file has no letter for

_APART = 0.001  # of a page
_STACKED = 0.2  # of the usual way from one character to the next

_log = logging.getLogger(__name__)


class CharacterReader(Protocol):
    """Reads the characters of a PDF page, in a process that may fail; the parser's."""

    def page_characters(self, path: Path, page: int) -> tuple[PageCharacter, ...]: ...


class Originals(Protocol):
    """Gives the file of a content; the content store."""

    def original(self, content_hash: str) -> Path: ...


class PageCheck:
    """Holds quotes against the originals; the last pages read are kept."""

    def __init__(self, originals: Originals, reader: CharacterReader) -> None:
        self._originals, self._reader = originals, reader
        self._kept: OrderedDict[tuple[str, int], tuple[PageCharacter, ...] | None] = OrderedDict()
        self._lock = threading.Lock()

    def agrees(self, content_hash: str, page: PageText, start: int, end: int) -> bool:
        """Whether the original spells `page.text[start:end]` inside the boxes of its words.

        Words without a box (a form's field, a comment) can't be held against anything and pass, as
        do those that were recognised; a page that can't be read does not, nor a quote with a glyph
        that the file has no letter for: nothing but the eye can tell what it is.
        """
        quoted = (word for word in page.words if word.start < end and word.end > start)
        words = [word for word in quoted if word.confidence is None]
        if not words:
            return True
        if any(_UNKNOWN in page.text[word.start : word.end] for word in words):
            return False
        characters = self._characters(content_hash, page.number)
        return characters is not None and spells(page, words, characters)

    def _characters(self, content_hash: str, number: int) -> tuple[PageCharacter, ...] | None:
        key = (content_hash, number)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found: tuple[PageCharacter, ...] | None
        try:
            found = self._reader.page_characters(self._originals.original(content_hash), number)
        except (DocumentError, NotFound, EnvironmentFault) as error:
            _log.warning("A cited page could not be held against its file: %s", error)
            return None  # asked again the next time: the machine may have been at fault
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT_PAGES:
                self._kept.popitem(last=False)
        return found


def spells(page: PageText, words: list[Word], characters: tuple[PageCharacter, ...]) -> bool:
    """Whether the characters inside each word's box spell it.

    A word with figures has all of those characters in their order and no other, and none over
    another, as indices of a formula stand: nothing tells which is read first. Of another one a
    neighbour may reach into the box, and its letters may come in any order: some scripts are read
    from right to left. Of signs, those that belong to numbers are compared.
    """
    return all(
        _is_spelled(page.text[word.start : word.end], word.box, characters) for word in words
    )


def _is_spelled(word: str, box: Box, characters: tuple[PageCharacter, ...]) -> bool:
    stored = _bare(word)
    within = [c for c in characters if _stands_in(c, box)]
    shown = _bare("".join(c.text for c in within))
    if any(map(str.isdigit, word)):
        return stored == shown and not _are_stacked([c for c in within if c.text.isalnum()])
    return Counter(stored) <= Counter(shown)


def _are_stacked(characters: list[PageCharacter]) -> bool:
    """Whether some of a word's characters stand over each other, along whichever way it runs.

    Letters of a ligature share their place.
    """
    places = [(c.x, c.y) for c in characters]
    wide, high = (max(side) - min(side) for side in zip(*places, strict=True))
    if wide < high:
        places = [(y, x) for x, y in places]
    usual = max(wide, high) / max(1, len(places) - 1)
    return any(
        after[0] - before[0] < _STACKED * usual and abs(after[1] - before[1]) > _APART
        for before, after in pairwise(sorted(places))
    )


def _stands_in(character: PageCharacter, box: Box) -> bool:
    return box.left <= character.x <= box.right and box.top <= character.y <= box.bottom


def _bare(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return [c for c in plain if c.isalnum() or c in ".,%"]
