"""Documents in: a form that takes files by drag and drop, and says who will read them."""

from typing import Annotated, Final

import anyio
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.http.intake import MAX_FILES, take_in
from sovereign_rag.http.limits import UploadPlaces
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PATH: Final = "/admin/upload"

_Admin = Annotated[Principal, Depends(entering(Part.UPLOAD))]


@router.get("/admin/upload")
def upload_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    return console_page(
        request,
        "upload.html",
        Part.UPLOAD,
        principal=admin,
        max_mib=service.settings.server.max_upload_mib,
        max_files=MAX_FILES,
        highest_level=HIGHEST_LEVEL,
    )


@router.post("/admin/upload")
async def upload(request: Request, admin: _Admin, service: CurrentService) -> Response:
    uploads: UploadPlaces = request.app.state.uploads
    with uploads.place(admin):
        job = await anyio.to_thread.run_sync(
            take_in, request, admin, service, limiter=uploads.threads
        )
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)
