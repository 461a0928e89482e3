"""Answers and what they are made of, as they go out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Box,
    Certainty,
    Citation,
    Energy,
    FollowUp,
    HouseMark,
    OtherVersion,
    Passage,
    QuoteVerdict,
    Statement,
    Verdict,
)
from sovereign_rag.services.serialization.ai_mark import AiMarkOut
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.services.serialization.metadata import MetadataOut

if TYPE_CHECKING:  # its module loads numpy, which a client of the service can do without
    from sovereign_rag.store.protocol import FacetField


class BoxOut(Body):
    """A rectangle in fractions of the page, origin top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, box: Box) -> Self:
        return cls(page=box.page, left=box.left, top=box.top, right=box.right, bottom=box.bottom)


class CitationOut(Body):
    """A verbatim quote at its place: `text[start:end]` of the page's stored text."""

    quote: str
    document_id: str
    title: str
    uri: str
    page: int | None = Field(description="From 1; null where the format has no pages.")
    start: int
    end: int
    boxes: tuple[BoxOut, ...]
    verified: bool = Field(description="Whether the verdict is `verified`.")
    verdict: QuoteVerdict = Field(
        description="verified: it stands at its place, character for character, and a PDF's page "
        "shows the same; scan: it stands in text that was recognised from an image with less "
        "confidence than answer.min_scan_confidence, so compare it with the page; unverified: "
        "neither."
    )
    ocr_confidence: float | None = Field(
        description="Of the recogniser for the quote's least sure word, 0..1; null: not "
        "recognised from an image."
    )
    passage_id: str = Field(description="The passage that it was quoted from.")

    @classmethod
    def of(cls, citation: Citation) -> Self:
        return cls(
            quote=citation.quote,
            document_id=citation.document_id,
            title=citation.title,
            uri=citation.uri,
            page=citation.page,
            start=citation.start,
            end=citation.end,
            boxes=tuple(map(BoxOut.of, citation.boxes)),
            verified=citation.verified,
            verdict=citation.verdict,
            ocr_confidence=citation.ocr_confidence,
            passage_id=citation.passage_id,
        )


class FollowUpOut(Body):
    """How a question that leans on the conversation was understood."""

    question: str = Field(description="Made whole: this was searched and answered.")
    by: Literal["model", "rules"]
    prompt_version: str | None

    @classmethod
    def of(cls, follow_up: FollowUp) -> Self:
        return cls(**asdict(follow_up))


class EnergyOut(Body):
    """What the whole machine used while it answered: an upper bound for this answer."""

    joules: float
    measured: bool = Field(description="By the processor; else estimated from CPU time.")

    @classmethod
    def of(cls, energy: Energy) -> Self:
        return cls(joules=energy.joules, measured=energy.measured)


class StatementOut(Body):
    text: str
    verdict: Verdict
    supported: bool = Field(description="Whether the verdict is `quoted`, `stated` or `supported`.")
    citations: list[CitationOut]

    @classmethod
    def of(cls, statement: Statement) -> Self:
        return cls(
            text=statement.text,
            verdict=statement.verdict,
            supported=statement.supported,
            citations=[CitationOut.of(citation) for citation in statement.citations],
        )


class SpanOut(Body):
    page: int
    start: int
    end: int


class PassageOut(Body):
    """A passage that was found, and where its score came from."""

    id: str
    document_id: str
    title: str
    uri: str
    page: int | None
    spans: list[SpanOut]
    heading_path: list[str]
    kind: str
    language: str | None
    text: str
    score: float
    score_parts: dict[str, float]
    metadata: MetadataOut = Field(description="What was said of its document.")

    @classmethod
    def of(cls, passage: Passage) -> Self:
        chunk = passage.chunk
        return cls(
            id=passage.id,
            document_id=chunk.document_id,
            title=passage.title,
            uri=passage.uri,
            page=chunk.spans[0].page if passage.paged else None,
            spans=[SpanOut(page=span.page, start=span.start, end=span.end) for span in chunk.spans],
            heading_path=list(chunk.heading_path),
            kind=chunk.kind,
            language=chunk.language,
            text=chunk.text,
            score=round(passage.score, 6),
            score_parts={name: round(part, 6) for name, part in passage.score_parts.items()},
            metadata=MetadataOut.of(passage.stated),
        )


class OtherVersionOut(Body):
    """What another version of a quoted document says in the same place."""

    quote: str
    title: str
    uri: str
    document_id: str
    page: int | None
    start: int
    end: int
    verified: bool
    place: str = Field(description="Its folder and name, and its date where that is known.")
    modified: datetime | None = Field(description="When its file was changed; null: not known.")

    @classmethod
    def of(cls, version: OtherVersion) -> Self:
        said = version.citation
        return cls(
            quote=said.quote,
            title=said.title,
            uri=said.uri,
            document_id=said.document_id,
            page=said.page,
            start=said.start,
            end=said.end,
            verified=said.verified,
            place=version.place,
            modified=version.modified,
        )


class HouseMarkOut(Body):
    """Whose an answer of the house is."""

    id: str
    question: str = Field(description="The wording that it was kept for.")
    by: str = Field(description="Who checked it.")
    checked: date
    due: date = Field(description="When it is to be looked at again.")

    @classmethod
    def of(cls, mark: HouseMark) -> Self:
        return cls(**asdict(mark))


class AnswerDetailsOut(Body):
    """What is known of an answer, but for the passages it was drawn from."""

    question: str
    answer: str
    kind: AnswerKind = Field(
        description="extracts: quotes; generated: a model's words, checked; curated: "
        "written by a person of the house for this question; catalog: about the "
        "documents themselves; talk: small talk, nothing was searched; none: not found."
    )
    abstained: bool
    certainty: Certainty = Field(
        description="sure: it answers; near: the nearest passages, not sure that they answer; "
        "none: nothing was found."
    )
    confidence: float = Field(
        description="How likely it is that the passages hold an answer, from 0 to 1, before "
        "anything is written; from answer.min_confidence on they answer, from "
        "answer.near_confidence on they are shown as the nearest, below nothing is."
    )
    house: HouseMarkOut | None = Field(
        description="Of an answer that a person of the house wrote; null: none did."
    )
    notice: str = Field(description="Why this kind of answer, in the answer's language.")
    ai: AiMarkOut
    level: int = Field(
        0, description="The highest level of all that it was drawn from, cited or not."
    )
    statements: list[StatementOut]
    citations: list[CitationOut]
    other_versions: list[OtherVersionOut] = Field(
        description="What other versions of a quoted document say there, the newest first, where "
        "they say otherwise."
    )
    language: str
    model: str | None
    models: list[str] = Field(
        [],
        description="Ids of all models that had a part in it, as `models list` has them: of the "
        "search, of the order of passages, of the words.",
    )
    prompt_version: str | None
    index_version: str
    timings_ms: dict[str, float]
    usage: dict[str, int]
    energy: EnergyOut | None
    follow_up: FollowUpOut | None = Field(description="Null: the question stood by itself.")
    turns_dropped: int = Field(
        description="Of the conversation, the oldest: it was too long to be taken in."
    )

    @classmethod
    def of(cls, answer: Answer) -> Self:
        return cls(
            question=answer.question,
            answer=answer.text,
            kind=answer.kind,
            abstained=answer.abstained,
            certainty=answer.certainty,
            confidence=round(answer.confidence, 3),
            house=None if answer.house is None else HouseMarkOut.of(answer.house),
            notice=answer.notice,
            ai=AiMarkOut.of(answer),
            statements=[StatementOut.of(statement) for statement in answer.statements],
            citations=[CitationOut.of(citation) for citation in answer.citations],
            other_versions=[OtherVersionOut.of(version) for version in answer.other_versions],
            language=answer.language,
            model=answer.model,
            models=list(answer.models),
            level=answer.level,
            prompt_version=answer.prompt_version,
            index_version=answer.index_version,
            timings_ms={name: round(ms, 1) for name, ms in answer.timings_ms.items()},
            usage=dict(answer.usage),
            energy=None if answer.energy is None else EnergyOut.of(answer.energy),
            follow_up=None if answer.follow_up is None else FollowUpOut.of(answer.follow_up),
            turns_dropped=answer.turns_dropped,
        )


class AnswerOut(AnswerDetailsOut):
    """Statements with their quotes, or an honest "not found" (`abstained`)."""

    passages: list[PassageOut]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        passages = [PassageOut.of(passage) for passage in answer.passages]
        return cls(**dict(AnswerDetailsOut.of(answer)), passages=passages)


class SearchOut(Body):
    passages: list[PassageOut]
    turns_dropped: int = Field(
        description="Of the conversation, the oldest: it was too long to be taken in."
    )

    @classmethod
    def of(cls, passages: Sequence[Passage], *, turns_dropped: int) -> Self:
        found = [PassageOut.of(passage) for passage in passages]
        return cls(passages=found, turns_dropped=turns_dropped)


class FacetsOut(Body):
    """How many passages the caller may read, by value; the most frequent first."""

    language: dict[str, int]
    media_type: dict[str, int]
    facts: dict[str, int] = Field(
        {}, description="What was stated of documents: tag=…, author=…, field.NAME=…"
    )

    @classmethod
    def of(cls, counted: "Mapping[FacetField, Mapping[str, int]]") -> Self:
        return cls(
            language=dict(counted["language"]),
            media_type=dict(counted["media_type"]),
            facts=dict(counted["facts"]),
        )
