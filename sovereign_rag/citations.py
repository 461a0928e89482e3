"""Quotes are looked up in the stored text, statements in the quotes.

A citation is verified when its quote stands, character for character, at its span in the stored
text of its page. A statement of a model is supported when the passages say it: its terms, its
numbers and its negations are found in one or two sentences of them. What is not, is marked.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from sovereign_rag.content import ContentStore
from sovereign_rag.domain import Box, Citation, PageText, Passage, Statement, Word
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.evidence import Extract
from sovereign_rag.sentences import sentences


class StoredPages(Protocol):
    """Gives the stored page that a passage points into."""

    def page(self, passage: Passage, number: int) -> PageText | None: ...


class LivePages:
    """The stored text behind passages, read once per document."""

    def __init__(self, content: ContentStore, live: Mapping[str, tuple[str, str]]) -> None:
        """`live` gives (content hash, parse key) by document id."""
        self._content, self._live = content, live
        self._read: dict[str, dict[int, PageText]] = {}

    def page(self, passage: Passage, number: int) -> PageText | None:
        id_ = passage.chunk.document_id
        if id_ not in self._read:
            parsed = self._content.parsed(*self._live[id_]) if id_ in self._live else None
            self._read[id_] = {page.number: page for page in parsed.pages} if parsed else {}
        return self._read[id_].get(number)


def cite(passage: Passage, start: int, end: int, pages: StoredPages) -> Citation:
    """The citation of `passage.chunk.text[start:end]`, checked against the stored page."""
    quote = passage.chunk.text[start:end]
    number, page_start = _place(passage, start)
    page = pages.page(passage, number)
    page_end = page_start + len(quote)
    verified = page is not None and page.text[page_start:page_end] == quote
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


def quoted(extract: Extract, pages: StoredPages) -> Statement:
    """An extract as a statement that quotes itself."""
    citation = cite(extract.passage, extract.start, extract.end, pages)
    return Statement(text=extract.text, supported=citation.verified, citations=(citation,))


_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f ]\d{3})*(?:[.,]\d+)?(?:\s?%)?")
_NEGATIONS = {
    "en": r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n't\b",
    "fr": r"\b(?:ne|pas|jamais|aucune?|sans|ni|nul(?:le)?)\b|\bn['’]",
    "de": r"\b(?:nicht|kein\w*|nie|niemals|ohne|weder)\b",
    "es": r"\b(?:no|nunca|jamás|ning[uú]n\w*|sin|ni|tampoco)\b",
    "it": r"\b(?:non|no|mai|nessun\w*|senza|né)\b",
}
SUPPORTED_COVERAGE = 0.6
"""Least share of a statement's terms that a sentence must hold to support it."""
SUPPORTED_COSINE_ACROSS_LANGUAGES = 0.9
"""Least cosine where statement and sentence share no words, being in two languages."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One sentence of a passage, or two neighbours."""

    passage: Passage
    sentences: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        return self.sentences[0][0]

    @property
    def end(self) -> int:
        return self.sentences[-1][1]

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]


class StatementChecker:
    """Holds a draft against the passages that it was written from."""

    def __init__(self, *, embedder: Embedder, lexical: LexicalEncoder) -> None:
        self._embedder, self._lexical = embedder, lexical

    def check(
        self, draft: str, language: str, passages: Sequence[Passage], pages: StoredPages
    ) -> tuple[Statement, ...]:
        """Cut `draft` into statements and tie each to the sentences that support it.

        A statement without letters (a bullet, a number alone) is joined to the one before.
        """
        candidates = _candidates(passages)
        texts = [draft[start:end] for start, end in sentences(draft, language)]
        return tuple(self._check_one(text, language, candidates, pages) for text in texts)

    def _check_one(
        self,
        text: str,
        language: str,
        candidates: Sequence[_Candidate],
        pages: StoredPages,
    ) -> Statement:
        for candidate in self._nearest(text, language, candidates):
            if not _agrees(text, language, candidate):
                continue
            citation = cite(candidate.passage, candidate.start, candidate.end, pages)
            if citation.verified:
                return Statement(text=text, supported=True, citations=(citation,))
        return Statement(text=text, supported=False, citations=())

    def _nearest(
        self, text: str, language: str, candidates: Sequence[_Candidate]
    ) -> list[_Candidate]:
        """The candidates close enough in wording, or in meaning across languages; best first."""
        scored: list[tuple[float, _Candidate]] = []
        across: list[_Candidate] = []
        wanted = set(self._lexical.encode_query(text, language).indices)
        for candidate in candidates:
            held = set(self._lexical.encode_query(candidate.text, language).indices)
            share = len(wanted & held) / len(wanted) if wanted else 0.0
            if share >= SUPPORTED_COVERAGE:
                scored.append((1 + share, candidate))
            elif candidate.passage.chunk.language != language:
                across.append(candidate)
        if across:
            vector = self._embedder.embed_queries([text])[0]
            cosines = self._embedder.embed_queries([c.text for c in across]) @ vector
            scored += [
                (float(cosine), candidate)
                for cosine, candidate in zip(cosines, across, strict=True)
                if cosine >= SUPPORTED_COSINE_ACROSS_LANGUAGES
            ]
        return [candidate for _, candidate in sorted(scored, key=lambda pair: -pair[0])]


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    """Each sentence of the passages, and each two neighbours that stand on one page."""
    found: list[_Candidate] = []
    for passage in passages:
        spans = sentences(passage.chunk.text, passage.chunk.language)
        found += [_Candidate(passage, (span,)) for span in spans]
        for left, right in pairwise(spans):
            if "\n" not in passage.chunk.text[left[1] : right[0]]:
                found.append(_Candidate(passage, (left, right)))
    return found


def _agrees(statement: str, language: str, candidate: _Candidate) -> bool:
    """Whether numbers and negation agree; wording may differ, these may not."""
    numbers = _numbers(statement)
    if not numbers <= _numbers(candidate.text):
        return False
    source_language = candidate.passage.chunk.language or language
    text, negated = candidate.passage.chunk.text, _negated(statement, language)
    # Of two sentences both: a "not" in the one next to it says nothing about the statement.
    return all(
        _negated(text[start:end], source_language) is negated for start, end in candidate.sentences
    )


def _numbers(text: str) -> set[str]:
    """The numbers of a text without their marks; a percentage is another number."""
    return {re.sub(r"[^\d%]", "", number) for number in _NUMBER.findall(text)}


def _negated(text: str, language: str) -> bool:
    pattern = _NEGATIONS.get(language)
    return bool(pattern and re.search(pattern, text, re.IGNORECASE))
