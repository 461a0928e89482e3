"""What a service answers, told apart: a body, a refusal, or nothing at all."""

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from sovereign_rag import errors
from sovereign_rag.errors import BadInput, Busy, DocumentError, EnvironmentFault, SovereignError

_BUSY_S: Final = 5.0  # where the service doesn't say
_TRIED_AGAIN: Final = frozenset({429, 503})


class ServiceError(SovereignError):
    """A refusal of a kind that this version of the client doesn't know."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self._code = code
        super().__init__(detail)

    @property
    def code(self) -> str:
        return self._code


def raise_refusal(response: httpx.Response) -> None:
    """Raise the error that a response stands for; nothing for one that went well."""
    if response.is_success:
        return
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "detail" not in body:
        # A proxy before the service speaks with pages of its own.
        detail = f"The address answered {response.status_code} without a word of the service."
        body = {"error": "ServiceError", "detail": detail}
    raise error_of(response.status_code, body, response.headers)


def error_of(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> SovereignError:
    """The error of `sovereign_rag.errors` that a service's body names."""
    code, detail = str(body.get("error", "")), str(body.get("detail", ""))
    kind = getattr(errors, code, None)
    if kind is Busy:
        return Busy(detail, retry_after_s=_seconds(headers.get("retry-after")) or _BUSY_S)
    if not (isinstance(kind, type) and issubclass(kind, SovereignError)):
        return ServiceError(status, code, detail)
    if kind.__init__ is not Exception.__init__ and not issubclass(kind, DocumentError):
        return ServiceError(status, code, detail)
    return kind("refused", detail) if kind is DocumentError else kind(detail)


def unreachable(url: str, error: httpx.HTTPError) -> EnvironmentFault:
    """The error of a call that got no response."""
    if isinstance(error, httpx.TimeoutException):
        return EnvironmentFault(f"{url} did not answer in time. Try again, or raise timeout_s.")
    return EnvironmentFault(f"{url} can't be reached ({error}). Is the service running there?")


def wait_before_retry(response: httpx.Response, tried: int) -> float | None:
    """Seconds to wait before the same request is worth another try; None: it is not.

    Args:
        tried: How often it was sent before.
    """
    if response.status_code not in _TRIED_AGAIN:
        return None
    return _seconds(response.headers.get("retry-after")) or 0.5 * 2**tried


def connection(
    url: str, key: str | None, timeout_s: float, headers: Mapping[str, str]
) -> dict[str, Any]:
    """What both of httpx's clients take. Raises BadInput for what is no address of a service."""
    parsed = httpx.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise BadInput(
            f"{url!r} is no address of a service; write https://HOST or http://HOST:PORT."
        )
    return {
        "base_url": url,
        "headers": {**headers, **({} if key is None else {"Authorization": f"Bearer {key}"})},
        "timeout": timeout_s,
        "trust_env": False,  # no proxy that the environment names: to this address and no other
        "follow_redirects": False,
    }


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
