"""The engine's HTTP behind its door. Apart from it, for who goes in needs no server's library."""

import asyncio
import os
from hmac import compare_digest
from typing import TYPE_CHECKING

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from sovereign_rag.store.embedded.door import ENTER_WITHIN_S, SECRET_BYTES
from sovereign_rag.system.peer import is_of

if TYPE_CHECKING:
    _Protocol = asyncio.Protocol
else:
    _Protocol = AutoHTTPProtocol


def guarded_http(secret: bytes) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP, of which nothing runs for a connection before it has shown the secret."""

    class GuardedHttp(_Protocol):
        _shown = b""
        _is_in = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            super().connection_made(transport)
            self._door = transport
            connected = transport.get_extra_info("socket")
            if not is_of(connected, os.geteuid()):
                transport.abort()
            self._late = asyncio.get_running_loop().call_later(ENTER_WITHIN_S, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._late.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if not self._is_in:
                self._shown += data
                if len(self._shown) < SECRET_BYTES:
                    return
                shown, data = self._shown[:SECRET_BYTES], self._shown[SECRET_BYTES:]
                self._is_in, self._shown = compare_digest(shown, secret), b""
                self._late.cancel()
                if not self._is_in:
                    self._door.abort()
                    return
            if data:
                super().data_received(data)

    return GuardedHttp
