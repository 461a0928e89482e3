"""Roles granted to people without a key, over HTTP, for admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import StrictBody
from sovereign_rag.roles import Role
from sovereign_rag.services.serialization.roles import GrantOut, GrantsOut

router = APIRouter(tags=["Roles"])

_Name = Annotated[str, Field(max_length=140)]
_Reaches = Annotated[list[_Name], Field(max_length=500)]


class GrantBody(StrictBody):
    """A role for somebody."""

    user: _Name = Field(description="Who gets it: `ana`.")
    role: Role = Field(description="What they are for; they read no more for it.")
    curates: _Reaches = Field(
        [], description="What a curator looks after: `group:NAME`, `source:NAME`."
    )


@router.get("/v1/roles", response_model=GrantsOut, responses=refusals())
def list_roles(principal: CurrentPrincipal, service: CurrentService) -> Response:
    """List the roles that people of the caller's tenant were granted here."""
    return reply(
        GrantsOut(roles=[GrantOut.of(one) for one in service.identities.roles.list(principal)])
    )


@router.post("/v1/roles", response_model=GrantsOut, responses=refusals())
def grant_role(body: GrantBody, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Grant a role to somebody who comes by the directory; gives all that they were granted."""
    granted = service.identities.roles.grant(body.user, body.role, body.curates, principal)
    return reply(GrantsOut(roles=[GrantOut.of(one) for one in granted]))


@router.delete("/v1/roles/{user}/{role}", response_model=GrantsOut, responses=refusals(404))
def revoke_role(
    user: Annotated[str, Path(max_length=140)],
    role: Role,
    principal: CurrentPrincipal,
    service: CurrentService,
    curates: Annotated[
        list[str], Query(max_length=500, description="Of a curator: these alone.")
    ] = [],  # noqa: B006  - FastAPI copies it
) -> Response:
    """Take a granted role back, effective at the next request; gives what is left to them."""
    left = service.identities.roles.revoke(user, role, curates, principal)
    return reply(GrantsOut(roles=[GrantOut.of(one) for one in left]))
