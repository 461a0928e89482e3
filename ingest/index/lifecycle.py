"""Documents that are in already and move; nothing is read again.

What is done here needs neither parser nor embedding model, and every step may run twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.records import DocumentRecord, document_id
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.store.protocol import ChunkOrigin, ChunkStore, IndexedChunk

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
        if not self._erasure.follow_up(new_id):
            return False  # the chunks of one that was there before are still to be removed
        if not self._erasure.follow_up(old.id):
            return False  # the store is still to be told of it, and would be of the old one alone
        dated = old.stated.date or modified
        origin = ChunkOrigin(uri, old.media_type, dated, old.stated.facts)
        moved = MovedChunks(old, new_id, stored_readers(readers), level, origin)
        if not moved.write(store):
            store.prune(tenant, new_id, keep=None)
            return False
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
        if store.versions(tenant, new_id).get(old.version) != old.chunks:
            # Whoever followed up a late write meanwhile took them for left over.
            moved.write(store)
            store.flush()
        self._erasure.erase(tenant, old.id, old.content_hash)
        return True


@dataclass(frozen=True, slots=True)
class MovedChunks:
    """The chunks of a document as those of another one will be."""

    old: DocumentRecord
    new_id: str
    labels: frozenset[str]
    level: int
    origin: ChunkOrigin

    def write(self, store: ChunkStore) -> bool:
        """Write them beside the old ones; False: those are not all there."""
        for begin in range(0, self.old.chunks, _BATCH):
            indexes = range(begin, min(begin + _BATCH, self.old.chunks))
            chunks = store.stored(self.old.tenant, self.old.id, self.old.version, indexes)
            if len(chunks) < len(indexes):
                return False
            store.put([self._moved(indexed) for indexed in chunks])
        return True

    def _moved(self, indexed: IndexedChunk) -> IndexedChunk:
        return replace(
            indexed,
            chunk=replace(indexed.chunk, document_id=self.new_id),
            readers=self.labels,
            level=self.level,
            origin=self.origin,
        )
