"""Quotes are looked up in the stored text.

A citation is verified when its quote stands, character for character, at its span in the stored
text of its page, and where that is a PDF, the characters inside its boxes spell the same.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.domain import (
    Box,
    Citation,
    PageText,
    ParsedDocument,
    Passage,
    Word,
)

_PDF = "application/pdf"
PROTECTED = "protected"
"""The property of a document that a password opened; nothing of it is kept but the text."""


class StoredPages(Protocol):
    """Gives the stored page that a passage points into."""

    def page(self, passage: Passage, number: int) -> PageText | None: ...

    def agrees(self, passage: Passage, page: PageText, start: int, end: int) -> bool:
        """Whether the original shows `page.text[start:end]` where its words stand."""
        ...


class StoredTexts(Protocol):
    """Gives a document as it was parsed; the content store."""

    def parsed(self, content_hash: str, key: str) -> ParsedDocument | None: ...


class LivePages:
    """The stored text behind passages, read once per document."""

    def __init__(
        self,
        content: StoredTexts,
        live: Mapping[str, tuple[str, str]],
        check: PageCheck | None = None,
    ) -> None:
        """`live` gives (content hash, parse key) by document id; without `check` the stored text
        alone is asked.
        """
        self._content, self._live, self._check = content, live, check
        self._read: dict[str, dict[int, PageText]] = {}
        self._checkable: set[str] = set()

    def page(self, passage: Passage, number: int) -> PageText | None:
        id_ = passage.chunk.document_id
        if id_ not in self._read:
            parsed = self._content.parsed(*self._live[id_]) if id_ in self._live else None
            self._read[id_] = {page.number: page for page in parsed.pages} if parsed else {}
            if parsed and parsed.media_type == _PDF and PROTECTED not in parsed.properties:
                self._checkable.add(id_)
        return self._read[id_].get(number)

    def agrees(self, passage: Passage, page: PageText, start: int, end: int) -> bool:
        """As `PageCheck.agrees`; what was recognised or has no text layer has its confidence."""
        id_ = passage.chunk.document_id
        if self._check is None or id_ not in self._checkable or page.ocr_confidence is not None:
            return True
        return self._check.agrees(self._live[id_][0], page, start, end)


def cite(passage: Passage, start: int, end: int, pages: StoredPages) -> Citation:
    """The citation of `passage.chunk.text[start:end]`, checked against the stored page."""
    quote = passage.chunk.text[start:end]
    number, page_start = _place(passage, start)
    page = pages.page(passage, number)
    page_end = page_start + len(quote)
    stands = page is not None and page.text[page_start:page_end] == quote
    verified = stands and page is not None and pages.agrees(passage, page, page_start, page_end)
    return Citation(
        quote=quote,
        document_id=passage.chunk.document_id,
        title=passage.title,
        uri=passage.uri,
        page=number if passage.paged else None,
        start=page_start,
        end=page_end,
        boxes=boxes(page, page_start, page_end) if page is not None and verified else (),
        verified=verified,
        ocr_confidence=page.ocr_confidence if page is not None else None,
        passage_id=passage.id,
    )


def boxes(page: PageText, start: int, end: int) -> tuple[Box, ...]:
    """Where `page.text[start:end]` stands on the page: one box a line, in reading order."""
    lines: list[Box] = []
    for word in page.words:
        if word.end <= start or word.start >= end:
            continue
        if lines and _same_line(lines[-1], word):
            lines[-1] = replace(
                lines[-1],
                left=min(lines[-1].left, word.box.left),
                top=min(lines[-1].top, word.box.top),
                right=max(lines[-1].right, word.box.right),
                bottom=max(lines[-1].bottom, word.box.bottom),
            )
        else:
            lines.append(word.box)
    return tuple(lines)


def _same_line(line: Box, word: Word) -> bool:
    middle = (word.box.top + word.box.bottom) / 2
    return line.top <= middle <= line.bottom and word.box.left >= line.left


def _place(passage: Passage, offset: int) -> tuple[int, int]:
    """Which page an offset of the chunk's text is on, and where in that page's text."""
    position = 0
    for span in passage.chunk.spans:
        length = span.end - span.start
        if offset < position + length:
            return span.page, span.start + offset - position
        position += length + len("\n\n")  # spans are joined by a blank line
    raise ValueError(f"offset {offset} lies outside the chunk")
