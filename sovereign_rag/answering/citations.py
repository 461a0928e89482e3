"""Quotes are looked up in the stored text.

A citation is verified when its quote stands, character for character, at its span in the stored
text of its page, and where that is a PDF, the characters inside its boxes spell the same. Where the
text was recognised on an image there are none; then the recogniser has to have been sure enough.
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
    QuoteVerdict,
    Word,
)

_PDF = "application/pdf"
_REACHES = 0.25  # of the lower of two words' heights: so far one reaches into the other's line
PROTECTED = "protected"
"""The property of a document that a password opened; nothing of it is kept but the text."""


class StoredPages(Protocol):
    """Gives the stored page that a passage points into."""

    def page(self, passage: Passage, number: int) -> PageText | None: ...

    def verdict(self, passage: Passage, page: PageText, start: int, end: int) -> QuoteVerdict:
        """How far the original bears out `page.text[start:end]`, where its words stand."""
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
        *,
        least_confidence: float,
    ) -> None:
        """
        Args:
            live: (content hash, parse key) by document id.
            check: Holds quotes against their originals; None: the stored text alone is asked.
            least_confidence: Of the recogniser, from which its words are relied on, 0 to 1.
        """
        self._content, self._live, self._check = content, live, check
        self._least_confidence = least_confidence
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

    def verdict(self, passage: Passage, page: PageText, start: int, end: int) -> QuoteVerdict:
        """By `PageCheck.agrees`; what was recognised, by the recogniser's confidence."""
        sure = confidence(page, start, end)
        if sure is not None and sure < self._least_confidence:
            return QuoteVerdict.SCAN
        if page.ocr_confidence is not None:
            return QuoteVerdict.VERIFIED
        id_ = passage.chunk.document_id
        if self._check is None or id_ not in self._checkable:
            return QuoteVerdict.VERIFIED
        agrees = self._check.agrees(self._live[id_][0], page, start, end)
        return QuoteVerdict.VERIFIED if agrees else QuoteVerdict.UNVERIFIED


def cite(passage: Passage, start: int, end: int, pages: StoredPages) -> Citation:
    """The citation of `passage.chunk.text[start:end]`, checked against the stored page."""
    quote = passage.chunk.text[start:end]
    number, page_start = _place(passage, start)
    page = pages.page(passage, number)
    page_end = page_start + len(quote)
    verdict = QuoteVerdict.UNVERIFIED
    if page is not None and page.text[page_start:page_end] == quote:
        verdict = pages.verdict(passage, page, page_start, page_end)
    is_there = page is not None and verdict is not QuoteVerdict.UNVERIFIED
    return Citation(
        quote=quote,
        document_id=passage.chunk.document_id,
        title=passage.title,
        uri=passage.uri,
        page=number if passage.paged else None,
        start=page_start,
        end=page_end,
        boxes=boxes(page, page_start, page_end) if page is not None and is_there else (),
        verdict=verdict,
        ocr_confidence=confidence(page, page_start, page_end) if page is not None else None,
        passage_id=passage.id,
    )


def confidence(page: PageText, start: int, end: int) -> float | None:
    """How sure the recogniser was of `page.text[start:end]`, 0 to 1; None: it was not recognised.

    That of the least sure word: a quote is as good as its worst one, and means hide a wrong digit.
    Where a text keeps no confidence of its words, as those of older parsers and of attachments, it
    is the page's. On a page with text, words that the file has no letters for were recognised.
    """
    words = (word for word in page.words if word.start < end and word.end > start)
    sure = [word.confidence for word in words if word.confidence is not None]
    return min(sure, default=page.ocr_confidence)


def boxes(page: PageText, start: int, end: int) -> tuple[Box, ...]:
    """Where `page.text[start:end]` stands on the page: one box a line, in reading order.

    A line in which words stand that are no part of it (the mark of a note, a neighbouring cell)
    has a box on either side of them.
    """
    quoted = [word for word in page.words if word.start < end and word.end > start]
    others = [word.box for word in page.words if word.end <= start or word.start >= end]
    lines: list[Box] = []
    for word in quoted:
        if lines and _same_line(lines[-1], word):
            joined = _around(lines[-1], word.box)
            if not any(
                _has_middle(joined, box) or _is_between(lines[-1], word.box, box) for box in others
            ):
                lines[-1] = joined
                continue
        lines.append(word.box)
    return tuple(lines)


def _around(line: Box, box: Box) -> Box:
    return replace(
        line,
        left=min(line.left, box.left),
        top=min(line.top, box.top),
        right=max(line.right, box.right),
        bottom=max(line.bottom, box.bottom),
    )


def _has_middle(line: Box, box: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return line.left <= x <= line.right and line.top <= y <= line.bottom


def _is_between(line: Box, box: Box, other: Box) -> bool:
    """Whether another word stands in the gap before the next one, a little higher or lower."""
    if not line.right <= (other.left + other.right) / 2 <= box.left:
        return False
    shared = min(line.bottom, other.bottom) - max(line.top, other.top)
    return shared > _REACHES * min(line.bottom - line.top, other.bottom - other.top)


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
