"""Questions over HTTP."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.answering.events import AnswerEvent, Done, DraftToken, Found, Quoted
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.api.schemas import AnswerOut, QuestionBody, refusals, reply
from sovereign_rag.domain import Answer
from sovereign_rag.errors import BadInput
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService, still_welcome
from sovereign_rag.http.streaming import EventStream, StreamEvent, at_once
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization import answer_to_dict, passage_to_dict, statement_to_dict

router = APIRouter(tags=["Answers"])


def answer_slots(request: Request) -> anyio.CapacityLimiter:
    """Threads for answers alone: people waiting for one must not hold up every other route."""
    slots: anyio.CapacityLimiter = request.app.state.answer_slots
    return slots


AnswerSlots = Annotated[anyio.CapacityLimiter, Depends(answer_slots)]


@router.post(
    "/v1/answers",
    response_model=AnswerOut,
    responses={
        200: {
            "description": "The answer; or, as `text/event-stream`, the events `found`, "
            "`extract`, `token`, `answer` and `error`.",
            "content": {"text/event-stream": {}},
        },
        **refusals(408, 413, 429),
    },
)
async def ask(
    body: QuestionBody,
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    slots: AnswerSlots,
) -> Response:
    """Answer a question from the documents the caller may read.

    Every citation was checked against the stored text of its page. Without evidence the answer
    says so, with status 200 and no citations. Streamed, the last event is `answer` with the
    whole answer, or `error`; text in `token` events is a draft that has not been checked yet.
    """
    check_length(body.question, service)
    cancel = threading.Event()

    # The service's parts are opened at their first use, which takes seconds: in the thread, too.
    def events() -> Iterator[AnswerEvent]:
        return service.answers.stream(
            AnswerRequest(
                body.question,
                principal,
                language=body.language,
                kind=body.kind,
                search_filter=body.search_filter,
                history=body.turns,
                cancel=cancel,
            )
        )

    if body.stream or accepts_events(request):
        ends = still_welcome(request, service)
        return await EventStream.opened(json_events(events), cancel=cancel, slots=slots, ends=ends)
    answer = await at_once(lambda: last(events()), request, cancel=cancel, slots=slots)
    return reply(answer_to_dict(answer))


def last(events: Iterable[AnswerEvent]) -> Answer:
    """The answer that a stream ends with."""
    for event in events:
        if isinstance(event, Done):
            return event.answer
    raise AssertionError("an answer's stream ends with Done")


def json_events(events: Callable[[], Iterator[AnswerEvent]]) -> Iterator[StreamEvent]:
    """The life of an answer as the API tells it."""
    for event in events():
        match event:
            case Found(passages):
                yield StreamEvent("found", {"passages": [passage_to_dict(p) for p in passages]})
            case Quoted(statement):
                yield StreamEvent("extract", statement_to_dict(statement))
            case DraftToken(text):
                yield StreamEvent("token", {"text": text})
            case Done(answer):
                yield StreamEvent("answer", answer_to_dict(answer))


def check_length(question: str, service: Service) -> None:
    """Raises BadInput for a question beyond `server.max_question_chars`."""
    limit = service.settings.server.max_question_chars
    if len(question) > limit:
        raise BadInput(
            f"The question has {len(question)} characters, the limit is {limit}. Ask it shorter."
        )


def accepts_events(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")
