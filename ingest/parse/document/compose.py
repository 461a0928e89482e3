"""A draft becomes a `ParsedDocument`: spans, furniture, title, language."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from ingest.parse.document.attachments import LABELS
from ingest.parse.document.blocks import DocumentDraft, Page
from ingest.parse.document.furniture import mark_furniture
from ingest.parse.document.language import language_of
from ingest.parse.document.text import one_line
from sovereign_rag.domain import Element, ElementKind, PageText, ParsedDocument, Word
from sovereign_rag.errors import DocumentError, NoText

_MAX_CHARACTERS = 50_000_000
_SEPARATOR = "\n\n"
_FIRST_PICTURE = "\U0001f000"
_MOST_WARNINGS = 40
_FILE_NAME = re.compile(r"\S+\.\w{2,5}")  # what the writing program was saving to
_INNER = tuple(f"{label}: " for label in LABELS)
_UNTITLED = ("untitled", "microsoft word", "microsoft powerpoint", "document1", "présentation")


def finish(draft: DocumentDraft, *, media_type: str, name: str) -> ParsedDocument:
    """Join the blocks of each page by blank lines; spans are exact because they are counted here.

    Raises:
        NoText: No page has a letter or a digit.
        DocumentError: "too_large".
    """
    if sum(len(b.text) for page in draft.pages for b in page.blocks) > _MAX_CHARACTERS:
        raise DocumentError(
            "too_large",
            f"The document holds more than {_MAX_CHARACTERS // 1_000_000} million characters. "
            "Split it into several files.",
        )
    drafts = mark_furniture(draft.pages) if draft.paged else draft.pages
    pages: list[PageText] = []
    elements: list[Element] = []
    for page in drafts:
        text, words = _compose(page, elements)
        pages.append(
            PageText(
                number=page.number,
                text=text,
                name=one_line(page.name)[:200] if page.name else None,
                words=words,
                width=page.width,
                height=page.height,
                ocr_confidence=page.ocr_confidence,
            )
        )
    if not any(_says_something(character) for page in pages for character in page.text):
        raise NoText(" ".join(("No text was found in the file.", *draft.warnings[:3])))
    warnings = draft.warnings
    if all(element.kind is ElementKind.HIDDEN for element in elements):
        warnings += ("A reader sees no text in this file: what is in it is hidden, not searched.",)
    properties = {
        one_line(key): value for key, raw in draft.properties.items() if (value := one_line(raw))
    }
    invisible = sum(item.invisible for page in drafts for item in page.blocks)
    if invisible:
        properties["invisible_characters"] = str(invisible)
    return ParsedDocument(
        media_type=media_type,
        pages=tuple(pages),
        elements=tuple(elements),
        paged=draft.paged,
        title=_title(draft, properties, pages, elements, name),
        properties=properties,
        language=draft.language or language_of(pages),
        warnings=_warnings(warnings),
    )


def _warnings(warnings: tuple[str, ...]) -> tuple[str, ...]:
    kept = [one_line(w)[:500] for w in warnings[:_MOST_WARNINGS]]
    left = len(warnings) - len(kept)
    return (*kept, f"And {left} more of this kind.") if left else tuple(kept)


def _says_something(character: str) -> bool:
    """A letter, a digit or one of the pictures among the characters."""
    return character.isalnum() or character >= _FIRST_PICTURE


def _compose(page: Page, elements: list[Element]) -> tuple[str, tuple[Word, ...]]:
    texts: list[str] = []
    words: list[Word] = []
    at = 0
    for item in page.blocks:
        end = at + len(item.text)
        elements.append(Element(item.kind, page.number, at, end, max(0, item.level)))
        words += (replace(w, start=at + w.start, end=at + w.end) for w in item.words)
        texts.append(item.text)
        at = end + len(_SEPARATOR)
    return _SEPARATOR.join(texts), tuple(words)


def _title(
    draft: DocumentDraft,
    properties: Mapping[str, str],
    pages: list[PageText],
    elements: list[Element],
    name: str,
) -> str:
    for candidate in (draft.title or "", properties.get("title", "")):
        title = one_line(candidate)
        named = len(title) > 2 and not title.lower().startswith(_UNTITLED)
        if named and not _FILE_NAME.fullmatch(title):
            return title[:300]
    text = {page.number: page.text for page in pages}
    first = {page.number for page in pages[:2]}
    titles = []
    for element in elements:
        if element.kind is ElementKind.TITLE and element.page in first:
            if text[element.page].startswith(_INNER, element.start):
                break  # from here on another document's
            titles.append(element)
    if titles:
        top = min(titles, key=lambda e: e.level)
        return one_line(text[top.page][top.start : top.end])[:300]
    return PurePath(name).stem or name
