"""What every way to sign in ends with: the session's cookie, and an address on this site."""

from starlette.responses import Response

from sovereign_rag.http.identity import session_cookie
from sovereign_rag.settings import ServerSettings


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


def local_address(to: str) -> str:
    """An address on this site; anything else becomes the start page (no open redirect)."""
    # A browser reads "/\" as "//", which begins another host's name.
    is_local = to.startswith("/") and to[1:2] not in {"/", "\\"} and to.isprintable()
    return to if is_local else "/"
