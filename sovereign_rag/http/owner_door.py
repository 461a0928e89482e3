"""Requests of the data folder's owner, who came in by its socket: told from all others."""

import socket
from typing import Final

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from sovereign_rag.access import Principal
from sovereign_rag.errors import BadInput
from sovereign_rag.services.owner_door import AS_HEADER, View

_BY_OWNER: Final = "sovereign_rag.by_owner"


def is_door(connected: socket.socket) -> bool:
    """Whether a connection came in by the socket, not by TCP."""
    return connected.family == socket.AF_UNIX


def of_owner(app: ASGIApp) -> ASGIApp:
    """The application, for requests of the owner by the door."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, _BY_OWNER: True}, receive, send)

    return marked


def came_by_door(scope: Scope) -> bool:
    """Whether the owner sent this request by the door."""
    return scope.get(_BY_OWNER) is True


def principal_of(view: str | None) -> Principal:
    """Who asks, by the door; `view` is the header that says so.

    Raises:
        BadInput: The header can't be understood.
    """
    try:
        return View.model_validate_json(view or "{}").principal
    except ValidationError as error:
        raise BadInput(f"The header {AS_HEADER} can't be understood: {error}.") from error
