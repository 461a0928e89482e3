"""Documents that are in already and move; nothing is read again.

What is done here needs neither parser nor embedding model, and every step may run twice.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.records import document_id
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.store.protocol import ChunkOrigin, ChunkStore

_BATCH = 64  # chunks read and written at a time


class DocumentLifecycle:
    """The documents of an index, as a sync changes them."""

    def __init__(
        self, *, live: Callable[[], tuple[Documents, ChunkStore]], erasure: Erasure
    ) -> None:
        """`live` gives documents and store of the index that is live at this moment."""
        self._live, self._erasure = live, erasure

    def move(
        self,
        tenant: str,
        old_uri: str,
        uri: str,
        *,
        name: str,
        readers: frozenset[str],
        level: int,
        modified: datetime | None,
    ) -> bool:
        """Make the document of `old_uri` that of `uri`, its chunks and vectors as they are.

        Returns:
            False: There is no whole document to move; nothing was changed.

        Raises:
            IndexSwitched: Another index became the live one meanwhile; do it again.
        """
        documents, store = self._live()
        old = documents.find(tenant, old_uri)
        if old is None or not old.version:
            return False
        new_id = document_id(tenant, uri)
        origin = ChunkOrigin(uri, old.media_type, modified)
        for begin in range(0, old.chunks, _BATCH):
            indexes = range(begin, min(begin + _BATCH, old.chunks))
            chunks = store.stored(tenant, old.id, old.version, indexes)
            if len(chunks) < len(indexes):
                store.prune(tenant, new_id, keep=None)
                return False
            store.put(
                [
                    replace(
                        indexed,
                        chunk=replace(indexed.chunk, document_id=new_id),
                        readers=stored_readers(readers),
                        level=level,
                        origin=origin,
                    )
                    for indexed in chunks
                ]
            )
        store.flush()
        documents.publish(
            replace(
                old,
                id=new_id,
                uri=uri,
                name=name,
                title=name if old.title == old.name else old.title,
                readers=readers,
                level=level,
                modified=modified,
                updated=datetime.now(UTC),
            )
        )
        self._erasure.erase(tenant, old.id, old.content_hash)
        return True
