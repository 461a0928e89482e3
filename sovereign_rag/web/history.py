"""Conversations as their owner meets them again: the list, one of them, what is done with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import LARGEST_ID
from sovereign_rag.http.sources import public_url
from sovereign_rag.services.contents import require_taking_along
from sovereign_rag.services.conversations import MOST_REASON_CHARS, MOST_TITLE_CHARS
from sovereign_rag.web.asking import ask_form
from sovereign_rag.web.export import markdown, pdf, word
from sovereign_rag.web.export.paper import paper_of
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.narrowing import QueryNarrowing
from sovereign_rag.web.rendering import page
from sovereign_rag.web.views import kept_turn

router = APIRouter(include_in_schema=False)
PAGE_OF_CONVERSATIONS: Final = 50

ConversationId = Annotated[str, Path(max_length=64)]
TurnId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/c")
def history_page(
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    q: Annotated[str, Query(max_length=500)] = "",
    before: Annotated[datetime | None, Query()] = None,
) -> Response:
    kept = service.conversations
    if not kept.keeps(principal):
        return RedirectResponse("/", status_code=303)
    most = PAGE_OF_CONVERSATIONS
    if q.strip():
        found = kept.search(q, principal, limit=most + 1)
    else:
        found = kept.recent(principal, limit=most + 1, before=before)
    return page(
        request,
        "history.html",
        principal=principal,
        q=q,
        conversations=found[:most],
        following=found[most - 1].updated if len(found) > most and not q.strip() else None,
        is_first=before is None,
        keep_days=service.settings.history.keep_days,
        most_title=MOST_TITLE_CHARS,
    )


@router.post("/c/delete")
def delete_all(principal: CurrentPrincipal, service: CurrentService) -> Response:
    service.conversations.delete(None, principal)
    return RedirectResponse("/c", status_code=303)


@router.get("/c/shared/{share}")
def shared_page(
    request: Request,
    share: Annotated[str, Path(max_length=64)],
    principal: CurrentPrincipal,
    service: CurrentService,
) -> Response:
    turn = service.conversations.shared(share, principal)
    return page(request, "shared.html", principal=principal, turn=kept_turn(turn, None))


@router.get("/c/{conversation_id}")
def conversation_page(
    request: Request,
    conversation_id: ConversationId,
    principal: CurrentPrincipal,
    service: CurrentService,
    narrowing: QueryNarrowing,
    q: Annotated[str, Query(max_length=4_000)] = "",
) -> Response:
    conversation = service.conversations.read(conversation_id, principal)
    return page(
        request,
        "ask.html",
        principal=principal,
        turns=[kept_turn(turn, conversation_id) for turn in conversation.turns],
        question=q,
        conversation=conversation,
        first=None,
        choices=None,
        **ask_form(service, principal, narrowing),
    )


@router.post("/c/{conversation_id}/rename")
def rename(
    conversation_id: ConversationId,
    principal: CurrentPrincipal,
    service: CurrentService,
    title: Annotated[str, Form(max_length=10 * MOST_TITLE_CHARS)] = "",
) -> Response:
    service.conversations.rename(conversation_id, title, principal)
    return RedirectResponse("/c", status_code=303)


@router.post("/c/{conversation_id}/delete")
def delete(
    conversation_id: ConversationId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    service.conversations.delete(conversation_id, principal)
    return RedirectResponse("/c", status_code=303)


@router.post("/c/{conversation_id}/turns/{turn_id}/share")
def share(
    conversation_id: ConversationId,
    turn_id: TurnId,
    principal: CurrentPrincipal,
    service: CurrentService,
    end: Annotated[bool, Form()] = False,
) -> Response:
    service.conversations.share(conversation_id, turn_id, principal, is_shared=not end)
    return _back_to(conversation_id, turn_id, principal, service)


@router.post("/c/{conversation_id}/turns/{turn_id}/vote")
def vote(
    conversation_id: ConversationId,
    turn_id: TurnId,
    principal: CurrentPrincipal,
    service: CurrentService,
    helpful: Annotated[bool, Form()],
    reason: Annotated[str, Form(max_length=MOST_REASON_CHARS)] = "",
) -> Response:
    service.conversations.vote(
        conversation_id, turn_id, principal, is_helpful=helpful, reason=reason
    )
    return _back_to(conversation_id, turn_id, principal, service)


@router.get("/c/{conversation_id}/turns/{turn_id}/export.{form}")
def export(
    request: Request,
    conversation_id: ConversationId,
    turn_id: TurnId,
    form: Literal["md", "docx", "pdf"],
    principal: CurrentPrincipal,
    service: CurrentService,
) -> Response:
    """The answer as a file, with its date, asker, model and marks."""
    t = locale_of(request)
    turn = service.conversations.turn(
        conversation_id, turn_id, principal, action="conversation.export"
    )
    if turn.shown is not None:
        require_taking_along(service.settings.labels, turn.shown.answer.level)
    base, made = public_url(service.settings.server, request), datetime.now(UTC)
    paper = paper_of(turn, asker=principal.user, base=base, made=made, t=t)
    makers: dict[str, tuple[str, Callable[[], bytes]]] = {
        "md": (markdown.MEDIA_TYPE, lambda: markdown.markdown(paper)),
        "docx": (word.MEDIA_TYPE, lambda: word.word(paper)),
        "pdf": (pdf.MEDIA_TYPE, lambda: pdf.pdf(paper, lacking=t("export.lacking"))),
    }
    media_type, make = makers[form]
    name = f"{t('export.name')}-{turn.asked:%Y-%m-%d}-{turn.number}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(make(), media_type=media_type, headers=headers)


def _back_to(
    conversation_id: str, turn_id: int, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    number = service.conversations.turn(conversation_id, turn_id, principal).number
    return RedirectResponse(f"/c/{conversation_id}#turn-{number}", status_code=303)
