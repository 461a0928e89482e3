"""What the API takes and gives; `services/serialization.py` makes the bodies that go out."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sovereign_rag.domain import Language, RequestedKind, SearchMode, Verdict
from sovereign_rag.retrieval.conversation import MOST_CHARACTERS, MOST_TURNS, Turn
from sovereign_rag.store.protocol import SearchFilter

Ids = Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=1_000)]
Names = Annotated[list[Annotated[str, StringConstraints(max_length=2_000)]], Field(max_length=100)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorBody(BaseModel):
    """Every refusal: a stable code, and what happened with the way out."""

    error: str = Field(description="A stable code, such as NotFound.")
    detail: str = Field(description="What happened, and what to do about it.")


class _Filtered(_Body):
    documents: Ids | None = Field(None, description="Only these documents, by id.")
    exclude_documents: Ids = Field([], description="None of these documents, by id.")
    languages: list[Language] | None = Field(None, description="Only passages in these languages.")
    media_types: Names | None = Field(
        None, description="Only documents of these types, e.g. application/pdf."
    )
    sources: Names | None = Field(
        None, description="Only documents at these URIs, or below them: file:///srv/handbook."
    )
    labels: Names | None = Field(
        None,
        description="Only what reaches the caller by these labels of their own, e.g. group:hr.",
    )
    modified_from: datetime | None = Field(
        None, description="Only documents last changed at this time or later; UTC unless it says."
    )
    modified_before: datetime | None = Field(
        None, description="Only documents last changed before this time; UTC unless it says."
    )

    @property
    def search_filter(self) -> SearchFilter:
        """What the caller leaves out of what they may read; it can't add to it."""
        return SearchFilter(
            documents=None if self.documents is None else frozenset(self.documents),
            exclude_documents=frozenset(self.exclude_documents),
            languages=None if self.languages is None else frozenset(self.languages),
            media_types=None if self.media_types is None else frozenset(self.media_types),
            sources=None if self.sources is None else frozenset(self.sources),
            labels=None if self.labels is None else frozenset(self.labels),
            modified_from=_with_zone(self.modified_from),
            modified_before=_with_zone(self.modified_before),
        )


def _with_zone(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


class CitedBody(BaseModel):
    """A citation of an earlier answer: as it was given, of which the passage counts."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    passage_id: str = Field(max_length=64)


class TurnBody(_Body):
    """A question that was asked before, and what was answered."""

    question: Text = Field(max_length=4_000)
    answer: str = Field("", max_length=20_000)
    citations: list[CitedBody] = Field(
        [],
        max_length=200,
        description="Those of the answer. What they were quoted from is looked at again, as far "
        "as the caller may read it now.",
    )

    @property
    def turn(self) -> Turn:
        cited = dict.fromkeys(citation.passage_id for citation in self.citations)
        return Turn(self.question, self.answer, tuple(cited))


class _Asked(_Filtered):
    history: list[TurnBody] = Field(
        [],
        max_length=1_000,
        description="The conversation so far, oldest first: a question that leans on it, such as "
        '"and in 2023?", is searched together with what it is about. Of a long one the newest '
        f"{MOST_TURNS} turns and {MOST_CHARACTERS:,} characters are taken in.",
    )

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(turn.turn for turn in self.history)


class QuestionBody(_Asked):
    """A question. Who asks comes from the key, never from here."""

    question: Text = Field(description="The question, in French, German, English, ...")
    language: Language | None = Field(
        None, description="Language of the answer; unset: that of the question."
    )
    kind: RequestedKind | None = Field(
        None, description="extracts or generated; unset: what the service is set to."
    )
    stream: bool = Field(
        False,
        description="Answer as server-sent events; so does `Accept: text/event-stream`.",
    )


class SearchBody(_Asked):
    """A search for passages."""

    query: Text = Field(description="What to look for: words, a name, a number, a question.")
    limit: int = Field(10, ge=1, le=50, description="Most passages to return.")
    mode: SearchMode | None = Field(None, description="Which legs to ask; unset: as set.")


class BoxOut(BaseModel):
    """A rectangle in fractions of the page, origin top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


class CitationOut(BaseModel):
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


class FollowUpOut(BaseModel):
    """How a question that leans on the conversation was understood."""

    question: str = Field(description="Made whole: this was searched and answered.")
    by: Literal["model", "rules"]
    prompt_version: str | None


class EnergyOut(BaseModel):
    """What the whole machine used while it answered: an upper bound for this answer."""

    joules: float
    measured: bool = Field(description="By the processor; else estimated from CPU time.")


class StatementOut(BaseModel):
    text: str
    verdict: Verdict
    supported: bool = Field(description="Whether the verdict is `quoted` or `supported`.")
    citations: list[CitationOut]


class SpanOut(BaseModel):
    page: int
    start: int
    end: int


class PassageOut(BaseModel):
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


class AnswerOut(BaseModel):
    """Statements with their quotes, or an honest "not found" (`abstained`)."""

    question: str
    answer: str
    kind: Literal["extracts", "generated", "catalog", "talk", "none"] = Field(
        description="extracts: quotes; generated: a model's words, checked; catalog: about the "
        "documents themselves; talk: small talk, nothing was searched; none: not found."
    )
    abstained: bool
    certainty: Literal["sure", "near", "none"] = Field(
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


class SearchOut(BaseModel):
    passages: list[PassageOut]
    turns_dropped: int = Field(
        description="Of the conversation, the oldest: it was too long to be taken in."
    )


class FacetsBody(_Filtered):
    """What to count in."""


class FacetsOut(BaseModel):
    """How many passages the caller may read, by value; the most frequent first."""

    language: dict[str, int]
    media_type: dict[str, int]


class DocumentOut(BaseModel):
    document_id: str
    uri: str
    name: str
    title: str
    status: Literal["indexed", "partial", "failed"]
    reason: str | None = Field(description="What is missing of a partial document, and why.")
    media_type: str
    language: str | None
    paged: bool
    pages: int
    chunks: int
    size: int = Field(description="Bytes of the original.")
    sha256: str
    modified: str | None
    level: int
    properties: dict[str, str]
    created: str
    updated: str


class DocumentsOut(BaseModel):
    documents: list[DocumentOut]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")


class PageOut(BaseModel):
    """A page's canonical text, the ground that quotes are checked against."""

    number: int
    name: str | None
    text: str
    width: float | None = Field(description="Points.")
    height: float | None = Field(description="Points.")
    ocr_confidence: float | None
    has_image: bool


class TaskOut(BaseModel):
    task_id: int
    uri: str
    name: str
    state: str
    reason: str | None
    document_id: str | None
    pages: int
    chunks: int
    attempts: int
    started: str | None
    finished: str | None


class JobOut(BaseModel):
    job_id: str
    submitted_by: str
    created: str
    finished: str | None
    cancelled: bool
    state: Literal["waiting", "running", "paused", "cancelling", "cancelled", "done"]
    pause_reason: str | None = Field(
        description="What of the machine keeps it from going on; it tries again by itself."
    )
    retry_at: str | None = Field(description="When a paused job is tried again.")
    total: int
    done: int
    counts: dict[str, int] = Field(description="Documents by state.")


class JobProgressOut(JobOut):
    """How far a job is; of the documents, those that the caller sent in or may read are named."""

    pages_done: int
    pages_known: int = Field(description="Of the documents read so far, the finished among them.")
    chunks: int
    documents_per_minute: float = Field(description="Over the last three minutes.")
    pages_per_minute: float
    seconds_left: float | None = Field(description="An estimate; null where it can't be told.")
    current: list[TaskOut] = Field(description="In work right now.")
    failures: list[TaskOut] = Field(description="The latest ten, newest first.")


class JobDocumentsOut(BaseModel):
    """Those of a job's documents that the caller sent in or may read."""

    documents: list[TaskOut]
    next: int | None = Field(description="Give it as `after` for the next page; null at the end.")


class JobsOut(BaseModel):
    jobs: list[JobOut]


def reply(body: dict[str, Any], *, status: int = 200, **headers: str) -> JSONResponse:
    """A body that `wire` made, sent as it is; the route's response model documents its shape."""
    return JSONResponse(body, status_code=status, headers=headers)


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in (
        (400, "The request can't be understood; `detail` says what to mend."),
        (401, "No identity, or a key that isn't valid."),
        (403, "Known, and not allowed to do this."),
        (404, "It doesn't exist, or the caller may not read it: the same answer."),
        (408, "It did not arrive in time; send it again."),
        (409, "An `Idempotency-Key` that came before, with something else."),
        (413, "Larger than the service takes."),
        (429, "Every place is taken; `Retry-After` says when to come again."),
        (500, "A fault of the service that nobody foresaw; its log says more."),
        (503, "The machine is at fault, not the request; try again later."),
    )
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents: those that any may give, and those named."""
    return {status: REFUSALS[status] for status in sorted({400, 401, 403, 500, 503, *statuses})}
