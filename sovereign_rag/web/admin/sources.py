"""Sources: added, looked at beforehand, run, paused, with how their syncs went."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Path
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.http.permissions import looks_after_the_machine
from sovereign_rag.services.container import Service
from sovereign_rag.services.remote_sources import WantedSource
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
_KINDS: Final = ("new", "changed", "moved", "rights", "metadata", "deleted")
"""What a sync does, in the order in which it is told."""

_Admin = Annotated[Principal, Depends(entering(Part.SOURCES))]
_Name = Annotated[str, Path(max_length=1_000)]
_Words = Annotated[str, Form(max_length=2_000)]


@router.get("/admin/sources")
def sources_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    desk = service.console.sources
    return console_page(
        request,
        "sources.html",
        Part.SOURCES,
        principal=admin,
        sources=desk.all(admin),
        folders=desk.folders_of(admin.tenant),
        storages=desk.addresses_of(admin.tenant, "s3"),
        mail_servers=desk.addresses_of(admin.tenant, "imap"),
        highest_level=HIGHEST_LEVEL,
    )


@router.post("/admin/sources")
def add(
    admin: _Admin,
    service: CurrentService,
    name: _Words = "",
    folder: _Words = "",
    readers: _Words = "",
    level: Annotated[int, Form(ge=0, le=HIGHEST_LEVEL)] = 0,
    schedule: _Words = "",
) -> Response:
    service.console.sources.add(
        name.strip(),
        folder.strip(),
        admin,
        readers=readers,
        level=level,
        schedule=schedule.strip(),
    )
    return back_to(Part.SOURCES, "source_added")


@router.post("/admin/sources/remote")
def add_remote(
    admin: _Admin,
    service: CurrentService,
    kind: Annotated[Literal["s3", "imap"], Form()] = "s3",
    name: _Words = "",
    address: _Words = "",
    user: _Words = "",
    secret: _Words = "",
    place: _Words = "",
    readers: _Words = "",
    level: Annotated[int, Form(ge=0, le=HIGHEST_LEVEL)] = 0,
    schedule: _Words = "",
) -> Response:
    wanted = WantedSource(
        name.strip(), kind, address, user, secret, place, readers, level, schedule.strip()
    )
    service.console.sources.add_remote(wanted, admin)
    return back_to(Part.SOURCES, "source_added")


@router.get("/admin/sources/{name:path}/preview")
def preview_page(request: Request, name: _Name, admin: _Admin, service: CurrentService) -> Response:
    try:
        preview = service.console.sources.preview(name, admin)
    except EnvironmentFault as error:
        return _of_source(request, name, admin, service, unreachable=str(error))
    return console_page(
        request,
        "preview.html",
        Part.SOURCES,
        principal=admin,
        name=name,
        preview=preview,
        kinds=_KINDS,
    )


@router.post("/admin/sources/{name:path}/run")
def run(name: _Name, admin: _Admin, service: CurrentService) -> Response:
    service.console.sources.run(name, admin)
    return back_to(Part.SOURCES, "source_wanted")


@router.post("/admin/sources/{name:path}/pause")
def pause(name: _Name, admin: _Admin, service: CurrentService) -> Response:
    service.console.sources.pause(name, admin, is_paused=True)
    return back_to(Part.SOURCES, "source_paused")


@router.post("/admin/sources/{name:path}/resume")
def resume(name: _Name, admin: _Admin, service: CurrentService) -> Response:
    service.console.sources.pause(name, admin, is_paused=False)
    return back_to(Part.SOURCES, "source_resumed")


@router.post("/admin/sources/{name:path}/remove")
def remove(name: _Name, admin: _Admin, service: CurrentService) -> Response:
    service.console.sources.remove(name, admin)
    return back_to(Part.SOURCES, "source_removed")


@router.get("/admin/sources/{name:path}")
def source_page(request: Request, name: _Name, admin: _Admin, service: CurrentService) -> Response:
    return _of_source(request, name, admin, service)


def _of_source(
    request: Request, name: str, admin: Principal, service: Service, *, unreachable: str = ""
) -> Response:
    source, runs = service.console.sources.one(name, admin)
    return console_page(
        request,
        "source.html",
        Part.SOURCES,
        principal=admin,
        source=source,
        runs=runs,
        unreachable=unreachable,
        kinds=_KINDS,
        shows_details=looks_after_the_machine(admin),
    )
