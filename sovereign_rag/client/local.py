"""The service that runs over a data folder on this machine, asked by the folder's owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from sovereign_rag.access import Principal
from sovereign_rag.client.client import Client
from sovereign_rag.services.owner_door import AS_HEADER, View, door_path

_KNOCK_S: Final = 2.0


@contextmanager
def local_client(data_dir: Path, principal: Principal, timeout_s: float) -> Iterator[Client | None]:
    """A client by the owner's door; None: no service runs there, or it is another account's."""
    path = door_path(data_dir)
    if not path.is_socket() or not _opens(path):
        yield None
        return
    transport = httpx.HTTPTransport(uds=str(path))
    view = View.of(principal).model_dump_json()
    with Client(
        "http://localhost", timeout_s=timeout_s, transport=transport, headers={AS_HEADER: view}
    ) as client:
        yield client


def _opens(path: Path) -> bool:
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=_KNOCK_S) as knock:
            return knock.get("http://localhost/healthz").is_success
    except httpx.HTTPError:
        return False
