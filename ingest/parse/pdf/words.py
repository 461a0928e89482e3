"""Words of a page as text, each with its place.

What is stored is what the file has at that place: nothing is looked up by its spelling. A word
that is broken at a line's end is put together again.
"""

from collections.abc import Sequence
from functools import lru_cache

from ingest.parse.document.text import canonical, is_broken
from ingest.parse.pdf.characters import PageCharacters
from ingest.parse.pdf.lines import HYPHENS, PageWord
from ingest.parse.pdf.tables import Table
from sovereign_rag.domain import Word

Written = tuple[str, tuple[Word, ...]]
"""A block's canonical text and its words."""

Lines = Sequence[Sequence[PageWord]]


class _Writer:
    """Text that grows, and its words."""

    def __init__(self, page: PageCharacters, turn: int) -> None:
        self._page, self._turn = page, turn
        self._parts: list[str] = []
        self._length = 0
        self.words: list[Word] = []

    @property
    def written(self) -> Written:
        return "".join(self._parts), tuple(self.words)

    def put(self, text: str) -> None:
        """Add what stands between words."""
        self._parts.append(text)
        self._length += len(text)

    def run(self, lines: Lines) -> None:
        """Add lines as running text."""
        before: PageWord | None = None
        for line in lines:
            for place, word in enumerate(line):
                if not (text := _canonical(word.text)):
                    continue
                if before is not None and not place and self._is_broken(before, word):
                    self._take_back()  # the hyphen
                elif before is not None:
                    self.put(" ")
                start = self._length
                self.put(text)
                box = self._page.box(word, self._turn)
                self.words.append(Word(start, self._length, box, word.confidence))
                before = word

    def _take_back(self) -> None:
        self._parts[-1] = self._parts[-1][:-1]
        self._length -= 1
        last = self.words.pop()
        if last.start < self._length:
            self.words.append(Word(last.start, self._length, last.box, last.confidence))

    def _is_broken(self, before: PageWord, word: PageWord) -> bool:
        """Whether a word at a line's end goes on with the first of the next line."""
        hyphen = self._page.text[before.numbers[-1]]
        return hyphen in HYPHENS and is_broken(before.text[:-1], word.text)


def flowing(lines: Lines, page: PageCharacters, turn: int = 0) -> Written:
    """Lines as running text; `turn` is that of their frame."""
    writer = _Writer(page, turn)
    writer.run(lines)
    return writer.written


def line_by_line(lines: Lines, page: PageCharacters, turn: int = 0) -> Written:
    """Lines as they are, indented as on the page: for code."""
    writer = _Writer(page, turn)
    first = min(line[0].area.left for line in lines)
    for number, line in enumerate(lines):
        width = sum(w.area.width for w in line) / max(1, sum(len(w.text) for w in line))
        indent = round((line[0].area.left - first) / max(width, 0.1))
        writer.put("\n" * bool(number) + " " * indent)
        writer.run([line])
    return writer.written


def tabular(table: Table, page: PageCharacters, turn: int = 0) -> Written:
    """A table as one line per row, cells joined by " | "."""
    writer = _Writer(page, turn)
    for number, row in enumerate(table.rows):
        writer.put("\n" * bool(number))
        for column, cell in enumerate(row):
            writer.put(" | " if column else "")
            writer.run(cell)
    return writer.written


@lru_cache(maxsize=16_384)
def _canonical(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return canonical(text)
