"""What may stand in an address: a parameter that no route has is a mistake, and is told as one."""

from typing import Annotated, Final

from fastapi import Query
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryInfo
from fastapi.routing import APIRoute
from starlette.requests import Request

from sovereign_rag.errors import BadInput

LARGEST_ID: Final = 2**63 - 1
"""Of a row in the catalog; a larger number is no place to go on from."""

AfterId = Annotated[
    int | None, Query(ge=0, le=LARGEST_ID, description="The `next` of the page before.")
]


async def known_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the route doesn't take."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    parameters = get_flat_params(route.dependant)
    known = {p.alias for p in parameters if isinstance(p.field_info, QueryInfo)}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        takes = ", ".join(sorted(known)) or "none"
        raise BadInput(
            f"There is no parameter {', '.join(unknown)} here; this address takes {takes}."
        )
