"""What the API takes; `services/serialization` holds the bodies that go out."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, StringConstraints

from sovereign_rag.domain import Language, RequestedKind, SearchMode
from sovereign_rag.http.params import StrictBody, Text, TurnBody
from sovereign_rag.retrieval.conversation import MOST_CHARACTERS, MOST_TURNS, Turn
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.store.protocol import SearchFilter

Ids = Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=1_000)]
Names = Annotated[list[Annotated[str, StringConstraints(max_length=2_000)]], Field(max_length=100)]


class ErrorBody(BaseModel):
    """Every refusal: a stable code, and what happened with the way out."""

    error: str = Field(description="A stable code, such as NotFound.")
    detail: str = Field(description="What happened, and what to do about it.")


class _Filtered(StrictBody):
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


class FacetsBody(_Filtered):
    """What to count in."""


def reply(body: Body, *, status: int = 200, **headers: str) -> JSONResponse:
    """A body, sent as it is; the route's response model is its class and documents its shape."""
    return JSONResponse(body.plain(), status_code=status, headers=headers)


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
