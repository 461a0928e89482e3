"""A data key a tenant, wrapped by the master key, in a file of its own beside the contents.

    keys/root.json          proves the master key; says whether clear files are still taken
    keys/TENANT-ID.json     one of the tenant's data keys, wrapped by one master key, or by two
                            while that is changed; TENANT is a hash of its name

Each has a file of its own, so that machines that make one at the same moment lose neither.
Without its files nothing of a tenant opens any more.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from sovereign_rag.errors import DataDamaged, KeyUnavailable
from sovereign_rag.storage.encryption.cipher import ID_BYTES, KEY_BYTES, unwrap, wrap
from sovereign_rag.storage.encryption.master_key import MasterKey

ROOT: Final = "keys/root.json"
REMEMBERED_S: Final = 60.0  # a tenant whose key was destroyed is unreadable within that time


class KeyFiles(Protocol):
    """Small files below the content's folder, or in its bucket, as they lie there."""

    def load(self, name: str) -> bytes | None: ...

    def save(self, name: str, data: bytes) -> None: ...

    def remove(self, name: str) -> None: ...

    def listed(self) -> list[str]:
        """Names of those in keys/."""
        ...

    def is_empty(self) -> bool:
        """Whether no content is stored."""
        ...


@dataclass(frozen=True, slots=True)
class DataKey:
    """One of a tenant's keys."""

    tag: str  # of the tenant
    id: str  # hex
    secret: bytes
    made: str  # ISO 8601


def tag_of(tenant: str) -> str:
    """What a tenant is called in names of files."""
    return hashlib.sha256(f"tenant\n{tenant}".encode()).hexdigest()[:32]


class TenantKeys:
    """Those of every tenant, for any number of threads; each is made when it is first needed."""

    def __init__(self, files: KeyFiles, master: MasterKey) -> None:
        """Raises KeyUnavailable: what is stored was encrypted with another master key."""
        self._files, self.master = files, master
        self._guard = threading.Lock()
        self._known: dict[str, tuple[float, DataKey]] = {}  # by name of the file
        self._newest: dict[str, tuple[float, DataKey]] = {}  # by tenant
        self._root, self.takes_clear = self._open_root()

    def newest(self, tenant: str) -> DataKey:
        """The key that a tenant's contents are encrypted with from now on."""
        with self._guard:
            read, key = self._newest.get(tenant, (0.0, None))
            if key is not None and time.monotonic() - read < REMEMBERED_S:
                return key
            tag = tag_of(tenant)
            found = [self._read(name) for name in self._names(tag)]
            keys = [one for one in found if one is not None]
            key = max(keys, key=lambda one: (one.made, one.id)) if keys else self._make(tenant)
            self._newest[tenant] = time.monotonic(), key
            return key

    def renew(self, tenant: str) -> DataKey:
        """A new key for what comes; the older ones go on to open what is there."""
        with self._guard:
            key = self._make(tenant)
            self._newest[tenant] = time.monotonic(), key
            return key

    def find(self, tag: str, id_: str) -> DataKey | None:
        """A key by its name; None: it is destroyed."""
        with self._guard:
            return self._read(_file_of(tag, id_))

    def destroy(self, tenant: str, *, but: str | None = None) -> int:
        """Remove a tenant's keys for good, all or all but one; returns how many."""
        with self._guard:
            tag = tag_of(tenant)
            doomed = [n for n in self._names(tag) if but is None or n != _file_of(tag, but)]
            for name in doomed:
                self._files.remove(name)
                self._known.pop(name, None)
            self._newest.pop(tenant, None)
            return len(doomed)

    def tenants(self) -> dict[str, int]:
        """Those that have keys, with how many."""
        found: dict[str, int] = {}
        for name, told in self._all():
            if name != ROOT:
                found[str(told["tenant"])] = found.get(str(told["tenant"]), 0) + 1
        return found

    def refuse_clear(self) -> None:
        """From now on a file that is not encrypted is refused: somebody put it there."""
        self._write_root(self._root, takes_clear=False)
        self.takes_clear = False

    def add_master(self, new: MasterKey) -> int:
        """Let another master key open all as well; returns how many files tell of it now."""
        changed = 0
        for name, told in self._all():
            context = _context_of(told)
            if new.id not in told["wraps"]:
                told["wraps"][new.id] = new.wrap(self._unwrap(told["wraps"], context), context)
                self._files.save(name, orjson.dumps(told))
                changed += 1
        return changed

    def drop_masters(self) -> int:
        """Let no other master key than this one open anything; returns how many files changed.

        Raises:
            KeyUnavailable: Something is not open to this one: `add_master` was not completed.
        """
        everything = list(self._all())
        for _, told in everything:  # all of them first: nothing is to be locked out half way
            self._unwrap(told["wraps"], _context_of(told))
        changed = 0
        for name, told in everything:
            if told["wraps"].keys() != {self.master.id}:
                told["wraps"] = {self.master.id: told["wraps"][self.master.id]}
                self._files.save(name, orjson.dumps(told))
                changed += 1
        return changed

    def _names(self, tag: str) -> list[str]:
        return [name for name in self._files.listed() if name.startswith(f"keys/{tag}-")]

    def _all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in self._files.listed():
            data = self._files.load(name)
            if data is not None:
                yield name, orjson.loads(data)

    def _read(self, name: str) -> DataKey | None:
        read, key = self._known.get(name, (0.0, None))
        if key is not None and time.monotonic() - read < REMEMBERED_S:
            return key
        data = self._files.load(name)
        if data is None:
            self._known.pop(name, None)
            return None
        told = orjson.loads(data)
        tag = tag_of(str(told["tenant"]))
        if _file_of(tag, told["id"]) != name:  # another tenant's, copied here
            raise DataDamaged(f"key file {name}")
        secret = self._unwrap(told["wraps"], _context_of(told))
        key = DataKey(tag, told["id"], secret, told["made"])
        self._known[name] = time.monotonic(), key
        return key

    def _make(self, tenant: str) -> DataKey:
        made = datetime.now(UTC).isoformat(timespec="microseconds")
        key = DataKey(tag_of(tenant), os.urandom(ID_BYTES).hex(), os.urandom(KEY_BYTES), made)
        told: dict[str, Any] = {"version": 1, "tenant": tenant, "id": key.id, "made": made}
        told["wraps"] = {self.master.id: self.master.wrap(key.secret, _context_of(told))}
        self._files.save(_file_of(key.tag, key.id), orjson.dumps(told))
        return key

    def _unwrap(self, wraps: dict[str, str], context: str) -> bytes:
        if self.master.id not in wraps:
            raise KeyUnavailable(
                f"What is stored was encrypted with the master key {', '.join(sorted(wraps))}, and "
                f"the settings name {self.master.id}. Nothing is lost: bring that key back in "
                "encryption.key_file or key_command."
            )
        return self.master.unwrap(wraps[self.master.id], context)

    def _open_root(self) -> tuple[bytes, bool]:
        data = self._files.load(ROOT)
        if data is None:
            if self._files.listed():
                raise DataDamaged(f"key file {ROOT}")
            key = os.urandom(KEY_BYTES)
            # What was stored before is in clear, until `encryption convert` has been over it.
            self._write_root(key, takes_clear=not self._files.is_empty())
            data = self._files.load(ROOT) or b"{}"
        told = orjson.loads(data)
        key = self._unwrap(told["wraps"], "root key")
        state = unwrap(key, bytes.fromhex(told["state"]), "state of clear files")
        return key, state == b"clear"

    def _write_root(self, key: bytes, *, takes_clear: bool) -> None:
        stored = self._files.load(ROOT)
        wraps = {} if stored is None else orjson.loads(stored)["wraps"]
        if self.master.id not in wraps:
            wraps[self.master.id] = self.master.wrap(key, "root key")
        state = wrap(key, b"clear" if takes_clear else b"encrypted", "state of clear files")
        told = {"version": 1, "wraps": wraps, "state": state.hex()}
        self._files.save(ROOT, orjson.dumps(told))


def _file_of(tag: str, id_: str) -> str:
    return f"keys/{tag}-{id_}.json"


def _context_of(told: dict[str, Any]) -> str:
    return f"tenant key\n{told['tenant']}\n{told['id']}" if "id" in told else "root key"
