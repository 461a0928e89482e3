"""The settings: what each is, what it does, where it was said; some are changed here."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.errors import SettingsError
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.services.container import Service
from sovereign_rag.services.settings_desk import SettingView
from sovereign_rag.settings.running import RUNNING
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()

_Admin = Annotated[Principal, Depends(entering(Part.SETTINGS))]


@router.get("/admin/settings")
def settings_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    show: Annotated[Literal["all", "changed"], Query()] = "all",
) -> Response:
    return _page(request, admin, service, show)


@router.post("/admin/settings")
def change(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    name: Annotated[str, Form(max_length=100)] = "",
    value: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    try:
        service.console.settings.change(name, value, admin)
    except SettingsError as error:
        return _page(request, admin, service, "all", refused=(name, value, str(error)))
    return back_to(Part.SETTINGS, "setting_changed")


@router.post("/admin/settings/undo")
def undo(
    admin: _Admin, service: CurrentService, name: Annotated[str, Form(max_length=100)] = ""
) -> Response:
    service.console.settings.undo(name, admin)
    return back_to(Part.SETTINGS, "setting_undone")


def _page(
    request: Request,
    admin: Principal,
    service: Service,
    show: str,
    *,
    refused: tuple[str, str, str] | None = None,
) -> Response:
    """The page; `refused` is a setting, what was typed for it, and why it can't be that."""
    views = service.console.settings.all(admin, changed=show == "changed")
    sections = dict[str, list[SettingView]]()  # each once, though a section of its own may part it
    for view in views:
        sections.setdefault(view.section, []).append(view)
    response = console_page(
        request,
        "settings.html",
        Part.SETTINGS,
        principal=admin,
        sections=sections.items(),
        changeable=sorted(
            (view for view in views if view.can_change), key=lambda view: RUNNING.index(view.name)
        ),
        show=show,
        refused=refused,
    )
    if refused is not None:
        response.status_code = SettingsError.status
    return response
