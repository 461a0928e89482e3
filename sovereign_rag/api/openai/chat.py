"""Questions by that protocol: a conversation in, a checked answer with its sources out."""

import threading
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.answering.events import Done
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.api.openai.completion import Chunk, Completion, Ending, Written, written
from sovereign_rag.api.openai.conversation import asked_beside, question_of
from sovereign_rag.api.openai.errors import error_body, refusals, unexpected_body
from sovereign_rag.api.openai.models import kind_of
from sovereign_rag.api.openai.schemas import ChatBody, CompletionOut
from sovereign_rag.api.openai.side_requests import side_answer
from sovereign_rag.api.schemas import reply
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService, still_welcome
from sovereign_rag.http.params import AnswerSlots, check_length
from sovereign_rag.http.sources import public_url
from sovereign_rag.http.streaming import EventStream, at_once

router = APIRouter(tags=["OpenAI's protocol"])

_OPEN_WEBUI: Final = "x-openwebui-chat-id"
"""Comes with a message of a chat that open-webui shows, and forwards its headers."""


@router.post(
    "/v1/chat/completions",
    response_model=CompletionOut,
    responses={
        200: {
            "description": "The answer; or, as `text/event-stream`, chunks of what was checked.",
            "content": {"text/event-stream": {}},
        },
        **refusals(404, 429),
    },
)
async def complete(
    body: ChatBody,
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    slots: AnswerSlots,
) -> Response:
    """Answer the last message of a conversation from the documents the caller may read.

    As `POST /v1/answers` does, in the form of OpenAI's chat completions. Quotes are marked `[1]` in
    the text, listed below it with title, page and link, and stand in `annotations`. A stream holds
    checked text alone. What the caller's system message says does not loosen how answers are made.
    """
    kind = kind_of(body.model)
    completion = Completion(body.model)
    cancel = threading.Event()
    if (aside := side_answer(body, request)) is not None:
        events = iter([completion.opening(), *_chunks(completion, aside, body, request)])
        if body.stream:
            return await _stream(events, request, service, cancel, slots)
        return reply(completion.whole(aside))

    question, history = question_of(body)
    check_length(question, service)
    beside, base = asked_beside(body), public_url(service.settings.server, request)
    asked = AnswerRequest(
        question,
        principal,
        language=beside.language,
        kind=kind or beside.kind,
        search_filter=beside.search_filter(service, principal),
        history=history,
        cancel=cancel,
    )

    def whole() -> Written:
        return written(service.answers.answer(asked), base)

    def pieces() -> Iterator[Chunk | Ending]:
        """Drafts are left out: what a client has shown can't be taken back."""
        opened = False
        for event in service.answers.stream(asked):
            if not opened:
                yield completion.opening()
                opened = True
            if isinstance(event, Done):
                yield from _chunks(completion, written(event.answer, base), body, request)

    if body.stream:
        return await _stream(pieces(), request, service, cancel, slots)
    return reply(completion.whole(await at_once(whole, request, cancel=cancel, slots=slots)))


def _chunks(
    completion: Completion, done: Written, body: ChatBody, request: Request
) -> Iterator[Chunk | Ending]:
    return completion.chunks(
        done,
        include_usage=body.stream_options is not None and body.stream_options.include_usage,
        source_events=_OPEN_WEBUI in request.headers,
    )


async def _stream(
    events: Iterator[Chunk | Ending],
    request: Request,
    service: CurrentService,
    cancel: threading.Event,
    slots: AnswerSlots,
) -> Response:
    return await EventStream.opened(
        events,
        cancel=cancel,
        slots=slots,
        ends=still_welcome(request, service),
        failure=_failure,
    )


def _failure(error: SovereignError | None) -> Chunk:
    return Chunk(unexpected_body() if error is None else error_body(error))
