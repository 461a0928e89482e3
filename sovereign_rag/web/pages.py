"""The page's routes: read the cited page, sign in and out."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import Principal
from sovereign_rag.answering.citations import boxes as quote_boxes
from sovereign_rag.errors import SovereignError, Unauthenticated
from sovereign_rag.http.errors import UNEXPECTED
from sovereign_rag.http.identity import (
    CurrentPrincipal,
    CurrentService,
    address_of,
    current_principal,
    require_same_origin,
    session_cookie,
    the_service,
)
from sovereign_rag.http.params import (
    DocumentId,
    PageNumber,
    SpanEnd,
    SpanStart,
)
from sovereign_rag.http.sources import page_url
from sovereign_rag.services.container import Service
from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.rendering import page
from sovereign_rag.web.session import local_address, with_session
from sovereign_rag.web.views import marked_text, places_of

router = APIRouter(include_in_schema=False)
MOST_PLACES = 100


def visitor(request: Request, service: CurrentService) -> Principal | None:
    """Whoever looks at a page that anybody may see."""
    try:
        return current_principal(request, service)
    except SovereignError:
        return None


Visitor = Annotated[Principal | None, Depends(visitor)]


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
    document, text = service.documents.opened(document_id, number, principal)
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
        is_outdated=service.rereading.is_outdated(document),
        mark_top=min((box.top for box in boxes), default=None),
        start=start if marked.mark else None,
        end=end if marked.mark else None,
    )


@router.get("/documents/{document_id}/pages")
def jump(
    document_id: DocumentId, number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1
) -> Response:
    return RedirectResponse(page_url(document_id, number), status_code=303)


@router.get("/documents/{document_id}/find")
def find_page(
    request: Request,
    document_id: DocumentId,
    principal: CurrentPrincipal,
    service: CurrentService,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    document = service.documents.get(document_id, principal)
    pages = service.documents.pages(document_id, principal)
    found = places_of(pages, q.strip(), most=MOST_PLACES + 1)
    return page(
        request,
        "find.html",
        principal=principal,
        document=document,
        q=q.strip(),
        found=found[:MOST_PLACES],
        has_more=len(found) > MOST_PLACES,
    )


@router.post("/documents/{document_id}/reread")
def reread(
    document_id: DocumentId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    job = service.rereading.submit([document_id], principal)
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)


@router.get("/sign-in")
def sign_in_page(
    request: Request,
    principal: Visitor,
    service: CurrentService,
    to: Annotated[str, Query(alias="next")] = "/",
) -> Response:
    return _sign_in_form(request, service, local_address(to), principal=principal)


@router.post("/sign-in")
def sign_in(
    request: Request,
    service: CurrentService,
    key: Annotated[str, Form(max_length=500)] = "",
    user: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=500)] = "",
    to: Annotated[str, Form(alias="next", max_length=2_000)] = "/",
) -> Response:
    require_same_origin(request)  # else another site could sign a visitor in as somebody else
    server, ldap = service.settings.server, service.identities.ldap
    hours, address = server.session_hours, address_of(request)
    earlier = request.cookies.get(session_cookie(server))
    try:
        if ldap is not None and user.strip():
            token = service.sign_ins.sign_in_by_password(
                ldap, user, password, hours=hours, address=address, earlier=earlier
            )
        else:
            token = service.sign_ins.sign_in(
                key.strip(), hours=hours, address=address, earlier=earlier
            )
    except Unauthenticated:
        return _sign_in_form(
            request, service, local_address(to), status=401, is_wrong=True, user=user.strip()
        )
    return with_session(RedirectResponse(local_address(to), status_code=303), token, server)


@router.post("/sign-out")
def sign_out(request: Request, service: CurrentService) -> Response:
    require_same_origin(request)
    token = request.cookies.get(session_cookie(service.settings.server))
    if token is not None:
        service.sign_ins.sign_out(token, address=address_of(request))
    return _forgetting(RedirectResponse("/sign-in", status_code=303), service)


def refusal_for_script(request: Request, refusal: SovereignError | None) -> dict[str, str]:
    """A refusal as the page's script shows it, in the asker's words; None: nobody foresaw it."""
    status = 500 if refusal is None else refusal.status
    code = UNEXPECTED["error"] if refusal is None else refusal.code
    return {"error": code, "detail": locale_of(request)(f"error.said.{_known(status)}")}


def _known(status: int) -> int:
    return status if status in {400, 403, 404, 413, 429, 503} else 500


def error_page(request: Request, status: int, detail: str, *, to: str = "/") -> Response:
    """A refusal for people: who isn't signed in is asked to and goes on to `to`, others read it."""
    if status == 401:
        response = RedirectResponse(f"/sign-in?next={quote(to, safe='/')}", status_code=303)
        service = the_service(request)
        was_sent = session_cookie(service.settings.server) in request.cookies
        return _forgetting(response, service) if was_sent else response
    known, principal = _known(status), getattr(request.state, "principal", None)
    return page(
        request, "error.html", principal=principal, status=status, known=known, detail=detail
    )


def _sign_in_form(
    request: Request,
    service: Service,
    to: str,
    *,
    principal: Principal | None = None,
    status: int = 200,
    is_wrong: bool = False,
    user: str = "",
) -> Response:
    directory = None
    if service.identities.token_sign_in is not None:
        directory = f"/sign-in/directory?next={quote(to, safe='/')}"
    return page(
        request,
        "sign_in.html",
        principal=principal,
        status=status,
        to=to,
        is_wrong=is_wrong,
        directory=directory,
        takes_password=service.identities.ldap is not None and directory is None,
        user=user,
    )


def _forgetting(response: Response, service: Service) -> Response:
    """The response, which also takes the session's cookie back."""
    server = service.settings.server
    response.delete_cookie(
        session_cookie(server), secure=server.secure_cookies, httponly=True, samesite="lax"
    )
    return response
