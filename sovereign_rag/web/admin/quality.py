"""Quality: questions by day, those without an answer, votes, the documents most shown."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PERIODS: Final = (7, 30, 90)


@router.get("/admin/quality")
def quality_page(
    request: Request,
    admin: Annotated[Principal, Depends(entering(Part.QUALITY))],
    service: CurrentService,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> Response:
    quality = service.console.quality.look(admin, days=days)
    return console_page(
        request,
        "quality.html",
        Part.QUALITY,
        principal=admin,
        quality=quality,
        votes=service.conversations.votes(admin, days=days),
        periods=PERIODS,
        days=days,
    )
