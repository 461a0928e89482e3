"""What every way to sign in ends with: the session's cookie, and an address on this site."""

from typing import Final
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sovereign_rag.http.identity import session_cookie
from sovereign_rag.settings import ServerSettings

_LONGEST_ADDRESS: Final = 1_900  # characters; the form of the sign-in page takes no more along


def with_session(response: Response, token: str, server: ServerSettings) -> Response:
    """The response, which also brings the session's cookie."""
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


async def address_to_return_to(request: Request) -> str:
    """Where somebody goes on once they have signed in: the page, or the box with their question."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.url.path != "/c":
        return "/"
    try:
        sent = await request.form()  # read already, before it was known who sends it
    except (ClientDisconnect, RuntimeError):
        return "/"
    question, conversation = (str(sent.get(name) or "") for name in ("question", "conversation"))
    page = f"/c/{quote(conversation, safe='')}" if conversation else "/"
    address = f"{page}?q={quote(question)}"
    return address if question and len(address) <= _LONGEST_ADDRESS else page


def local_address(to: str) -> str:
    """An address on this site; anything else becomes the start page (no open redirect)."""
    # A browser reads "/\" as "//", which begins another host's name.
    is_local = to.startswith("/") and to[1:2] not in {"/", "\\"} and to.isprintable()
    return to if is_local else "/"
