"""Asking on the page: the box, and the answer as a whole page or piece by piece."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import Principal
from sovereign_rag.answering.events import AnswerEvent, Done, DraftToken, Found, Quoted
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.domain import Answer
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService, still_welcome
from sovereign_rag.http.params import AnswerSlots, accepts_events, check_length
from sovereign_rag.http.sources import numbered
from sovereign_rag.http.streaming import EventStream, StreamEvent, at_once
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.roles import Scope
from sovereign_rag.services.container import Service
from sovereign_rag.web.conversation import MOST_HISTORY, read_turns
from sovereign_rag.web.first_screen import choices_of, first_screen
from sovereign_rag.web.front_door import front_door
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.narrowing import FormNarrowing, Narrowing, QueryNarrowing
from sovereign_rag.web.pages import refusal_for_script
from sovereign_rag.web.rendering import fragment, page
from sovereign_rag.web.views import TurnView, answer_view

router = APIRouter(include_in_schema=False)


@dataclass(slots=True)
class _Asked:
    """One question on its way: where its conversation is kept, once it is."""

    question: str
    principal: Principal
    service: Service
    narrowing: Narrowing
    earlier: tuple[Turn, ...]
    conversation: str | None  # None: it begins one, or none is kept
    cancel: threading.Event = field(default_factory=threading.Event)
    turn_id: int | None = None

    @property
    def number(self) -> int:
        return len(self.earlier) + 1

    @property
    def url(self) -> str:
        return f"/c/{self.conversation}{self.narrowing.query}#turn-{self.number}"

    def begin(self) -> bool:
        """Keep the question, if conversations are kept."""
        kept = self.service.conversations
        if not kept.keeps(self.principal):
            return False
        self.conversation, self.turn_id = kept.begin_turn(
            self.question, self.conversation, self.principal
        )
        return True

    def finish(self, answer: Answer) -> TurnView:
        """Keep the answer, and show it."""
        if self.conversation is not None and self.turn_id is not None:
            self.service.conversations.keep_answer(
                self.conversation, self.turn_id, answer, self.principal.tenant
            )
        return TurnView(
            number=self.number,
            question=self.question,
            view=answer_view(answer, self.earlier, anchor=f"turn-{self.number}"),
            conversation=self.conversation,
            id=self.turn_id,
        )


def ask_form(service: Service, principal: Principal, narrowing: Narrowing) -> dict[str, Any]:
    """What the box needs, on each page that has one."""
    return {
        "limit": service.settings.server.max_question_chars,
        "keeps": service.conversations.keeps(principal),
        "narrowing": narrowing,
        "only": narrowed_titles(service, principal, narrowing),
        "contact": service.settings.server.contact,
    }


def narrowed_titles(
    service: Service, principal: Principal, narrowing: Narrowing
) -> list[tuple[str, str]]:
    """The id and title of each document that is asked in, as far as it may be read."""
    found: list[tuple[str, str]] = []
    for id_ in narrowing.documents:
        try:
            found.append((id_, service.documents.get(id_, principal).title))
        except NotFound:
            continue
    return found


@router.get("/")
def ask_page(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    narrowing: QueryNarrowing,
    q: Annotated[str, Query(max_length=4_000)] = "",
) -> Response:
    if not principal.may(Scope.SEARCH, Scope.ANSWER):  # an auditor has nothing to ask here
        return RedirectResponse(front_door(principal), status_code=303)
    t = locale_of(request)
    first = first_screen(service, principal, t)
    return page(
        request,
        "ask.html",
        principal=principal,
        turns=[],
        question=q,
        conversation=None,
        first=first,
        choices=choices_of(first.overview, t),
        **ask_form(service, principal, narrowing),
    )


@router.post("/c")
async def ask(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    slots: AnswerSlots,
    narrowing: FormNarrowing,
    question: Annotated[str, Form()] = "",
    conversation: Annotated[str, Form(max_length=64)] = "",
    history: Annotated[str, Form(max_length=MOST_HISTORY)] = "",
) -> Response:
    """The answer, as the conversation's page or as events that carry pieces of it to the script.

    Where conversations are not kept, this one travels with the form.
    """
    # A form sends line ends as CR LF.
    question = question.replace("\r\n", "\n").strip()
    if not question:
        raise BadInput(locale_of(request)("ask.empty"))
    check_length(question, service)
    if service.conversations.keeps(principal):
        id_ = conversation or None
        earlier = service.conversations.earlier(id_, principal) if id_ else ()
    else:
        id_, earlier = None, read_turns(history)
    asked = _Asked(question, principal, service, narrowing, earlier, id_)
    wanted = AnswerRequest(
        question,
        principal,
        reads=locale_of(request).language,
        search_filter=narrowing.search_filter,
        history=earlier,
        cancel=asked.cancel,
    )
    if accepts_events(request):
        pieces = _pieces(request, lambda: service.answers.stream(wanted), asked)
        return await EventStream.opened(
            pieces,
            cancel=asked.cancel,
            slots=slots,
            ends=still_welcome(request, service),
            failure=lambda refusal: StreamEvent("error", refusal_for_script(request, refusal)),
        )

    def whole() -> Response:
        answer = service.answers.answer(wanted)
        is_kept = asked.begin()
        turn = asked.finish(answer)
        if is_kept:
            return RedirectResponse(asked.url, status_code=303)
        return page(
            request,
            "ask.html",
            principal=principal,
            turns=[turn],
            question="",
            conversation=None,
            first=None,
            choices=None,
            **ask_form(service, principal, narrowing),
        )

    return await at_once(whole, request, cancel=asked.cancel, slots=slots)


def _pieces(
    request: Request, events: Callable[[], Iterator[AnswerEvent]], asked: _Asked
) -> Iterator[StreamEvent]:
    """The life of an answer as pieces of the page, made by the templates that make it whole."""
    t = locale_of(request)
    quotes, has_begun = 0, False
    for event in events():
        if not has_begun:  # what was refused at once is not kept
            has_begun = True
            if asked.begin():
                yield StreamEvent("begun", {"url": asked.url, "conversation": asked.conversation})
        match event:
            case Found(passages):
                yield StreamEvent("found", {"status": t.count("found", len(passages))})
            case Quoted(statement):
                statements, sources = numbered((statement,), quotes + 1)
                quotes += len(sources)
                html = fragment(request, "quote.html", cited=statements[0])
                yield StreamEvent("extract", {"html": html})
            case DraftToken(text):
                yield StreamEvent("token", {"text": text, "status": t("ask.writing")})
            case Done(answer):
                html = fragment(
                    request, "turn.html", turn=asked.finish(answer), principal=asked.principal
                )
                yield StreamEvent("answer", {"html": html, "status": t("answer.ready")})
