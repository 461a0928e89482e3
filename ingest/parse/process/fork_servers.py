"""The pools of a program share one fork server, which ends with the last of them."""

import sys
import threading

from ingest.parse.process.fork_server_client import (
    ForkServerClient,
    child_environment,
    readable_paths,
)

_Surroundings = tuple[object, ...]


class ForkServers:
    """Starts a fork server when the first document is read, and another when that has died.

    A start costs two seconds of CPU and some 100 MiB; what it forks knows of its own document
    alone, so any number of pools may ask one. Where what a fork server inherits has changed since,
    as PATH, another is started beside it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._started: dict[_Surroundings, ForkServerClient] = {}

    def join(self) -> None:
        """Keep what is running, and what will be, until `leave`."""
        with self._lock:
            self._holders += 1

    def leave(self) -> None:
        """Let go of it; the last one ends the processes."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                for client in self._started.values():
                    client.close()
                self._started.clear()

    def running(self) -> ForkServerClient:
        """One that is alive.

        Raises:
            ParserUnavailable: It did not come up.
        """
        surroundings = (*sys.path, *readable_paths(), *child_environment().items())
        with self._lock:
            client = self._started.get(surroundings)
            if client is None or not client.alive:
                client = self._started[surroundings] = ForkServerClient()
            return client


OF_THIS_PROGRAM = ForkServers()
