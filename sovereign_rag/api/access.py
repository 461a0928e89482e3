"""Rights over HTTP: why somebody can or can't read a document."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL
from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.services.serialization.access import ExplanationOut

router = APIRouter(tags=["Access"])


@router.get("/v1/access/explain", response_model=ExplanationOut, responses=refusals(404))
def explain_access(
    admin: CurrentPrincipal,
    service: CurrentService,
    user: Annotated[str, Query(max_length=140, description="Whom it is about: `ana`.")],
    document: Annotated[str, Query(max_length=64, description="The document's id.")],
    group: Annotated[
        list[str] | None, Query(description="A group of theirs; may be repeated.")
    ] = None,
    clearance: Annotated[int, Query(ge=0, le=HIGHEST_LEVEL, description="Theirs.")] = 0,
) -> Response:
    """Tell why somebody can or can't read a document of the caller's tenant.

    Without `group` and `clearance` it is told for each of the person's valid keys. Of a document
    that the admin may not read its address, its file and its source are left out.
    """
    explainer = service.explainer
    people = explainer.people(user, admin.tenant, groups=group or (), clearance=clearance)
    return reply(ExplanationOut.of(explainer.explain(document, people, admin)))
