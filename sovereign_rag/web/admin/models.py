"""Models: their files and exams; examined anew, imported and switched to."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()

_Admin = Annotated[Principal, Depends(entering(Part.MODELS))]
_Words = Annotated[str, Form(max_length=2_000)]


@router.get("/admin/models")
def models_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    seen = service.console.models.look(admin)
    return console_page(request, "models.html", Part.MODELS, principal=admin, seen=seen)


@router.post("/admin/models/exam")
def examine(admin: _Admin, service: CurrentService, model: _Words = "") -> Response:
    service.console.models.examine(model, admin)
    return back_to(Part.MODELS, "work_asked")


@router.post("/admin/models/import")
def bring(admin: _Admin, service: CurrentService, file: _Words = "", name: _Words = "") -> Response:
    service.console.models.bring(file, name, admin)
    return back_to(Part.MODELS, "work_asked")


@router.post("/admin/models/switch")
def switch(admin: _Admin, service: CurrentService, model: _Words = "") -> Response:
    service.console.models.switch(model, admin)
    return back_to(Part.MODELS, "model_switched")


@router.post("/admin/models/undo")
def undo(admin: _Admin, service: CurrentService) -> Response:
    service.console.models.undo(admin)
    return back_to(Part.MODELS, "model_switched")


@router.post("/admin/models/stop")
def stop(admin: _Admin, service: CurrentService, task: _Words = "") -> Response:
    service.console.models.stop(task, admin)
    return back_to(Part.MODELS, "work_stopped")
