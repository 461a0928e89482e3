"""The nouns that cross modules; every one frozen.

A thing changes name when it changes nature: *file, document, element, chunk, passage* (a chunk
retrieved for one question), *citation*. Pages count from 1, ranks count from 1, characters count
from 0 in Python's sense (code points), and a span is half open: `text[start:end]`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, get_args
from urllib.parse import unquote

from sovereign_rag.metadata import NOTHING_STATED, Stated

Language = Literal["fr", "de", "en", "es", "it"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""ISO 639-1 codes of the languages that are tuned and measured, best supported first."""

SearchMode = Literal["hybrid", "dense", "lexical"]
"""Which legs of the search are asked."""

RequestedKind = Literal["auto", "extracts", "generated"]
"""How an answer is to be made; auto: as the model's exam says."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in fractions of its width and height, origin top left: 0 <= x <= 1.

    Fractions, so that it fits the page at whatever resolution it is drawn.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PageCharacter:
    """A character of a page and where its middle stands, in fractions of the page."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a page's text and where it stands on the page."""

    start: int
    end: int
    box: Box
    confidence: float | None = None  # 0..1, of the recogniser; None: it was not recognised


@dataclass(frozen=True, slots=True)
class PageText:
    """The stored, canonical text of one page: the ground that every quote is checked against.

    A document whose format has no pages (mail, Markdown, a DOCX without saved breaks) has exactly
    one `PageText`, number 1, in a `ParsedDocument` with `paged=False`.
    """

    number: int
    text: str
    name: str | None = None  # sheet name, slide title, printed page label
    words: tuple[Word, ...] = ()  # ascending by start; empty where the format has no positions
    width: float | None = None  # points; None where the format has no positions
    height: float | None = None
    ocr_confidence: float | None = None  # 0..1; None: the text was not recognised from an image


class ElementKind(StrEnum):
    TITLE = "title"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"  # one line per row, cells joined by " | "; the first row is the header
    CODE = "code"
    FOOTNOTE = "footnote"
    FURNITURE = "furniture"  # running header, footer, page number: shown, never searched
    HIDDEN = "hidden"  # text that a reader does not see: kept apart, never searched


@dataclass(frozen=True, slots=True)
class Element:
    """A piece of a parsed document: `page.text[start:end]` of the page with that number."""

    kind: ElementKind
    page: int
    start: int
    end: int
    level: int = 0  # of a title: 0 is the outermost


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser makes of a file.

    Elements stand in reading order and do not overlap; on one page their spans ascend.
    """

    media_type: str
    pages: tuple[PageText, ...]
    elements: tuple[Element, ...]
    paged: bool
    title: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)  # author, created, subject, ...
    language: str | None = None  # ISO 639-1
    warnings: tuple[str, ...] = ()  # what could not be read; not empty means "partial"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Bytes on their way in, where they come from, and who may read them there."""

    uri: str  # identifies the document within its tenant: a file's "file:///absolute/path"
    name: str  # the file name as a person knows it; a hint to the format, nothing more
    content_hash: str  # sha256 of the bytes, lower-case hex
    size: int  # bytes
    modified: datetime | None
    readers: frozenset[str]  # labels; empty: nobody but the owner of the data folder
    level: int = 0
    stated: Stated | None = None  # None: nothing new, what was stated before stays


@dataclass(frozen=True, slots=True)
class PageSpan:
    """`text[start:end]` of a page's stored text."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is embedded and found.

    `text` is the text of its spans joined by a blank line: nothing is added, so a quote from it
    can be found again. `context` goes in front when it is embedded: title, headings, table header.
    """

    document_id: str
    version: str  # of the document; a search returns the live version alone
    index: int  # place in the document, from 0
    text: str
    spans: tuple[PageSpan, ...]  # at least one; ascending
    heading_path: tuple[str, ...] = ()
    table_header: str = ""
    language: str | None = None
    kind: str = "text"  # or "table"

    @property
    def embedded_text(self) -> str:
        """What the models see: the headings, the repeated table header, the text."""
        parts = (" > ".join(self.heading_path), self.table_header, self.text)
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class SparseVector:
    """BM25 weights by term id (an unsigned 32-bit hash)."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk retrieved for one question."""

    chunk: Chunk
    title: str
    uri: str
    paged: bool
    score: float  # higher is better; comparable within one search only
    score_parts: Mapping[str, float]  # where it came from: dense, dense_rank, lexical, ...
    modified: datetime | None = None  # when its file was changed, where the source tells
    stated: Stated = NOTHING_STATED  # of its document
    level: int = 0  # of its document

    @property
    def id(self) -> str:
        return f"{self.chunk.document_id}:{self.chunk.index}"

    @property
    def section(self) -> str:
        return section_name(self.chunk.heading_path, self.title)


def section_name(heading_path: Sequence[str], title: str) -> str:
    """The nearest two headings that a passage stands under, but for its document's title.

    A price under "In Guyana" is another one than that under "In Metropolitan France".
    """
    return " › ".join([heading for heading in heading_path if heading != title][-2:])


class QuoteVerdict(StrEnum):
    """How far a quote is what its source says."""

    VERIFIED = "verified"  # it stands at its place, and the page shows the same
    SCAN = "scan"  # it stands there, recognised with less confidence than is relied on
    UNVERIFIED = "unverified"  # it does not stand there, or the page shows something else


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote, found (or not) at its place in the stored text of its source."""

    quote: str
    document_id: str
    title: str
    uri: str
    page: int | None  # None: the format has no pages; the span counts in the document's text
    start: int
    end: int
    boxes: tuple[Box, ...]
    verdict: QuoteVerdict
    ocr_confidence: float | None = None  # 0..1, of its least sure word; None: not recognised
    passage_id: str = ""  # the passage that it was quoted from

    @property
    def verified(self) -> bool:
        return self.verdict is QuoteVerdict.VERIFIED

    @property
    def stands(self) -> bool:
        """Whether it is what the source says, or at least what was recognised there."""
        return self.verdict is not QuoteVerdict.UNVERIFIED


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """What another version of a cited document says in the same place, where it says otherwise."""

    citation: Citation
    modified: datetime | None  # when that version's file was changed, where the source tells

    @property
    def place(self) -> str:
        """Where it lies, as people say it: its folder and name, and its file's date."""
        folders = unquote(self.citation.uri).rstrip("/").split("/")
        where = "/".join(part for part in folders[-2:] if part)
        return f"{where}, {self.modified.date().isoformat()}" if self.modified else where


class Verdict(StrEnum):
    """How far the documents say what a statement says."""

    QUOTED = "quoted"  # the statement is itself a quote, found at its place
    STATED = "stated"  # a person of the house says so and signs it, beside checked quotes
    SUPPORTED = "supported"  # its terms, numbers and negations stand in the sentences cited
    PARTLY = "partly"  # the sentences cited say a part of it, and nothing against it
    UNSUPPORTED = "unsupported"  # nothing was found that says it


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer, with what supports it; without support it is marked."""

    text: str
    verdict: Verdict
    citations: tuple[Citation, ...]

    @property
    def supported(self) -> bool:
        return self.verdict in {Verdict.QUOTED, Verdict.STATED, Verdict.SUPPORTED}

    @property
    def verified(self) -> bool:
        """Whether every quote that supports it is verified; one of a scan may be misread."""
        return all(citation.verified for citation in self.citations)


@dataclass(frozen=True, slots=True)
class Energy:
    """Electrical energy that the machine used while it answered."""

    joules: float
    measured: bool  # False: estimated from the time that the cores were busy


@dataclass(frozen=True, slots=True)
class FollowUp:
    """How a question that leans on the conversation was understood."""

    question: str  # made whole: this was searched and answered
    by: Literal["model", "rules"]
    prompt_version: str | None = None  # of the prompt that a model rewrote it by


class AnswerKind(StrEnum):
    EXTRACTS = "extracts"  # composed of verified quotes, no model's words
    GENERATED = "generated"  # written by the language model, then checked
    CURATED = "curated"  # written by a person of the house for this question, with quotes
    CATALOG = "catalog"  # about the documents themselves: which there are, what one holds
    TALK = "talk"  # a greeting, thanks, "who are you?"; nothing was searched
    NONE = "none"  # nothing found that supports an answer

    @property
    def is_prose(self) -> bool:
        """Whether it says something in words of its own, with its quotes beside them."""
        return self in {AnswerKind.GENERATED, AnswerKind.CURATED}


Certainty = Literal["sure", "near", "none"]
"""Whether an answer answers, shows what comes nearest without being sure to answer, or neither."""


@dataclass(frozen=True, slots=True)
class HouseMark:
    """Whose an answer of the house is, and how good it still is."""

    id: str
    question: str  # the wording that it was kept for
    by: str  # who checked it
    checked: date
    due: date  # when it is to be looked at again


@dataclass(frozen=True, slots=True)
class Answer:
    """Statements with their citations, or an honest "not found"."""

    question: str
    text: str
    kind: AnswerKind
    notice: str  # why this kind of answer, in the asker's language; "" where nothing need be said
    statements: tuple[Statement, ...]
    passages: tuple[Passage, ...]
    language: str
    model: str | None  # name and hash of the language model; None: no model wrote this
    prompt_version: str | None
    index_version: str
    timings_ms: Mapping[str, float]
    usage: Mapping[str, int]
    energy: Energy | None = None
    follow_up: FollowUp | None = None  # None: the question stood by itself
    turns_dropped: int = 0  # of the conversation, the oldest: it was too long to be taken in
    other_versions: tuple[OtherVersion, ...] = ()  # of what is quoted, where they say otherwise
    certainty: Certainty = "sure"
    confidence: float = 0.0  # in [0, 1], that the passages hold an answer; see `confidence`
    signals: Mapping[str, float] = field(default_factory=dict)  # what it was computed from
    house: HouseMark | None = None  # of an answer that a person of the house wrote
    level: int = 0  # the highest of all that it was drawn from, cited or not
    models: tuple[str, ...] = ()  # ids of all that had a part in it: search, order, words

    @property
    def abstained(self) -> bool:
        return self.kind is AnswerKind.NONE

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(c for statement in self.statements for c in statement.citations)
