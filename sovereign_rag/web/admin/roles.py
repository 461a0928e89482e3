"""Roles granted to people without a key: forms on the page of people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.roles import role_named
from sovereign_rag.web.admin.frame import back_to
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()

_Admin = Annotated[Principal, Depends(entering(Part.PEOPLE))]
_Words = Annotated[str, Form(max_length=2_000)]


@router.post("/admin/people/roles")
def grant(
    admin: _Admin,
    service: CurrentService,
    user: _Words = "",
    role: _Words = "",
    curates: _Words = "",
) -> Response:
    service.identities.roles.grant(user.strip(), role_named(role), curates.split(","), admin)
    return back_to(Part.PEOPLE, "role_granted")


@router.post("/admin/people/roles/revoke")
def revoke(
    admin: _Admin, service: CurrentService, user: _Words = "", role: _Words = ""
) -> Response:
    service.identities.roles.revoke(user.strip(), role_named(role), (), admin)
    return back_to(Part.PEOPLE, "role_revoked")
