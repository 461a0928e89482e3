"""Signing in by the organisation's directory: to its page, back from it, and out at its word."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Query
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sovereign_rag.errors import Forbidden, NotFound, Unauthenticated
from sovereign_rag.http.identity import CurrentService, address_of, session_cookie
from sovereign_rag.http.sources import public_url
from sovereign_rag.services.container import Service
from sovereign_rag.services.directory_sign_in import DirectorySignIn, Pending
from sovereign_rag.settings import ServerSettings
from sovereign_rag.web.session import local_address, with_session

router = APIRouter(include_in_schema=False)

_BACK: Final = "/sign-in/back"
_PATIENCE_S: Final = 600  # for whoever looks for their password at the directory's page
_PENDING: Final = TypeAdapter(Pending)


@router.get("/sign-in/directory")
def to_directory(
    request: Request, service: CurrentService, to: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    server, pending = service.settings.server, Pending.begun(local_address(to))
    back = public_url(server, request) + _BACK
    response = RedirectResponse(_sign_in(service).address(pending, back), status_code=303)
    response.set_cookie(
        _pending_cookie(server),
        _PENDING.dump_json(pending).hex(),
        max_age=_PATIENCE_S,
        httponly=True,
        secure=server.secure_cookies,
        samesite="lax",  # the directory's page sends the browser back
    )
    return response


@router.get(_BACK)
def back_from_directory(
    request: Request,
    service: CurrentService,
    code: Annotated[str, Query(max_length=4_000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    server, sign_in = service.settings.server, _sign_in(service)
    pending = _pending(request.cookies.get(_pending_cookie(server), ""))
    try:
        if pending is None:
            raise Unauthenticated("This sign-in was not begun in this browser. Begin it again.")
        back = public_url(server, request) + _BACK
        principal, vouched = sign_in.finish(pending, state=state, code=code, back=back)
    except Unauthenticated as refusal:
        service.attempts.note(address_of(request), "token")
        raise Forbidden(str(refusal)) from refusal  # a 401 would lead the browser in a circle
    token = service.sign_ins.sign_in_vouched(
        principal,
        vouched,
        hours=server.session_hours,
        address=address_of(request),
        earlier=request.cookies.get(session_cookie(server)),
    )
    response = with_session(RedirectResponse(pending.to, status_code=303), token, server)
    response.delete_cookie(_pending_cookie(server), secure=server.secure_cookies, httponly=True)
    return response


@router.post("/sign-in/logout")
def ended_by_directory(
    request: Request,
    service: CurrentService,
    logout_token: Annotated[str, Form(max_length=16_000)] = "",
) -> Response:
    """Back-channel logout: the directory's own server says that somebody's sessions are over."""
    try:
        vouched = _sign_in(service).logged_out(logout_token)
    except Unauthenticated as refusal:
        service.attempts.note(address_of(request), "token")
        return JSONResponse({"error": "invalid_request", "detail": str(refusal)}, status_code=400)
    service.sign_ins.end_vouched(vouched, address=address_of(request))
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _sign_in(service: Service) -> DirectorySignIn:
    if service.identities.token_sign_in is None:
        raise NotFound("The settings name no directory to sign in by.")
    return service.identities.token_sign_in


def _pending(cookie: str) -> Pending | None:
    try:
        return _PENDING.validate_json(bytes.fromhex(cookie))
    except (ValidationError, ValueError):
        return None


def _pending_cookie(server: ServerSettings) -> str:
    return "__Host-srag_signing_in" if server.secure_cookies else "srag_signing_in"
