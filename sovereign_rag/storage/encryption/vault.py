"""Contents encrypted, each with a key of its own that the tenants which hold it can open.

    ab/abcd…/keys/ID        the content's key, once for each tenant, wrapped by the tenant's key

One content that two tenants hold is stored once and opens to both; to whom it opened is taken from
a tenant with its keys. The key goes with the content: what a disk keeps of it stays closed.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from sovereign_rag.errors import DataDamaged, EnvironmentFault, KeyUnavailable
from sovereign_rag.settings import EncryptionSettings
from sovereign_rag.storage.encryption import cipher
from sovereign_rag.storage.encryption.cipher import ID_BYTES, KEY_BYTES, Frames, derived, key_id_of
from sovereign_rag.storage.encryption.master_key import MasterKey
from sovereign_rag.storage.encryption.tenant_keys import (
    REMEMBERED_S,
    ROOT,
    DataKey,
    KeyFiles,
    TenantKeys,
    tag_of,
)

_HELD: Final = 4_096  # keys of contents, in memory


class ContentKey:
    """What the files of one content are encrypted with."""

    __slots__ = ("id", "secret")

    def __init__(self, id_: str, secret: bytes) -> None:
        self.id, self.secret = id_, secret

    @classmethod
    def new(cls) -> "ContentKey":
        return cls(os.urandom(ID_BYTES).hex(), os.urandom(KEY_BYTES))


class Vault:
    """Encrypts and opens what lies below one content folder, or in one bucket.

    Every method raises KeyUnavailable where the master key is missing or another one, and
    DataDamaged where what is stored was changed.
    """

    def __init__(self, settings: EncryptionSettings, files: KeyFiles) -> None:
        """The master key is asked for when it is first needed."""
        self._settings, self._files = settings, files
        self._guard = threading.RLock()
        self._opened: TenantKeys | None = None
        self._keys: OrderedDict[tuple[str, str], tuple[float, ContentKey]] = OrderedDict()
        self._is_clear = False

    @property
    def is_on(self) -> bool:
        """Whether a master key is set. Off, everything is stored as it is.

        Raises:
            KeyUnavailable: None is set, and what is stored is encrypted.
        """
        if self._settings.is_on:
            return True
        if not self._is_clear:
            try:
                root = self._files.load(ROOT)
            except EnvironmentFault:  # what is away is neither read nor written
                return False
            if root is not None:
                raise KeyUnavailable(
                    "What is stored is encrypted, and the settings name no key: set "
                    "encryption.key_file or key_command to where the master key is. Nothing is "
                    "lost."
                )
            self._is_clear = True
        return False

    def check(self) -> None:
        """See that what is stored opens. Raises KeyUnavailable."""
        if self.is_on:
            _ = self.tenant_keys

    @property
    def tenant_keys(self) -> TenantKeys:
        with self._guard:
            if self._opened is None:
                self._opened = TenantKeys(self._files, MasterKey.of(self._settings))
            return self._opened

    def grant(self, content: str, key: ContentKey, tenant: str) -> None:
        """Let a tenant open a content with its own key."""
        name, of_tenant = _key_file(content, key.id), self.tenant_keys.newest(tenant)
        wraps = self._wraps(name)
        if wraps.get(of_tenant.tag, {}).get("key") != of_tenant.id:
            context = _context(content, key.id, of_tenant)
            wrapped = cipher.wrap(of_tenant.secret, key.secret, context).hex()
            wraps[of_tenant.tag] = {"key": of_tenant.id, "wrapped": wrapped}
            self._files.save(name, orjson.dumps(wraps))
        self._hold(content, key)

    def withdraw(self, content: str, key_id: str, tag: str) -> None:
        """Take a tenant's way to a content away."""
        name = _key_file(content, key_id)
        wraps = self._wraps(name)
        if wraps.pop(tag, None) is not None:
            self._files.save(name, orjson.dumps(wraps))

    def opens_to(self, content: str, key_id: str) -> dict[str, str]:
        """By which key of each tenant, named by its tag, a content opens."""
        return {
            tag: str(one["key"]) for tag, one in self._wraps(_key_file(content, key_id)).items()
        }

    def content_key(self, content: str, key_id: str) -> ContentKey | None:
        """The key of that name, by any tenant's; None: there is none such."""
        with self._guard:
            read, held = self._keys.get((content, key_id), (0.0, None))
        if held is not None and time.monotonic() - read < REMEMBERED_S:
            return held
        wraps = self._wraps(_key_file(content, key_id))
        for tag, one in wraps.items():
            of_tenant = self.tenant_keys.find(tag, str(one["key"]))
            if of_tenant is not None:
                context = _context(content, key_id, of_tenant)
                secret = cipher.unwrap(of_tenant.secret, bytes.fromhex(one["wrapped"]), context)
                key = ContentKey(key_id, secret)
                self._hold(content, key)
                return key
        if wraps:
            raise KeyUnavailable(
                "The keys of every tenant that had this content were destroyed, so that nobody can "
                "open it any more. Ingest its document again."
            )
        return None

    def forget(self, content: str) -> None:
        """Hold the keys of a content no longer."""
        with self._guard:
            for held in [held for held in self._keys if held[0] == content]:
                del self._keys[held]

    def encrypted(self, content: str, name: str, data: bytes, key_id: str | None) -> bytes:
        """A file of a content as it is stored; with `key_id` None the content is in clear still."""
        if key_id is None:
            return data
        key = self.content_key(content, key_id)
        if key is None:
            raise DataDamaged(f"key of the content {content[:12]}")
        return b"".join(cipher.encrypted([data], key.secret, key.id, name))

    def sealed(self, blocks: Iterable[bytes], key: ContentKey, name: str) -> Iterator[bytes]:
        """A file as it is stored, block by block."""
        return cipher.encrypted(blocks, key.secret, key.id, name)

    def opened(self, content: str, path: Path, name: str) -> Iterator[bytes]:
        """The bytes of a stored file. Raises FileNotFoundError."""
        with path.open("rb") as file:
            key = self.key_of(content, file.read(cipher.HEADER_BYTES))
            file.seek(0)
            if key is None:
                while block := file.read(cipher.BLOCK_BYTES):
                    yield block
            else:
                yield from cipher.decrypted(file, key.secret, name)

    def key_of(self, content: str, header: bytes) -> ContentKey | None:
        """What a file that begins so is encrypted with; None: it is in clear, and may be."""
        if not self.is_on:
            return None
        key_id = key_id_of(header)
        # An upload may begin as encrypted files do; the key that it names is not there then.
        key = None if key_id is None else self.content_key(content, key_id)
        if key is None and not self.tenant_keys.takes_clear:
            raise DataDamaged(
                f"file of the content {content[:12]}, which is not encrypted and was put there,"
            )
        return key

    def frames(self, key: ContentKey, name: str) -> Frames:
        return Frames(key.secret, key.id, name)

    def row_key(self, tag: str, id_: str) -> bytes | None:
        """What a tenant's rows of the catalog are sealed with; None: it was destroyed."""
        key = self.tenant_keys.find(tag, id_)
        return None if key is None else _row_key(key)

    def newest_row_key(self, tenant: str) -> tuple[str, str, bytes]:
        """The tag and the id of a tenant's newest key, and what it seals rows with."""
        key = self.tenant_keys.newest(tenant)
        return key.tag, key.id, _row_key(key)

    def _wraps(self, name: str) -> dict[str, dict[str, Any]]:
        data = self._files.load(name)
        return {} if data is None else dict(orjson.loads(data))

    def _hold(self, content: str, key: ContentKey) -> None:
        with self._guard:
            self._keys[content, key.id] = time.monotonic(), key
            while len(self._keys) > _HELD:
                self._keys.popitem(last=False)


def _key_file(content: str, key_id: str) -> str:
    return f"{content[:2]}/{content}/keys/{key_id}"


def _row_key(key: DataKey) -> bytes:
    return derived(key.secret, b"", "rows of the catalog")


def _context(content: str, key_id: str, of_tenant: DataKey) -> str:
    return f"content key\n{content}\n{key_id}\n{of_tenant.tag}\n{of_tenant.id}"


__all__ = ["ContentKey", "Vault", "tag_of"]
