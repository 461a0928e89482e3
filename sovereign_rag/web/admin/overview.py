"""The first page: what works, what waits, what ends soon, and what helps."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.http.permissions import looks_after_the_machine
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
_KNOWN: Final = frozenset({"catalog", "embedding", "store", "generation", "index", "disk"})
"""Components that there are words for; another is told by its own name."""


@router.get("/admin")
def overview_page(
    request: Request,
    admin: Annotated[Principal, Depends(entering(Part.OVERVIEW))],
    service: CurrentService,
) -> Response:
    return console_page(
        request,
        "overview.html",
        Part.OVERVIEW,
        principal=admin,
        components=_KNOWN,
        overview=service.console.overview.look(admin),
        # What an error says may name addresses and folders of the machine.
        shows_details=looks_after_the_machine(admin),
    )
