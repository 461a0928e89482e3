"""Keys: made, with the secret shown once; rotated, ended."""

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.errors import BadInput, KeyReused
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.roles import Role, reaches_named, role_named
from sovereign_rag.services.keys import NewKey
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
OVERLAP: Final = timedelta(days=1)

_KeyId = Annotated[str, Path(max_length=16)]
_Admin = Annotated[Principal, Depends(entering(Part.KEYS))]
_Once = Annotated[str, Form(max_length=64)]
_Words = Annotated[str, Form(max_length=2_000)]


@router.get("/admin/keys")
def keys_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    show: Annotated[Literal["valid", "all"], Query()] = "valid",
) -> Response:
    now = datetime.now(UTC)
    keys = service.keys.list(admin)
    over = {
        key.id
        for key in keys
        if key.revoked is not None or (key.expires is not None and key.expires <= now)
    }
    return console_page(
        request,
        "keys.html",
        Part.KEYS,
        principal=admin,
        keys=[key for key in reversed(keys) if show == "all" or key.id not in over],
        over=over,
        show=show,
        roles=tuple(Role),
        highest_level=HIGHEST_LEVEL,
        once=secrets.token_urlsafe(16),
        today=now.date() + timedelta(days=1),
    )


@router.post("/admin/keys")
def make(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    user: _Words = "",
    name: _Words = "",
    groups: _Words = "",
    clearance: Annotated[int, Form(ge=0, le=HIGHEST_LEVEL)] = 0,
    role: _Words = Role.READER,
    curates: _Words = "",
    expires: _Words = "",
    once: _Once = "",
) -> Response:
    """The key with its secret, which no other page shows: so the form leads to no other."""
    wanted = NewKey(
        user=user.strip().removeprefix("user:"),
        name=name.strip(),
        groups=frozenset(word.removeprefix("group:") for word in _listed(groups)),
        clearance=clearance,
        role=(chosen := role_named(role)),
        curates=reaches_named(_listed(curates), [chosen]),
        expires=_end_of(expires),
        once=once,
    )
    return _made(request, admin, lambda: service.keys.create(wanted, admin))


@router.post("/admin/keys/{key_id}/rotate")
def rotate(
    request: Request,
    key_id: _KeyId,
    admin: _Admin,
    service: CurrentService,
    overlap: Annotated[Literal["", "1"], Form()] = "",
    once: _Once = "",
) -> Response:
    held = OVERLAP if overlap else timedelta()
    return _made(
        request,
        admin,
        lambda: service.keys.rotate(key_id, admin, overlap=held, once=once),
        old=key_id,
    )


@router.post("/admin/keys/{key_id}/end")
def end(key_id: _KeyId, admin: _Admin, service: CurrentService) -> Response:
    service.keys.revoke(key_id, admin)
    return back_to(Part.KEYS, "key_ended")


def _made(
    request: Request,
    admin: Principal,
    make: Callable[[], tuple[KeyRecord, str]],
    old: str | None = None,
) -> Response:
    """The page with the secret; sent again, as by a reload, one that says it was shown."""
    try:
        key, secret = make()
    except KeyReused:
        return console_page(request, "key_again.html", Part.KEYS, principal=admin)
    return console_page(
        request, "key_made.html", Part.KEYS, principal=admin, key=key, secret=secret, old=old
    )


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _end_of(day: str) -> datetime | None:
    """The last moment of a day; None where none is given."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{day!r} is no day: write 2027-01-31, or leave it empty.") from error
