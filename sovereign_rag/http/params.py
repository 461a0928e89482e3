"""What requests to the API and to the page bring alike.

A parameter that no route has is a mistake, and is told as one.
"""

from typing import Annotated, Final

import anyio
from fastapi import Depends, Path, Query
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryInfo
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request

from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.services.container import Service

DocumentId = Annotated[str, Path(max_length=64, description="The document's id.")]
PageNumber = Annotated[int, Path(ge=1, le=1_000_000, description="From 1.")]
SpanStart = Annotated[int | None, Query(ge=0, description="First character of the quote.")]
SpanEnd = Annotated[int | None, Query(ge=1, description="One past its last character.")]
JobId = Annotated[str, Path(max_length=64, description="The job's id.")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

LARGEST_ID: Final = 2**63 - 1
"""Of a row in the catalog; a larger number is no place to go on from."""

AfterId = Annotated[
    int | None, Query(ge=0, le=LARGEST_ID, description="The `next` of the page before.")
]


def answer_slots(request: Request) -> anyio.CapacityLimiter:
    """Threads for answers alone: people waiting for one must not hold up every other route."""
    slots: anyio.CapacityLimiter = request.app.state.answer_slots
    return slots


AnswerSlots = Annotated[anyio.CapacityLimiter, Depends(answer_slots)]


class StrictBody(BaseModel):
    """What comes in; a name that isn't known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CitedBody(BaseModel):
    """A citation of an earlier answer: as it was given, of which the passage counts."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    passage_id: str = Field(max_length=64)


class TurnBody(StrictBody):
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


def check_length(question: str, service: Service) -> None:
    """Raises BadInput for a question beyond `server.max_question_chars`."""
    limit = service.settings.server.max_question_chars
    if len(question) > limit:
        raise BadInput(
            f"The question has {len(question)} characters, the limit is {limit}. Ask it shorter."
        )


def accepts_events(request: Request) -> bool:
    """Whether the caller wants server-sent events."""
    return "text/event-stream" in request.headers.get("accept", "")


async def known_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the route doesn't take."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    parameters = get_flat_params(route.dependant)
    known = {p.alias for p in parameters if isinstance(p.field_info, QueryInfo)}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        takes = ", ".join(sorted(known)) or "none"
        raise BadInput(
            f"There is no parameter {', '.join(unknown)} here; this address takes {takes}."
        )
