"""The page's routes: ask, read the cited page, see what there is to read, sign in and out."""

import threading
from collections.abc import Callable, Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import Principal
from sovereign_rag.answering.citations import boxes as quote_boxes
from sovereign_rag.answering.events import AnswerEvent, Done, DraftToken, Found, Quoted
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.errors import BadInput, SovereignError, Unauthenticated
from sovereign_rag.http.identity import (
    CurrentPrincipal,
    CurrentService,
    current_principal,
    require_same_origin,
    session_cookie,
    still_welcome,
    the_service,
)
from sovereign_rag.http.params import (
    AnswerSlots,
    DocumentId,
    PageNumber,
    SpanEnd,
    SpanStart,
    accepts_events,
    check_length,
)
from sovereign_rag.http.streaming import EventStream, StreamEvent, at_once
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.services.container import Service
from sovereign_rag.web.conversation import MOST_HISTORY, read_turns
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.rendering import fragment, page
from sovereign_rag.web.views import answer_view, marked_text, numbered, page_url

router = APIRouter(include_in_schema=False)
PAGE_OF_DOCUMENTS = 50


def visitor(request: Request, service: CurrentService) -> Principal | None:
    """Whoever looks at a page that anybody may see."""
    try:
        return current_principal(request, service)
    except SovereignError:
        return None


Visitor = Annotated[Principal | None, Depends(visitor)]


@router.get("/")
def ask_page(request: Request, principal: CurrentPrincipal, service: CurrentService) -> Response:
    limit = service.settings.server.max_question_chars
    return page(request, "ask.html", principal=principal, limit=limit, question="", view=None)


@router.post("/")
async def ask(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    slots: AnswerSlots,
    question: Annotated[str, Form()] = "",
    history: Annotated[str, Form(max_length=MOST_HISTORY)] = "",
) -> Response:
    """The answer as a whole page, or as events that carry pieces of one to the script.

    The conversation so far travels with the form: nothing of it is kept here.
    """
    # A form sends line ends as CR LF.
    question = question.replace("\r\n", "\n").strip()
    if not question:
        raise BadInput(locale_of(request)("ask.empty"))
    check_length(question, service)
    turns = read_turns(history)
    cancel = threading.Event()
    asked = AnswerRequest(question, principal, history=turns, cancel=cancel)

    def events() -> Iterator[AnswerEvent]:
        return service.answers.stream(asked)

    if accepts_events(request):
        pieces = _pieces(request, events, turns)
        ends = still_welcome(request, service)
        return await EventStream.opened(pieces, cancel=cancel, slots=slots, ends=ends)

    def whole() -> Response:
        return page(
            request,
            "ask.html",
            principal=principal,
            limit=service.settings.server.max_question_chars,
            question=question,
            view=answer_view(service.answers.answer(asked), turns),
        )

    return await at_once(whole, request, cancel=cancel, slots=slots)


@router.get("/documents")
def documents_page(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    found = service.documents.list(principal, limit=PAGE_OF_DOCUMENTS + 1, after=after)
    documents = found[:PAGE_OF_DOCUMENTS]
    following = documents[-1].id if len(found) > PAGE_OF_DOCUMENTS else None
    return page(
        request,
        "documents.html",
        principal=principal,
        documents=documents,
        following=following,
        is_first=after is None,
    )


@router.get("/documents/{document_id}")
def document_page(document_id: DocumentId) -> Response:
    return RedirectResponse(page_url(document_id, 1), status_code=307)


@router.get("/documents/{document_id}/pages/{number}")
def viewer_page(
    request: Request,
    document_id: DocumentId,
    number: PageNumber,
    principal: CurrentPrincipal,
    service: CurrentService,
    start: SpanStart = None,
    end: SpanEnd = None,
) -> Response:
    document = service.documents.get(document_id, principal)
    text = service.documents.page(document_id, number, principal)
    marked = marked_text(text, start, end)
    boxes = quote_boxes(text, len(marked.before), len(marked.before) + len(marked.mark))
    return page(
        request,
        "viewer.html",
        principal=principal,
        document=document,
        text=text,
        marked=marked,
        is_gone=start is not None and not marked.mark,
        has_image=service.documents.has_image(document),
        mark_top=min((box.top for box in boxes), default=None),
        start=start if marked.mark else None,
        end=end if marked.mark else None,
    )


@router.get("/sign-in")
def sign_in_page(
    request: Request, principal: Visitor, to: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    return page(request, "sign_in.html", principal=principal, to=_local(to), is_wrong=False)


@router.post("/sign-in")
def sign_in(
    request: Request,
    service: CurrentService,
    key: Annotated[str, Form(max_length=500)] = "",
    to: Annotated[str, Form(alias="next", max_length=2_000)] = "/",
) -> Response:
    require_same_origin(request)  # else another site could sign a visitor in as somebody else
    server = service.settings.server
    try:
        secret = key.strip()
        principal = service.catalog.keys.principal_for(secret)
    except Unauthenticated:
        return page(
            request, "sign_in.html", principal=None, status=401, to=_local(to), is_wrong=True
        )
    if (earlier := request.cookies.get(session_cookie(server))) is not None:
        service.catalog.sessions.end(earlier)  # of whoever used this browser before
    token = service.catalog.sessions.create(
        principal, server.session_hours, key_id=key_id_of(secret)
    )
    response = RedirectResponse(_local(to), status_code=303)
    response.set_cookie(
        session_cookie(server),
        token,
        max_age=int(server.session_hours * 3600),
        httponly=True,
        secure=server.secure_cookies,
        # Lax, so that a link from a mail or a wiki opens the page signed in; what changes
        # anything is asked for its origin (`require_same_origin`), on every route.
        samesite="lax",
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, service: CurrentService) -> Response:
    require_same_origin(request)
    token = request.cookies.get(session_cookie(service.settings.server))
    if token is not None:
        service.catalog.sessions.end(token)
    return _forgetting(RedirectResponse("/sign-in", status_code=303), service)


def error_page(request: Request, status: int, detail: str) -> Response:
    """A refusal for people: who isn't signed in is asked to, others read what happened."""
    if status == 401:
        to = request.url.path if request.method == "GET" else "/"
        if request.method == "GET" and request.url.query:
            to += f"?{request.url.query}"
        response = RedirectResponse(f"/sign-in?next={quote(to, safe='/')}", status_code=303)
        service = the_service(request)
        was_sent = session_cookie(service.settings.server) in request.cookies
        return _forgetting(response, service) if was_sent else response
    known = status if status in {400, 403, 404, 413, 429, 503} else 500
    return page(request, "error.html", principal=None, status=status, known=known, detail=detail)


def _pieces(
    request: Request, events: Callable[[], Iterator[AnswerEvent]], turns: tuple[Turn, ...]
) -> Iterator[StreamEvent]:
    """The life of an answer as pieces of the page, made by the templates that make it whole."""
    t = locale_of(request)
    quotes = 0
    for event in events():
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
                html = fragment(request, "answer.html", view=answer_view(answer, turns))
                yield StreamEvent("answer", {"html": html, "status": t("answer.ready")})


def _forgetting(response: Response, service: Service) -> Response:
    """The response, which also takes the session's cookie back."""
    server = service.settings.server
    response.delete_cookie(
        session_cookie(server), secure=server.secure_cookies, httponly=True, samesite="lax"
    )
    return response


def _local(to: str) -> str:
    """An address on this site; anything else becomes the start page (no open redirect)."""
    # A browser reads "/\" as "//", which begins another host's name.
    is_local = to.startswith("/") and to[1:2] not in {"/", "\\"} and to.isprintable()
    return to if is_local else "/"
