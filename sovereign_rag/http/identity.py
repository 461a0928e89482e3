"""Who calls: a key or a directory's token in the header, a session in the cookie, or on request
anonymous on loopback.

The identity comes from nowhere else, least of all from the body.
"""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from sovereign_rag.access import Principal
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.errors import (
    EnvironmentFault,
    Forbidden,
    ShuttingDown,
    SovereignError,
    Unauthenticated,
)
from sovereign_rag.http import owner_door
from sovereign_rag.http.delegation import person_behind
from sovereign_rag.http.middleware import host_name
from sovereign_rag.http.permissions import require_for
from sovereign_rag.services.attempts import Offered
from sovereign_rag.services.container import Service
from sovereign_rag.services.owner_door import AS_HEADER
from sovereign_rag.settings import ServerSettings

ANONYMOUS = Principal("anonymous")
"""Reads what everyone of the default tenant may read at level 0."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def the_service(request: Request) -> Service:
    service = cast(Service, request.app.state.service)
    service.follow_settings()
    return service


CurrentService = Annotated[Service, Depends(the_service)]


def current_principal(request: Request, service: CurrentService) -> Principal:
    """Whoever calls.

    Raises:
        LimitReached: The key, its person or their tenant has had its share for now.
        Unauthenticated: There is no identity, or one that isn't valid. A wrong key never falls
            back to the cookie, nor a wrong cookie to anonymous.
        Forbidden: A browser sends this on behalf of another site, or what is asked for is not
            open to this caller; see `permissions.NEEDS`.

    What was offered and opens nothing is on the record, with where it came from.
    """
    person = known_caller(request, service)
    if person.front_end is not None:
        with _failures_noted(request, service, "token"):
            person = person_behind(person, request, service.settings.front_ends)
    request.state.principal = person
    request.state.standing = service.oversight.limiter.admit(person)
    return person


def known_caller(request: Request, service: CurrentService) -> Principal:
    """Whose key or session this is: a front end's, too, whoever it speaks for.

    Raises: as `current_principal`. A front end is nobody: `read_scope` refuses it.
    """
    known = service.identities.current(_identified(request, service))
    known = known.from_address(address_of(request))
    request.state.principal = known
    require_for(request, known)
    return known


def address_of(connection: HTTPConnection) -> str | None:
    """Where a request comes from, as far as the connection tells."""
    return None if connection.client is None else connection.client.host


def _identified(request: Request, service: Service) -> Principal:
    if owner_door.came_by_door(request.scope):
        return owner_door.principal_of(request.headers.get(AS_HEADER))
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _bearer(authorization, request, service)
    server = service.settings.server
    token = request.cookies.get(session_cookie(server))
    if token is not None:
        require_same_origin(request)
        with _failures_noted(request, service, "session"):
            return service.catalog.sessions.principal_for(token)
    if may_be_anonymous(request, server):
        if {"origin", "sec-fetch-site"} & set(request.headers.keys()):
            require_same_origin(request)
        return ANONYMOUS
    raise Unauthenticated(
        "Who asks? Send `Authorization: Bearer srag_...`; an admin makes a key with "
        "`sovereign-rag keys create`. On the page, sign in."
    )


def _bearer(authorization: str, request: Request, service: Service) -> Principal:
    scheme, _, rest = authorization.partition(" ")
    secret, directory = rest.strip(), service.identities.tokens
    # A JWT has three parts between dots, which no key of ours has.
    is_token = directory is not None and secret.count(".") == 2 and not key_id_of(secret)
    with _failures_noted(request, service, "token" if is_token else "key", secret):
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("Identify yourself with `Authorization: Bearer srag_...`.")
        if directory is not None and is_token:
            return directory.principal_for(secret)
        return service.catalog.keys.principal_for(secret)


@contextmanager
def _failures_noted(
    request: Request, service: Service, offered: Offered, secret: str = ""
) -> Iterator[None]:
    try:
        yield
    except Unauthenticated:
        service.attempts.note(address_of(request), offered, secret)
        raise


def still_welcome(request: Request, service: Service) -> Callable[[], SovereignError | None]:
    """Gives why a stream to this caller has to end now; None: it may go on.

    A key that was revoked, a session that was ended and a service that goes down end what they
    are streaming within a second or two, not with its last event.
    """

    def reason() -> SovereignError | None:
        if request.app.state.leaving.is_set():
            return ShuttingDown()
        try:
            known_caller(request, service)  # a token may run out while its answer is written
        except (Unauthenticated, Forbidden) as refusal:
            return refusal
        except EnvironmentFault:  # it can't be told for now; the stream itself will notice
            return None
        return None

    return reason


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
KnownCaller = Annotated[Principal, Depends(known_caller)]


def may_be_anonymous(connection: HTTPConnection, server: ServerSettings) -> bool:
    """Whether a caller without a key may read what everyone may: on this machine alone.

    A proxy on this machine makes everybody's address loopback: the admin has to say that there is
    none, and the headers of one rule it out all the same.
    """
    if not (server.allow_anonymous and server.no_proxy) or connection.client is None:
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    return (
        address.is_loopback
        and host_name(connection.headers.get("host", "")) in _LOOPBACK_NAMES
        and not any(name in connection.headers for name in _FORWARDED)
    )


def require_same_origin(request: Request) -> None:
    """Refuse what a browser sends for another site (CSRF), with a method that changes things.

    Raises:
        Forbidden: The request is another site's, or doesn't say whose it is.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        same = (
            origin.netloc != ""
            and origin.netloc.lower() == request.headers.get("host", "").lower()
            and origin.scheme == _scheme(request)
        )
    if not same:
        raise Forbidden(
            "This request came from another site, or did not say from where. Use the page "
            "itself, or a key in the Authorization header."
        )


def _scheme(request: Request) -> str:
    """What browsers reach this service by: behind TLS, as the settings say, HTTPS alone."""
    the_settings = the_service(request).settings.server
    return "https" if the_settings.secure_cookies else request.url.scheme


def session_cookie(server: ServerSettings) -> str:
    """The cookie's name; over HTTPS the browser itself holds it to this host and path."""
    return "__Host-srag_session" if server.secure_cookies else "srag_session"
