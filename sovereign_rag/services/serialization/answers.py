"""Answers and what they are made of, as they go out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Literal, Self

from pydantic import Field

from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Box,
    Certainty,
    Citation,
    Energy,
    FollowUp,
    Passage,
    Statement,
    Verdict,
)
from sovereign_rag.services.serialization.body import Body
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
    boxes: list[BoxOut]
    verified: bool = Field(description="The quote stands at its place, character for character.")
    ocr_confidence: float | None = Field(description="0..1; null: not recognised from an image.")
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
            boxes=[BoxOut.of(box) for box in citation.boxes],
            verified=citation.verified,
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
    supported: bool = Field(description="Whether the verdict is `quoted` or `supported`.")
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
        )


class AnswerOut(Body):
    """Statements with their quotes, or an honest "not found" (`abstained`)."""

    question: str
    answer: str
    kind: AnswerKind = Field(
        description="extracts: quotes; generated: a model's words, checked; catalog: about the "
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
    notice: str = Field(description="Why this kind of answer, in the answer's language.")
    statements: list[StatementOut]
    citations: list[CitationOut]
    passages: list[PassageOut]
    language: str
    model: str | None
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
            notice=answer.notice,
            statements=[StatementOut.of(statement) for statement in answer.statements],
            citations=[CitationOut.of(citation) for citation in answer.citations],
            passages=[PassageOut.of(passage) for passage in answer.passages],
            language=answer.language,
            model=answer.model,
            prompt_version=answer.prompt_version,
            index_version=answer.index_version,
            timings_ms={name: round(ms, 1) for name, ms in answer.timings_ms.items()},
            usage=dict(answer.usage),
            energy=None if answer.energy is None else EnergyOut.of(answer.energy),
            follow_up=None if answer.follow_up is None else FollowUpOut.of(answer.follow_up),
            turns_dropped=answer.turns_dropped,
        )


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

    @classmethod
    def of(cls, counted: Mapping[FacetField, Mapping[str, int]]) -> Self:
        return cls(language=dict(counted["language"]), media_type=dict(counted["media_type"]))
