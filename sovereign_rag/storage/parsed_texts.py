"""Parsed documents as plain JSON types, the form in which they are stored and sent."""

from dataclasses import asdict
from typing import Any

from sovereign_rag.domain import Box, Element, ElementKind, PageText, ParsedDocument, Word


def encode_parsed(parsed: ParsedDocument) -> dict[str, Any]:
    """A ParsedDocument as plain JSON types; words and elements as rows, to stay small."""
    return {
        **{k: v for k, v in asdict(parsed).items() if k not in {"pages", "elements"}},
        "pages": [
            {
                "number": p.number,
                "text": p.text,
                "name": p.name,
                "width": p.width,
                "height": p.height,
                "ocr_confidence": p.ocr_confidence,
                "words": [_word_row(word) for word in p.words],
            }
            for p in parsed.pages
        ],
        "elements": [[e.kind.value, e.page, e.start, e.end, e.level] for e in parsed.elements],
    }


def _word_row(word: Word) -> list[float]:
    box = word.box
    place = (round(edge, 5) for edge in (box.left, box.top, box.right, box.bottom))
    sure = () if word.confidence is None else (round(word.confidence, 3),)
    return [word.start, word.end, *place, *sure]


def decode_parsed(data: dict[str, Any]) -> ParsedDocument:
    """The inverse of `encode_parsed`; raises ValueError, KeyError or TypeError on anything else."""
    pages = tuple(
        PageText(
            **{k: v for k, v in page.items() if k != "words"},
            words=tuple(_word(page["number"], *row) for row in page["words"]),
        )
        for page in data["pages"]
    )
    elements = tuple(
        Element(ElementKind(kind), page, start, end, level)
        for kind, page, start, end, level in data["elements"]
    )
    rest = {k: v for k, v in data.items() if k not in {"pages", "elements"}}
    return ParsedDocument(
        **{**rest, "pages": pages, "elements": elements, "warnings": tuple(rest["warnings"])}
    )


def _word(
    page: int,
    start: int,
    end: int,
    left: float,
    top: float,
    right: float,
    bottom: float,
    confidence: float | None = None,
) -> Word:
    return Word(int(start), int(end), Box(page, left, top, right, bottom), confidence)
