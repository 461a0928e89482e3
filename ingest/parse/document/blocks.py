"""What a reader hands over: pages of blocks, in reading order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingest.parse.document.base64_text import without_base64
from ingest.parse.document.text import canonical, invisible_characters
from sovereign_rag.domain import Box, ElementKind, Word


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: canonical text, with the words' places counted within it."""

    kind: ElementKind
    text: str
    level: int = 0
    words: tuple[Word, ...] = ()
    box: Box | None = None
    invisible: int = 0  # zero-width and the like, which the text no longer holds


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a draft, its blocks in reading order."""

    number: int
    blocks: tuple[Block, ...]
    name: str | None = None
    width: float | None = None  # points
    height: float | None = None
    ocr_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class DocumentDraft:
    """A document as its reader saw it; `compose.finish` makes the rest."""

    pages: tuple[Page, ...]
    paged: bool
    title: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    language: str | None = None  # where it is known better than the text tells


def block(kind: ElementKind, text: str, level: int = 0) -> Block | None:
    """A block of canonical text, or None where nothing visible is left of it.

    Files that were written into a text in base64 are no part of it.
    """
    text = without_base64(text)
    clean = canonical(text, keep_indent=kind is ElementKind.CODE)
    if not clean.strip():
        return None
    return Block(kind, clean, level, invisible=invisible_characters(text))


def unpaged(
    blocks: Iterable[Block | None],
    *,
    title: str | None = None,
    properties: Mapping[str, str] | None = None,
    warnings: tuple[str, ...] = (),
) -> DocumentDraft:
    """A draft of a format without pages."""
    page = Page(1, tuple(b for b in blocks if b is not None))
    return DocumentDraft((page,), False, title, properties or {}, warnings)
