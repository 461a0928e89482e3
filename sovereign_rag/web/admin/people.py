"""People, groups, what somebody can read, and why."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal
from sovereign_rag.errors import NotFound
from sovereign_rag.http.document_query import After, AskedDocuments
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.roles import Role
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PAGE_OF_DOCUMENTS: Final = 50

_Admin = Annotated[Principal, Depends(entering(Part.PEOPLE))]
_Name = Annotated[str, Query(max_length=140)]
_Words = Annotated[str, Query(max_length=2_000)]
_Level = Annotated[int, Query(ge=0, le=HIGHEST_LEVEL)]


@router.get("/admin/people")
def people_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    people, groups = service.console.people.all(admin)
    return console_page(
        request,
        "people.html",
        Part.PEOPLE,
        principal=admin,
        people=people,
        groups=groups,
        grants=service.identities.roles.list(admin),
        roles=tuple(Role),
    )


@router.get("/admin/people/readable")
def readable_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    query: AskedDocuments,
    user: _Name = "",
    group: _Name = "",
    after: After = None,
) -> Response:
    """What a person, or anybody of a group, can read of what the admin can read, too."""
    desk, user, group = service.console.people, user.strip(), group.strip()
    if bool(user) == bool(group):
        raise NotFound("Say whose documents: a person's or a group's.")
    if group:
        page = desk.readable_by_group(
            group.removeprefix("group:"), admin, query, limit=PAGE_OF_DOCUMENTS, after=after
        )
        ways = None
    else:
        ways = service.explainer.people(user, admin.tenant)
        page = desk.readable(ways, admin, query, limit=PAGE_OF_DOCUMENTS, after=after)
    return console_page(
        request,
        "readable.html",
        Part.PEOPLE,
        principal=admin,
        user=user.removeprefix("user:"),
        group=group.removeprefix("group:"),
        ways=ways,
        found=page,
        query=query,
        is_first=after is None,
    )


@router.get("/admin/people/why")
def why_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    user: _Name = "",
    document: _Name = "",
    groups: _Words = "",
    clearance: _Level = 0,
) -> Response:
    """Why somebody can or can't read a document."""
    explanation, is_unknown = None, False
    if user.strip() and document.strip():
        named = [name.strip().removeprefix("group:") for name in groups.split(",") if name.strip()]
        people = service.explainer.people(
            user.strip(), admin.tenant, groups=named, clearance=clearance
        )
        try:
            named_document = service.explainer.document_named(document.strip(), admin)
            explanation = service.explainer.explain(named_document, people, admin)
        except NotFound:
            is_unknown = True
    return console_page(
        request,
        "why.html",
        Part.PEOPLE,
        principal=admin,
        user=user.strip().removeprefix("user:"),
        document_id=document.strip(),
        groups=groups,
        clearance=clearance,
        highest_level=HIGHEST_LEVEL,
        told=explanation,
        is_unknown=is_unknown,
        status=404 if is_unknown else 200,
    )
