"""What the API takes; `services/serialization` holds the bodies that go out."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, StringConstraints

from sovereign_rag.access import HIGHEST_LEVEL, parse_readers
from sovereign_rag.domain import Language, RequestedKind, SearchMode
from sovereign_rag.errors import BadInput
from sovereign_rag.http.filters import Filtered
from sovereign_rag.http.params import StrictBody, Text, TurnBody
from sovereign_rag.retrieval.conversation import MOST_CHARACTERS, MOST_TURNS, Turn
from sovereign_rag.services.editing import Edit
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.services.stated import MetadataBody
from sovereign_rag.settings.metadata import FieldKind


class ErrorBody(BaseModel):
    """Every refusal: a stable code, and what happened with the way out."""

    error: str = Field(description="A stable code, such as NotFound.")
    detail: str = Field(description="What happened, and what to do about it.")
    request_id: str | None = Field(
        None, description="Also in `X-Request-ID`: by it the service's log knows the request."
    )


class _Asked(Filtered):
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
    mode: SearchMode | None = Field(None, description="Which legs to ask; unset: as set.")
    stream: bool = Field(
        False,
        description="Answer as server-sent events; so does `Accept: text/event-stream`.",
    )


class SearchBody(_Asked):
    """A search for passages."""

    query: Text = Field(description="What to look for: words, a name, a number, a question.")
    limit: int = Field(10, ge=1, le=50, description="Most passages to return.")
    mode: SearchMode | None = Field(None, description="Which legs to ask; unset: as set.")


class FacetsBody(Filtered):
    """What to count in."""


class EditBody(StrictBody):
    """What is to be another of a document; what is left out stays as it is."""

    readers: list[Annotated[str, StringConstraints(max_length=200)]] | None = Field(
        None,
        max_length=1_000,
        description="Who may read it: `everyone`, `group:NAME`, `user:NAME`. Empty: the owner of "
        "the data folder alone.",
        examples=[["group:hr", "user:ana"]],
    )
    level: int | None = Field(
        None, ge=0, le=HIGHEST_LEVEL, description="Clearance that reading it takes."
    )

    metadata: MetadataBody | None = Field(
        None, description="What is said of it; what is left out of it stays, too."
    )

    def edit(self, kinds: Mapping[str, FieldKind]) -> Edit:
        """Raises BadInput: a label names no reader, or a custom field is none."""
        said = self.metadata
        labels = None if self.readers is None else map(parse_readers, self.readers)
        readers = None if labels is None else frozenset[str]().union(*labels)
        stated = None if said is None else partial(said.over, kinds=kinds)
        return Edit(readers=readers, level=self.level, stated=stated)


class SeveralBody(StrictBody):
    """Several documents, by id."""

    documents: list[Annotated[str, StringConstraints(max_length=64)]] = Field(
        min_length=1, max_length=200
    )


class EditAllBody(SeveralBody, EditBody):
    """What is to be another of each of them."""


IfMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="Only as long as the document's sha256 is this one, in quotes; else 412.",
    ),
]


def matched_hash(if_match: str | None) -> str | None:
    """The content hash that a change hangs on; None: on none. Raises BadInput."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = re.fullmatch(r'\s*"?([0-9a-f]{64})"?\s*', if_match)
    if match is None:
        raise BadInput('If-Match is one sha256 in quotes, as the document has it: "9f86d0…".')
    return match[1]


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
        (409, "It does not go with what is there; `detail` says why and what to do."),
        (412, "The document has another content than `If-Match` says."),
        (413, "Larger than the service takes."),
        (429, "Every place is taken; `Retry-After` says when to come again."),
        (500, "A fault of the service that nobody foresaw; its log says more."),
        (503, "The machine is at fault, not the request; try again later."),
    )
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents: those that any may give, and those named."""
    return {status: REFUSALS[status] for status in sorted({400, 401, 403, 500, 503, *statuses})}
