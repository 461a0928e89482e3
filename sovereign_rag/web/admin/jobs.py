"""All jobs: filtered, in pages; tried again or stopped from the list."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.catalog.job_lists import Which
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.http.params import JobId
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PAGE_OF_JOBS: Final = 50

_Admin = Annotated[Principal, Depends(entering(Part.JOBS))]


@router.get("/admin/jobs")
def jobs_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    which: Annotated[Which, Query()] = Which.ALL,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    jobs, following = service.jobs.page(admin, which=which, limit=PAGE_OF_JOBS, after=after)
    return console_page(
        request,
        "jobs.html",
        Part.JOBS,
        principal=admin,
        jobs=jobs,
        following=following,
        is_first=after is None,
        which=which,
        kinds=tuple(Which),
    )


@router.post("/admin/jobs/{job_id}/cancel")
def cancel(
    job_id: JobId,
    admin: _Admin,
    service: CurrentService,
    which: Annotated[Which, Form()] = Which.ALL,
) -> Response:
    service.jobs.cancel(job_id, admin)
    return back_to(Part.JOBS, "cancelled", which=which)


@router.post("/admin/jobs/{job_id}/retry")
def retry(
    job_id: JobId,
    admin: _Admin,
    service: CurrentService,
    which: Annotated[Which, Form()] = Which.ALL,
) -> Response:
    service.jobs.retry(job_id, admin)
    return back_to(Part.JOBS, "retried", which=which)
