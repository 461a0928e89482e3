"""What the catalog may hold, but nobody may read there: sealed.

With a master key in the settings it is sealed by its tenant's key (see `encryption`), else by a
key in the data folder (see `sealing_keys`). Whoever reads the database, a dump or a backup of it
finds nothing without. Each sealed text opens in the one context that it was sealed for: what is
copied to another row stays closed.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sovereign_rag.storage.encryption.vault import Vault
from sovereign_rag.storage.sealing_keys import SealingKeys, SharedKeys

_MAGIC: Final = b"SROW1"  # 1 in 10^12 of those that the data folder's key sealed begins so
_ID_BYTES: Final = 16
_HEAD_BYTES: Final = len(_MAGIC) + 2 * _ID_BYTES
_NONCE_BYTES: Final = 12  # random; far below 2^32 messages are sealed with one key


class Sealer:
    """Seals and opens with AES-256-GCM."""

    def __init__(
        self, data_dir: Path, vault: Vault | None = None, shared: SharedKeys | None = None
    ) -> None:
        """The key is made when it is first needed; without `vault` it is the data folder's.

        `shared` has the keys of other machines over the same catalog.
        """
        self._vault, self._keys = vault, SealingKeys(data_dir, shared)

    @property
    def is_on(self) -> bool:
        """Whether there is a master key."""
        return self._vault is not None and self._vault.is_on

    def seal(self, data: bytes, context: str, tenant: str) -> bytes:
        """Raises EnvironmentFault: the key can't be read or made."""
        nonce = os.urandom(_NONCE_BYTES)
        if self._vault is None or not self._vault.is_on:
            return nonce + self._keys.own().encrypt(nonce, data, _bytes(context))
        tag, id_, key = self._vault.newest_row_key(tenant)
        head = _MAGIC + bytes.fromhex(tag) + bytes.fromhex(id_)
        return head + nonce + AESGCM(key).encrypt(nonce, data, head + _bytes(context))

    def is_newest(self, sealed: bytes, tenant: str) -> bool:
        """Whether it is sealed as `seal` would today."""
        if self._vault is None or not self._vault.is_on:
            return self.is_of_data_folder(sealed)
        tag, id_, _ = self._vault.newest_row_key(tenant)
        return sealed.startswith(_MAGIC + bytes.fromhex(tag) + bytes.fromhex(id_))

    def is_of_data_folder(self, sealed: bytes) -> bool:
        """Whether it was sealed by the data folder's key, before there was a master key."""
        return not sealed.startswith(_MAGIC)

    def open(self, sealed: bytes, context: str) -> bytes | None:
        """What was sealed; None where it was for another context, or with a key that is gone.

        Raises:
            EnvironmentFault: The key can't be read.
        """
        if sealed.startswith(_MAGIC):
            return self._open_of_tenant(sealed, context)
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for key in self._keys.each():
            with suppress(InvalidTag):
                return key.decrypt(nonce, rest, _bytes(context))
        return None

    @property
    def path(self) -> Path:
        """Of the data folder's key."""
        return self._keys.path

    def drop_keys(self) -> None:
        """Remove the data folder's key, and those of other machines: nothing is sealed by them."""
        self._keys.drop()

    def _open_of_tenant(self, sealed: bytes, context: str) -> bytes | None:
        if self._vault is None or not self._vault.is_on:
            return None
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        ids = head[len(_MAGIC) :]
        key = self._vault.row_key(ids[:_ID_BYTES].hex(), ids[_ID_BYTES:].hex())
        try:
            if key is None:
                return None
            nonce = rest[:_NONCE_BYTES]
            return AESGCM(key).decrypt(nonce, rest[_NONCE_BYTES:], head + _bytes(context))
        except (InvalidTag, ValueError):
            return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
