"""Collections made once, whoever comes first: under a lease in the catalog, and beside requests."""

import hashlib
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Final

from sovereign_rag.catalog.locks import Locks
from sovereign_rag.errors import Busy, StoreError
from sovereign_rag.system.holder import holder_name

if TYPE_CHECKING:
    from sovereign_rag.store.protocol import ChunkStore

_LEASE_S: Final = 120.0  # longer than a cluster takes to agree on a collection
_LOOK_EVERY_S: Final = 0.5


class CollectionMaker:
    """Sees to it that collections are there before they are used. For any number of threads."""

    def __init__(self, locks: Locks, *, patience_s: float | None) -> None:
        """
        Args:
            patience_s: How long somebody waits for a collection that is being made, from when that
                began; None: until it is made.
        """
        self._locks, self._patience_s = locks, patience_s
        self._holder = holder_name()
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._made: set[str] = set()
        self._making: dict[str, tuple[float, Future[None]]] = {}  # since when
        self._threads = ThreadPoolExecutor(thread_name_prefix="collection")

    def ensure(self, store: "ChunkStore", *, patient: bool = False) -> None:
        """Return when the collection is there, as this version wants it.

        Args:
            patient: Wait until it is made, however long that takes.

        Raises:
            StoreError: The store is away, or the collection is still being made.
        """
        name = store.collection
        if name in self._made:
            return
        with self._lock:
            if name not in self._making:
                begun = time.monotonic()
                self._making[name] = begun, self._threads.submit(self._make, store)
            since, making = self._making[name]
        wait_s = None
        if self._patience_s is not None and not patient:
            wait_s = max(0.0, since + self._patience_s - time.monotonic())
        try:
            making.result(wait_s)
        except FutureTimeout as error:
            raise StoreError(
                f"The collection {name!r} is being made; try again in a moment."
            ) from error
        finally:
            if making.done():
                with self._lock:
                    if self._making.get(name, (0.0, None))[1] is making:
                        del self._making[name]
        self._made.add(name)

    def close(self) -> None:
        """What is being made is made; nobody waits for another process any more."""
        self._leaving.set()
        self._threads.shutdown()

    def _make(self, store: "ChunkStore") -> None:
        # A lock's name has few characters, a collection's many.
        lock = f"collection-{hashlib.blake2b(store.collection.encode(), digest_size=8).hexdigest()}"
        while not store.is_made():
            try:
                self._locks.acquire(
                    lock, self._holder, lease_s=_LEASE_S, doing="making the collection"
                )
            except Busy:
                if self._leaving.wait(_LOOK_EVERY_S):
                    raise
                continue
            try:
                if not store.is_made():  # whoever held the lease before has made it
                    store.make()
            finally:
                self._locks.release(lock, self._holder)
