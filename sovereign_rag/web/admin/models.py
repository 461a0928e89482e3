"""Models and indexes: what is in use, and whether it is what it should be."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()


@router.get("/admin/models")
def models_page(
    request: Request,
    admin: Annotated[Principal, Depends(entering(Part.MODELS))],
    service: CurrentService,
) -> Response:
    seen = service.console.models.look(admin)
    return console_page(request, "models.html", Part.MODELS, principal=admin, seen=seen)
