"""The keys that a data folder seals with, and those that other machines of its catalog sealed with.

Machines that share a bucket have each other's keys there, so that what one sealed in the catalog
opens on all: a machine that has none yet takes one of theirs. Each keeps copies of all beside its
own, and so does its backup.
"""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sovereign_rag.errors import EnvironmentFault

log = logging.getLogger(__name__)

KEY_NAME: Final = "sealing.key"
OTHERS: Final = "sealing-*.key"
_LOOK_AGAIN_S: Final = 5.0
_TELL_AGAIN_S: Final = 30.0  # where the bucket was away: each try may take its time


class SharedKeys(Protocol):
    """Where machines have each other's keys. Every method raises EnvironmentFault."""

    def names(self) -> list[str]: ...

    def load(self, name: str) -> bytes | None: ...

    def save(self, name: str, key: bytes) -> None: ...

    def remove(self, name: str) -> None: ...


class SealingKeys:
    """Of one data folder."""

    def __init__(self, data_dir: Path, shared: SharedKeys | None = None) -> None:
        """Nothing is read or made yet."""
        self.path, self._shared = data_dir / KEY_NAME, shared
        self._own: AESGCM | None = None
        self._others: dict[str, AESGCM] = {}  # by file name
        self._is_told = shared is None  # the others have ours
        self._told_at = -_TELL_AGAIN_S
        self._looked_at = -_LOOK_AGAIN_S

    def own(self) -> AESGCM:
        """The key to seal with; made, or taken from another machine, when there is none.

        Raises:
            EnvironmentFault: It can't be read or made, or it can't be seen whether others have one.
        """
        if self._own is None or not self._is_told:
            try:
                if not self.path.exists():
                    self._write(
                        self.path, self._of_another() or AESGCM.generate_key(bit_length=256)
                    )
                key = self.path.read_bytes()
            except OSError as error:
                raise EnvironmentFault(
                    f"The key {self.path} can't be read or made: {error.strerror}. Give this user "
                    "the right to write in the data folder."
                ) from error
            self._own = AESGCM(key)
            self._tell(key)
        return self._own

    def each(self) -> Iterator[AESGCM]:
        """Every key that may open something, the likeliest first."""
        yield self.own()
        yield from self.others()
        yield from self.fetched()

    def others(self) -> list[AESGCM]:
        """Those of other machines that are here."""
        for path in sorted(self.path.parent.glob(OTHERS)):
            if path.name not in self._others:
                self._others[path.name] = AESGCM(path.read_bytes())
        return list(self._others.values())

    def fetched(self) -> list[AESGCM]:
        """Those of other machines that were not here before. Raises EnvironmentFault."""
        if self._shared is None or time.monotonic() - self._looked_at < _LOOK_AGAIN_S:
            return []
        self._looked_at = time.monotonic()
        before = set(self._others)
        own = _name_of(self.path.read_bytes())
        for name in self._shared.names():
            path = self.path.with_name(OTHERS.replace("*", name))
            if name != own and not path.exists() and (key := self._shared.load(name)) is not None:
                self._write(path, key)
        self.others()
        return [key for name, key in self._others.items() if name not in before]

    def drop(self) -> None:
        """Remove all of them, for other machines too. Raises EnvironmentFault."""
        for path in (self.path, *self.path.parent.glob(OTHERS)):
            path.unlink(missing_ok=True)
        if self._shared is not None:
            for name in self._shared.names():
                self._shared.remove(name)
        self._own, self._others, self._is_told = None, {}, self._shared is None
        self._told_at = -_TELL_AGAIN_S

    def _of_another(self) -> bytes | None:
        """The same one on all machines that have none."""
        names = [] if self._shared is None else sorted(self._shared.names())
        return self._shared.load(names[0]) if self._shared is not None and names else None

    def _tell(self, key: bytes) -> None:
        if self._shared is None or time.monotonic() - self._told_at < _TELL_AGAIN_S:
            return
        self._told_at = time.monotonic()
        try:
            if _name_of(key) not in self._shared.names():
                self._shared.save(_name_of(key), key)
            self._is_told = True
        except EnvironmentFault as fault:  # what is sealed meanwhile opens there later
            log.warning("Other machines do not have the key %s yet: %s", self.path, fault)

    def _write(self, path: Path, key: bytes) -> None:
        """Whole or not at all; of several processes the first one's counts."""
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
            if not path.exists():
                os.link(beside, path)
        except FileExistsError:
            pass  # another process was faster
        finally:
            beside.unlink()


def _name_of(key: bytes) -> str:
    """Tells nothing of the key, which is random."""
    return hashlib.sha256(key).hexdigest()[:32]
