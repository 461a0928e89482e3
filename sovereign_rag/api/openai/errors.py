"""Refusals as that protocol has them: `{"error": {"message", "type", "param", "code"}}`."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from sovereign_rag.api.openai.schemas import ErrorOut
from sovereign_rag.api.schemas import REFUSALS
from sovereign_rag.errors import (
    Busy,
    SovereignError,
    Unauthenticated,
    UnknownModel,
)
from sovereign_rag.http.errors import UNEXPECTED, error_headers, http_body

_PATHS: Final = ("/v1/models", "/v1/chat/", "/v1/embeddings", "/v1/vector_stores/")
_CODES: Final = {
    Unauthenticated: "invalid_api_key",
    UnknownModel: "model_not_found",
    Busy: "rate_limit_exceeded",
}
_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def speaks(request: Request) -> bool:
    """Whether a request came to this door."""
    return request.url.path.startswith(_PATHS)


def error_body(error: SovereignError) -> dict[str, Any]:
    """Our stable code stands in `code` where the protocol has none of its own."""
    code = _CODES.get(type(error), error.code)
    return _body(error.status, str(error), code, getattr(error, "param", None))


def error_response(error: SovereignError) -> JSONResponse:
    return JSONResponse(error_body(error), status_code=error.status, headers=error_headers(error))


def http_response(status: int, headers: Any = None) -> JSONResponse:
    """For a status that the framework itself answers with."""
    told = http_body(status)
    body = _body(status, told["detail"], told["error"])
    return JSONResponse(body, status_code=status, headers=headers)


def unexpected_body() -> dict[str, Any]:
    return _body(500, UNEXPECTED["detail"], UNEXPECTED["error"])


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents: those that any may give, and those named."""
    return {
        status: {**REFUSALS[status], "model": ErrorOut}
        for status in sorted({400, 401, 403, 408, 413, 500, 503, *statuses})
    }


def _body(status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
