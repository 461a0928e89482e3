"""Settings over HTTP, for the admins of the machine: seen, changed while it runs, undone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import StrictBody
from sovereign_rag.http.permissions import require_machine
from sovereign_rag.services.container import Service
from sovereign_rag.services.serialization.settings import SettingOut, SettingsOut

router = APIRouter(tags=["Settings"])


def of_the_machine(principal: CurrentPrincipal) -> Principal:
    """Whoever calls, where they look after the machine."""
    require_machine(principal)
    return principal


_Admin = Annotated[Principal, Depends(of_the_machine)]
_Name = Annotated[str, Path(max_length=100, description="Dotted: `history.keep_days`.")]


class SettingBody(StrictBody):
    """Another value of a setting."""

    name: str = Field(max_length=100, description="Dotted: `history.keep_days`.")
    value: str | int | float | list[str] | None = Field(
        description="As one types it, or as JSON has it; null for none."
    )

    @property
    def typed(self) -> str:
        """As somebody types it."""
        if isinstance(self.value, list):
            return ", ".join(self.value)
        return "" if self.value is None else str(self.value)


@router.get("/v1/settings", response_model=SettingsOut, responses=refusals())
def list_settings(
    principal: _Admin,
    service: CurrentService,
    changed: Annotated[bool, Query(description="Only those that are not at their defaults.")] = (
        False
    ),
) -> Response:
    """List every setting, where it was said, and which may change while the service runs."""
    views = service.console.settings.all(principal, changed=changed)
    return reply(SettingsOut(settings=[SettingOut.of(view) for view in views]))


@router.patch("/v1/settings", response_model=SettingOut, responses=refusals(404))
def change_setting(body: SettingBody, principal: _Admin, service: CurrentService) -> Response:
    """Give a setting another value; every process follows within seconds."""
    service.console.settings.change(body.name, body.typed, principal)
    return reply(_one(service, body.name, principal))


@router.post("/v1/settings/{name}/undo", response_model=SettingOut, responses=refusals(404))
def undo_setting(name: _Name, principal: _Admin, service: CurrentService) -> Response:
    """Give a setting the value that it had before; done twice, it is as it was."""
    service.console.settings.undo(name, principal)
    return reply(_one(service, name, principal))


def _one(service: Service, name: str, principal: Principal) -> SettingOut:
    views = service.console.settings.all(principal)
    return SettingOut.of(next(view for view in views if view.name == name))
