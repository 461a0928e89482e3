"""HTTP/1.1 as uvicorn speaks it, with a limit on how long a request's headers may take.

uvicorn waits for ever on a line that sends half a header; each such line holds a connection. What
comes in by the owner's socket is marked as the owner's here, where the kernel tells whose it is.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from sovereign_rag.http import owner_door
from sovereign_rag.services.owner_door import is_owner


def timed_protocol(header_timeout_s: float) -> type[H11Protocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""

    class TimedProtocol(H11Protocol):
        _waits: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            line = transport.get_extra_info("socket")
            if owner_door.is_door(line):
                if not is_owner(line):
                    transport.close()
                    return
                self.app = owner_door.of_owner(self.app)
            self._wait_for_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()
            elif self._waits is None:  # the begin of a further request on this line
                self._wait_for_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_headers(self) -> None:
            self._waits = self.loop.call_later(header_timeout_s, self._give_up)

        def _stop_waiting(self) -> None:
            if self._waits is not None:
                self._waits.cancel()
                self._waits = None

        def _give_up(self) -> None:
            self._waits = None
            if not self.transport.is_closing():
                self.transport.close()

    return TimedProtocol
