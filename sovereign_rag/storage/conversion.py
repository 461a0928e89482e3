"""Stored contents encrypted anew, file by file: each is whole in one form or the other.

What a kill leaves is a content whose files are in two forms; both open, and the next run goes on.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.encryption.cipher import HEADER_BYTES, key_id_of
from sovereign_rag.storage.encryption.vault import ContentKey, tag_of

_ORIGINAL: Final = "original"
_GROWING: Final = (".vectors", ".sentences")


class Conversion:
    """Of contents that nobody else works at meanwhile."""

    def __init__(self, content: ContentStore) -> None:
        self._content, self._vault = content, content.vault

    def convert(self, content: str, tenants: Collection[str]) -> int:
        """Encrypt what is in clear, or opens by a tenant's older key.

        Args:
            content: Its hash.
            tenants: Those that have it, and will be able to open it.

        Returns:
            How many files were written anew.
        """
        names = self._content.names(content)
        key = self._target(content, names, tenants)
        written = 0
        # The original first: what is made of it from then on is encrypted as it is.
        for name in sorted(names, key=lambda name: name != _ORIGINAL):
            if not name.startswith("keys/") and not self._is_done(content, name, key):
                self._rewrite(content, name, key)
                written += 1
        for name in names:
            if name.startswith("keys/") and name != f"keys/{key.id}":
                self._content.remove(f"{content[:2]}/{content}/{name}")
        return written

    def counts(self, content: str) -> tuple[int, int]:
        """How many of a content's files are encrypted, and how many in clear."""
        names = [name for name in self._content.names(content) if not name.startswith("keys/")]
        clear = sum(self._key_id(content, name) is None for name in names)
        return len(names) - clear, clear

    def _target(self, content: str, names: Collection[str], tenants: Collection[str]) -> ContentKey:
        """What all of its files are to be encrypted with: the key they have, or a new one."""
        newest = {tag_of(tenant): self._vault.tenant_keys.newest(tenant).id for tenant in tenants}
        for name in names:
            key_id = name.removeprefix("keys/") if name.startswith("keys/") else ""
            opens = self._vault.opens_to(content, key_id) if key_id else {}
            if opens and all(newest.get(tag) == id_ for tag, id_ in opens.items()):
                key = self._vault.content_key(content, key_id)
                if key is not None:
                    self._grant(content, key, tenants)
                    return key
        key = ContentKey.new()
        self._grant(content, key, tenants)
        return key

    def _grant(self, content: str, key: ContentKey, tenants: Collection[str]) -> None:
        for tenant in sorted(tenants):
            self._vault.grant(content, key, tenant)

    def _rewrite(self, content: str, name: str, key: ContentKey) -> None:
        with suppress(FileNotFoundError):  # a cache that was thrown away meanwhile
            path = self._content.place(content, name)
            if name.endswith(_GROWING):
                data = path.read_bytes()
                former = self._vault.key_of(content, data[:HEADER_BYTES])
                plain = data if former is None else self._vault.frames(former, name).read(data)
                frames = self._vault.frames(key, name)
                header = frames.header()
                self._content.store(content, name, [header, frames.piece(header, plain)])
            else:
                blocks = self._vault.opened(content, path, name)
                self._content.store(content, name, self._vault.sealed(blocks, key, name))

    def _is_done(self, content: str, name: str, key: ContentKey) -> bool:
        return self._key_id(content, name) == key.id

    def _key_id(self, content: str, name: str) -> str | None:
        """What a file is encrypted with, as far as that key is there; None: it is in clear."""
        try:
            with self._content.place(content, name).open("rb") as file:
                key_id = key_id_of(file.read(HEADER_BYTES))
        except FileNotFoundError:
            return None
        return key_id if key_id and self._vault.opens_to(content, key_id) else None
