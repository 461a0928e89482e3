"""What a chunk says, sealed in the store: an engine's files and a server's disk show no words.

Text, headings and a table's header become one sealed value, in the place of the text. Its context
is the chunk: in the payload of another one it stays closed.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from sovereign_rag.domain import Chunk
from sovereign_rag.errors import KeyUnavailable
from sovereign_rag.store.protocol import Hit, IndexedChunk

_MARK: Final = "\x00sealed:"  # no text that is read from a document has this character


class TextSealer(Protocol):
    """Seals by a tenant's key, where a master key is set."""

    @property
    def is_on(self) -> bool: ...

    def seal(self, data: bytes, context: str, tenant: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes | None:
        """None: in another context, or with a key that is gone."""
        ...

    def is_newest(self, sealed: bytes, tenant: str) -> bool: ...


def sealed(indexed: IndexedChunk, sealer: TextSealer | None) -> IndexedChunk:
    """A chunk as it is stored."""
    if sealer is None or not sealer.is_on:
        return indexed
    text = _sealed_text(indexed.chunk, indexed.tenant, sealer)
    chunk = replace(indexed.chunk, text=text, heading_path=(), table_header="")
    return replace(indexed, chunk=chunk)


def opened(hit: Hit, sealer: TextSealer | None) -> Hit:
    """A chunk as it was before it was stored.

    Raises:
        KeyUnavailable: It is sealed, and there is no key that opens it.
    """
    chunk = hit.chunk
    if not chunk.text.startswith(_MARK):
        return hit
    data = base64.b64decode(chunk.text.removeprefix(_MARK))
    words = None
    if sealer is not None and sealer.is_on:
        words = sealer.open(data, _context(chunk))
    if words is None:
        raise KeyUnavailable(
            "A passage in the vector store is sealed by a key that is not there: bring the key "
            "back in encryption.key_file or key_command. `reindex --force` makes the store anew."
        )
    text, headings, header = json.loads(words)
    plain = replace(chunk, text=text, heading_path=tuple(headings), table_header=header)
    return replace(hit, chunk=plain)


def resealed(hit: Hit, sealer: TextSealer | None) -> Mapping[str, Any] | None:
    """What a point's payload is to become; None: it is as it would be stored today."""
    if sealer is None or not sealer.is_on:
        return None
    if hit.chunk.text.startswith(_MARK):
        data = base64.b64decode(hit.chunk.text.removeprefix(_MARK))
        if sealer.is_newest(data, hit.tenant):
            return None
    text = _sealed_text(opened(hit, sealer).chunk, hit.tenant, sealer)
    return {"text": text, "headings": [], "table_header": ""}


def _sealed_text(chunk: Chunk, tenant: str, sealer: TextSealer) -> str:
    words = json.dumps([chunk.text, chunk.heading_path, chunk.table_header]).encode()
    return _MARK + base64.b64encode(sealer.seal(words, _context(chunk), tenant)).decode("ascii")


def _context(chunk: Chunk) -> str:
    return f"chunk\n{chunk.document_id}\n{chunk.version}\n{chunk.index}"
