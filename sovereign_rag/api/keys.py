"""Keys over HTTP, for admins; and who a caller is, for everybody."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL
from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.errors import BadInput
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import StrictBody
from sovereign_rag.roles import Role, Scope
from sovereign_rag.services.keys import NewKey
from sovereign_rag.services.serialization.keys import KeyOut, KeysOut, MeOut, NewKeyOut

router = APIRouter(tags=["Keys"])

KeyId = Annotated[str, Path(max_length=16, description="The key's public id.")]
Name = Annotated[str, Field(max_length=140)]

_LONGEST_OVERLAP_S = 30 * 86_400


class KeyBody(StrictBody):
    """A key that is wanted."""

    user: Name = Field(description="Whom it stands for: `ana`.")
    name: str = Field("", max_length=200, description="What it is for.")
    groups: list[Name] = Field([], max_length=500)
    clearance: int = Field(0, ge=0, le=HIGHEST_LEVEL, description="Highest level to be read.")
    role: Role = Field(Role.READER, description="What it is for; it reads no more for it.")
    scopes: list[Scope] | None = Field(
        None, max_length=10, description="Those of the role that it opens; unset: all of them."
    )
    curates: list[Name] = Field(
        [], max_length=500, description="What a curator's looks after: `group:NAME`, `source:NAME`."
    )
    expires: datetime | None = Field(None, description="When it ends, with its offset from UTC.")
    front_end: Name | None = Field(None, description="Whose people it speaks for.")

    @property
    def wanted(self) -> NewKey:
        if self.expires is not None and self.expires.tzinfo is None:
            raise BadInput("expires: say the offset from UTC too, e.g. 2027-01-31T00:00:00Z.")
        return NewKey(
            user=self.user,
            name=self.name,
            groups=frozenset(self.groups),
            clearance=self.clearance,
            role=self.role,
            scopes=None if self.scopes is None else frozenset(self.scopes),
            curates=frozenset(self.curates),
            expires=self.expires and self.expires.astimezone(UTC),
            front_end=self.front_end,
        )


class RotationBody(StrictBody):
    overlap_s: int = Field(
        0, ge=0, le=_LONGEST_OVERLAP_S, description="How long the old one still opens, in seconds."
    )


@router.get("/v1/me", response_model=MeOut, responses=refusals())
def me(principal: CurrentPrincipal) -> Response:
    """Tell who the caller is: groups, clearance, roles and what they open."""
    return reply(MeOut.of(principal))


@router.get("/v1/keys", response_model=KeysOut, responses=refusals())
def list_keys(principal: CurrentPrincipal, service: CurrentService) -> Response:
    """List the keys of the caller's tenant, oldest first, without their secrets."""
    return reply(KeysOut(keys=[KeyOut.of(record) for record in service.keys.list(principal)]))


@router.post("/v1/keys", status_code=201, response_model=NewKeyOut, responses=refusals())
def create_key(body: KeyBody, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """Make a key in the caller's tenant. Its secret is in this answer and nowhere else."""
    record, secret = service.keys.create(body.wanted, principal)
    return reply(NewKeyOut(key=KeyOut.of(record), secret=secret), status=201)


@router.post(
    "/v1/keys/{key_id}/rotate", status_code=201, response_model=NewKeyOut, responses=refusals(404)
)
def rotate_key(
    key_id: KeyId,
    principal: CurrentPrincipal,
    service: CurrentService,
    body: RotationBody | None = None,
) -> Response:
    """Make a key in the place of another, which ends at once or after `overlap_s`."""
    overlap = timedelta(seconds=body.overlap_s if body else 0)
    record, secret = service.keys.rotate(key_id, principal, overlap=overlap)
    return reply(NewKeyOut(key=KeyOut.of(record), secret=secret), status=201)


@router.delete("/v1/keys/{key_id}", response_model=KeyOut, responses=refusals(404))
def revoke_key(key_id: KeyId, principal: CurrentPrincipal, service: CurrentService) -> Response:
    """End a key: it opens nothing any more, nor do the sessions that were begun with it."""
    return reply(KeyOut.of(service.keys.revoke(key_id, principal)))
