"""Questions over HTTP."""

import threading
from collections.abc import Callable, Iterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.answering.events import AnswerEvent, Done, DraftToken, Found, Quoted
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.api.schemas import QuestionBody, refusals, reply
from sovereign_rag.domain import Answer
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService, still_welcome
from sovereign_rag.http.params import AnswerSlots, accepts_events, check_length
from sovereign_rag.http.streaming import EventStream, StreamEvent, at_once
from sovereign_rag.services.serialization.ai_mark import DISCLOSURE, disclosure
from sovereign_rag.services.serialization.answers import AnswerOut, PassageOut, StatementOut

router = APIRouter(tags=["Answers"])


@router.post(
    "/v1/answers",
    response_model=AnswerOut,
    responses={
        200: {
            "description": "The answer; or, as `text/event-stream`, the events `found`, "
            "`extract`, `token`, `answer` and `error`.",
            "content": {"text/event-stream": {}},
        },
        **refusals(429),
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
    asked = AnswerRequest(
        body.question,
        principal,
        language=body.language,
        kind=body.kind,
        mode=body.mode,
        search_filter=body.search_filter(service, principal),
        history=body.turns,
        cancel=cancel,
    )

    # The service's parts are opened at their first use, which takes seconds: in the thread, too.
    def events() -> Iterator[AnswerEvent]:
        return service.answers.stream(asked)

    def whole() -> Answer:
        return service.answers.answer(asked)

    if body.stream or accepts_events(request):
        ends = still_welcome(request, service)
        stream = await EventStream.opened(
            json_events(events), cancel=cancel, slots=slots, ends=ends
        )
        stream.headers[DISCLOSURE] = disclosure("machine-generated")  # which kind, is not known yet
        return stream
    answer = await at_once(whole, request, cancel=cancel, slots=slots)
    out = AnswerOut.of(answer)
    response = reply(out)
    response.headers[DISCLOSURE] = out.ai.header
    return response


def json_events(events: Callable[[], Iterator[AnswerEvent]]) -> Iterator[StreamEvent]:
    """The life of an answer as the API tells it."""
    for event in events():
        match event:
            case Found(passages):
                yield StreamEvent(
                    "found", {"passages": [PassageOut.of(p).plain() for p in passages]}
                )
            case Quoted(statement):
                yield StreamEvent("extract", StatementOut.of(statement).plain())
            case DraftToken(text):
                yield StreamEvent("token", {"text": text})
            case Done(answer):
                yield StreamEvent("answer", AnswerOut.of(answer).plain())
