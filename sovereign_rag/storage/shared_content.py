"""Content that several machines share: objects in a bucket, with copies in the data folder.

An object is stored before its copy is in its place, so what a machine has, the bucket has; the
keys are the paths of the folder. What is removed leaves a mark in `erased/`, by which other
machines find within a minute which of their copies go. Copies that were not used for longest go
when there are too many. Vectors of sentences stay copies: each machine keeps those that it made.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sovereign_rag.embedding.vector_cache import KeptVectors
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.settings import Settings
from sovereign_rag.storage.content import ContentStore, Received
from sovereign_rag.storage.sealing_keys import SharedKeys

if TYPE_CHECKING:
    from sovereign_rag.storage.objects import Objects

log = logging.getLogger(__name__)

_BLOCK: Final = 1 << 20
_ERASED: Final = "erased/"
_SEALING: Final = "sealing/"
_ROUND_S: Final = 60.0
_UNDER_WAY: Final = timedelta(minutes=10)
_REMEMBERED: Final = timedelta(days=7)  # a machine that was off longer looks through all it has
_IN_USE_S: Final = 3_600.0  # a copy used since may be open


def open_content(settings: Settings) -> ContentStore:
    """Where the settings say that content is kept."""
    if settings.content.url is None:
        return ContentStore(settings.data_dir, settings.encryption)
    return SharedContent(settings)


def sealing_keys_of(content: ContentStore) -> SharedKeys | None:
    """Where the machines that share a content have each other's; None: there is one folder."""
    return content.sealing_keys if isinstance(content, SharedContent) else None


class SharedContent(ContentStore):
    """As `ContentStore`, for any number of processes on any number of machines.

    Every method raises EnvironmentFault too where the object storage is needed and away.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.data_dir, settings.encryption)
        from sovereign_rag.storage.objects import Objects  # its library takes a while to import

        self._objects = Objects(settings.content)
        self._room = settings.content.cache_mib << 20
        self._seen: datetime | None = None  # the newest mark that was followed
        self._has_looked = False
        self._stored: dict[str, datetime] = {}  # by hash, at the last look through the bucket
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_house, name="content", daemon=True)
        self._keeper.start()

    def holds(self, content_hash: str) -> bool:
        return self._objects.has(self._name(self._folder(content_hash) / "original"))

    def _put_original(self, received: Received, place: Path) -> None:
        self._objects.put_file(self._name(place), received.path, sha256=received.stored_hash)
        super()._put_original(received, place)

    def _stored_original(self, content_hash: str) -> Path:
        path = self._folder(content_hash) / "original"
        if self._is_here(path):
            with suppress(OSError):  # it was used just now
                os.utime(path.parent)
        return super()._stored_original(content_hash)

    def vectors(self, content_hash: str, model_id: str) -> KeptVectors:
        kept = super().vectors(content_hash, model_id)
        if not kept.path.exists():
            with suppress(EnvironmentFault):  # then they are computed again
                self._fetch(kept.path)
        return kept

    def share_vectors(self, content_hash: str, model_id: str) -> None:
        path = self._folder(content_hash) / f"{model_id}.vectors"
        try:
            self._objects.put(self._name(path), path.read_bytes())
        except FileNotFoundError:
            pass  # none were made
        except EnvironmentFault as fault:
            log.warning("Vectors were not kept for other machines: %s", fault)

    def drop_vectors(self, model_id: str) -> None:
        super().drop_vectors(model_id)
        ends = f"/{model_id}.vectors"
        self._objects.delete([key for key, _ in self._objects.listed() if key.endswith(ends)])

    def delete(self, content_hash: str) -> None:
        folder = self._name(self._folder(content_hash))
        keys = [key for key, _ in self._objects.listed(f"{folder}/")]
        if keys:
            self._objects.put(_ERASED + content_hash, b"")
            # The original last: what was removed in part is found again by it, and removed.
            self._objects.delete(key for key in keys if not key.endswith("/original"))
            self._objects.delete(key for key in keys if key.endswith("/original"))
        super().delete(content_hash)

    def hashes(self) -> list[str]:
        """Every content hash of which an object is stored, whichever machine did so."""
        stored: dict[str, datetime] = {}
        for key, modified in self._objects.listed():
            parts = key.split("/")
            if parts[0] != _ERASED.rstrip("/") and len(parts) >= 3:
                stored[parts[1]] = max(modified, stored.get(parts[1], modified))
        self._stored = stored
        return sorted(stored)

    def age_s(self, content_hash: str) -> float:
        """Seconds since something was last stored for the content, at the last look at `hashes`."""
        stored = self._stored.get(content_hash)
        if stored is None:
            folder = self._name(self._folder(content_hash))
            stored = max((moment for _, moment in self._objects.listed(f"{folder}/")), default=None)
        return 0.0 if stored is None else (datetime.now(UTC) - stored).total_seconds()

    def sweep(self, *, older_than_s: float) -> None:
        super().sweep(older_than_s=older_than_s)
        old = datetime.now(UTC) - _REMEMBERED
        self._objects.delete([key for key, moment in self._objects.listed(_ERASED) if moment < old])

    @property
    def sealing_keys(self) -> SharedKeys:
        return _SealingKeys(self._objects, self._incoming)

    def tidy_copies(self) -> None:
        """Remove the copies of what another machine erased, and those that there is no room for."""
        self._follow_erasures()
        self._make_room()

    def check(self) -> None:
        self._objects.has(_ERASED)

    def keeps_what_is_erased(self) -> bool:
        return self._objects.keeps_old_versions()

    def close(self) -> None:
        self._closing.set()
        self._keeper.join()
        self._objects.close()

    def names(self, content_hash: str) -> list[str]:
        folder = f"{self._name(self._folder(content_hash))}/"
        return sorted(key.removeprefix(folder) for key, _ in self._objects.listed(folder))

    def drop_copies(self) -> None:
        """Remove what of the bucket is in this data folder; it is fetched again when needed."""
        for content_hash in super().hashes():
            shutil.rmtree(self._folder(content_hash), ignore_errors=True)

    def _write(self, path: Path, blocks: Iterable[bytes]) -> None:
        self._make(self._incoming)
        with tempfile.NamedTemporaryFile(dir=self._incoming) as file:
            digest = hashlib.sha256()
            for block in blocks:
                digest.update(block)
                file.write(block)
            file.flush()
            self._objects.put_file(self._name(path), Path(file.name), sha256=digest.hexdigest())
            file.seek(0)
            super()._write(path, iter(lambda: file.read(_BLOCK), b""))

    def _read(self, path: Path) -> bytes | None:
        found = super()._read(path)
        if found is None and self._fetch(path):
            found = super()._read(path)
        return found

    def _is_here(self, path: Path) -> bool:
        return super()._is_here(path) or self._fetch(path)

    # Keys of tenants are the bucket's alone: a copy would outlive their destruction.

    def load(self, name: str) -> bytes | None:
        if not name.startswith("keys/"):
            return super().load(name)
        path = self._incoming / f"key-{uuid.uuid4().hex}"
        self._make(self._incoming)
        try:
            return path.read_bytes() if self._objects.fetch(name, path) else None
        finally:
            path.unlink(missing_ok=True)

    def save(self, name: str, data: bytes) -> None:
        if name.startswith("keys/"):
            self._objects.put(name, data)
        else:
            super().save(name, data)

    def remove(self, name: str) -> None:
        self._objects.delete([name])
        super().remove(name)

    def listed(self) -> list[str]:
        return sorted(name for name, _ in self._objects.listed("keys/"))

    def _fetch(self, path: Path) -> bool:
        """Copy an object to its path here, whole or not at all; False: there is none."""
        self._make(self._incoming)
        try:
            handle, name = tempfile.mkstemp(dir=self._incoming)
            os.close(handle)
            try:
                if not self._objects.fetch(self._name(path), Path(name)):
                    return False
                self._make(path.parent)
                os.replace(name, path)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(
                f"Could not write {path}: {error.strerror}. Is the disk full?"
            ) from error
        return True

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _keep_house(self) -> None:
        while not self._closing.wait(_ROUND_S):
            try:
                self.tidy_copies()
            except EnvironmentFault as fault:
                log.warning("Copies of erased content may still be here: %s", fault)
            except Exception:  # a thread that ended would tell nobody; the next round tries again
                log.exception("Copies were not looked through")

    def _follow_erasures(self) -> None:
        local = super().hashes()
        # A process that has just begun may have been away for longer than marks are kept.
        erased = set() if self._has_looked else set(local) - set(self.hashes())
        newest = self._seen
        for key, moment in self._objects.listed(_ERASED):
            # By the storage's clock. The last ones again: their removal may have been under way.
            newest = moment if newest is None else max(newest, moment)
            if self._seen is None or moment > self._seen - _UNDER_WAY:
                erased.add(key.removeprefix(_ERASED))
        for name in erased.intersection(local):
            if not self.holds(name):  # else it came in again since
                super().delete(name)
        self._seen, self._has_looked = newest, True

    def _make_room(self) -> None:
        """Copies not used for longest go first; they are fetched again where somebody asks."""
        sizes = {}
        for name in super().hashes():
            folder = self._folder(name)
            with suppress(OSError):
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                sizes[folder] = size, folder.stat().st_mtime
        used = sum(size for size, _ in sizes.values())
        for folder, (size, last) in sorted(sizes.items(), key=lambda item: item[1][1]):
            if used <= self._room or time.time() - last < _IN_USE_S:
                return
            shutil.rmtree(folder, ignore_errors=True)
            used -= size


class _SealingKeys:
    """In the bucket, beside the contents."""

    def __init__(self, objects: "Objects", incoming: Path) -> None:
        self._objects, self._incoming = objects, incoming

    def names(self) -> list[str]:
        return [key.removeprefix(_SEALING) for key, _ in self._objects.listed(_SEALING)]

    def load(self, name: str) -> bytes | None:
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._incoming / f"key-{uuid.uuid4().hex}"
        try:
            return path.read_bytes() if self._objects.fetch(_SEALING + name, path) else None
        finally:
            path.unlink(missing_ok=True)

    def save(self, name: str, key: bytes) -> None:
        self._objects.put(_SEALING + name, key)

    def remove(self, name: str) -> None:
        self._objects.delete([_SEALING + name])
