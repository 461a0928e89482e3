"""Indexes: built anew beside the live one, compared, switched to, gone back from."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()

_Admin = Annotated[Principal, Depends(entering(Part.INDEX))]
_Words = Annotated[str, Form(max_length=2_000)]


@router.get("/admin/index")
def indexes_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    seen = service.console.indexes.look(admin)
    return console_page(request, "index.html", Part.INDEX, principal=admin, seen=seen)


@router.post("/admin/index/build")
def build(admin: _Admin, service: CurrentService) -> Response:
    service.console.indexes.build(admin)
    return back_to(Part.INDEX, "work_asked")


@router.post("/admin/index/compare")
def compare(admin: _Admin, service: CurrentService, questions: _Words = "") -> Response:
    service.console.indexes.compare(questions, admin)
    return back_to(Part.INDEX, "work_asked")


@router.post("/admin/index/switch")
def switch(admin: _Admin, service: CurrentService) -> Response:
    service.console.indexes.switch(admin)
    return back_to(Part.INDEX, "work_asked")


@router.post("/admin/index/back")
def back(admin: _Admin, service: CurrentService) -> Response:
    service.console.indexes.back(admin)
    return back_to(Part.INDEX, "work_asked")


@router.post("/admin/index/drop")
def drop(admin: _Admin, service: CurrentService) -> Response:
    service.console.indexes.drop(admin)
    return back_to(Part.INDEX, "work_asked")


@router.post("/admin/index/stop")
def stop(admin: _Admin, service: CurrentService, task: _Words = "") -> Response:
    service.console.indexes.stop(task, admin)
    return back_to(Part.INDEX, "work_stopped")
