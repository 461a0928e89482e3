"""Every refusal in one shape: `{"error": CODE, "detail": what happened and the way out}`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from sovereign_rag.errors import (
    BadInput,
    EnvironmentFault,
    NotFound,
    SovereignError,
    TooLarge,
    TooSlow,
    Unauthenticated,
)
from sovereign_rag.system.logs import request_id_var

UNEXPECTED = {
    "error": "Unexpected",
    "detail": "The service failed in a way that nobody foresaw. Its log says more.",
}
_BY_STATUS = {
    404: (NotFound.__name__, "There is nothing at this address; /docs lists what there is."),
    405: ("MethodNotAllowed", "This address does not take this method; see /docs."),
    408: (TooSlow.__name__, "The request did not arrive in time; send it again."),
    413: (TooLarge.__name__, "The request is larger than this address takes."),
}


def error_body(error: SovereignError) -> dict[str, str]:
    """What is told of a refusal, with the id by which the log knows the request."""
    return _with_id({"error": error.code, "detail": str(error)})


def unexpected_body() -> dict[str, str]:
    return _with_id(UNEXPECTED)


def _with_id(body: Mapping[str, str]) -> dict[str, str]:
    request_id = request_id_var.get()
    return {**body, **({"request_id": request_id} if request_id else {})}


def error_headers(error: SovereignError) -> dict[str, str]:
    """Headers that clients act on: when to try again, how to identify oneself."""
    if isinstance(error, EnvironmentFault) and error.retry_after_s is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def error_response(error: SovereignError) -> JSONResponse:
    return JSONResponse(error_body(error), status_code=error.status, headers=error_headers(error))


def http_body(status: int) -> dict[str, str]:
    """The body for a status that the framework itself answers with."""
    code, detail = _BY_STATUS.get(
        status, (BadInput.__name__, "The request could not be read; see /docs.")
    )
    return _with_id({"error": code, "detail": detail})


def http_response(status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(http_body(status), status_code=status, headers=headers)


def validation_error(errors: Sequence[Mapping[str, Any]]) -> BadInput:
    """What a request's schema refused; the values themselves are not repeated."""
    lines = []
    for error in errors:
        # The first part says "body" or "query", which the caller knows.
        field = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
        lines.append(f"{field}: {error['msg']}")
    return BadInput("; ".join(lines))
