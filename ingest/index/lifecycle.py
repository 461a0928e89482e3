"""Documents that are in already: moved, given other readers, removed; nothing is read again.

What is done here needs neither parser nor embedding model, and every step may run twice.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.records import document_id
from sovereign_rag.errors import NotFound
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import AllIndexes, ChunkOrigin, ChunkStore

_BATCH = 64  # chunks read and written at a time


class DocumentLifecycle:
    """The documents of an index, as a sync changes them."""

    def __init__(
        self,
        *,
        documents: Documents,
        content: ContentStore,
        live: Callable[[], tuple[Documents, ChunkStore]],
        everywhere: AllIndexes,
    ) -> None:
        """
        Args:
            documents: What is known of documents.
            content: Their bytes and texts.
            live: Gives documents and store of the index that is live at this moment.
            everywhere: The chunks of documents in every index that there is.
        """
        self._documents, self._content = documents, content
        self._live, self._everywhere = live, everywhere

    def set_access(self, tenant: str, id_: str, readers: frozenset[str], level: int) -> None:
        """Change who may read a document; searches that start afterwards go by it."""
        labels = stored_readers(readers)
        self._everywhere.set_access(tenant, id_, readers=labels, level=level)
        try:
            # The catalog last: until it agrees, the same call finds the same work to do again.
            self._documents.set_readers(tenant, id_, readers, level)
        except NotFound:  # deleted meanwhile
            return
        self._everywhere.confirm_access(tenant, id_, readers=labels, level=level)

    def remove(self, tenant: str, id_: str, content_hash: str) -> None:
        """Remove a document: its chunks, its text, its original, its page images."""
        self._documents.withdraw(tenant, id_)
        self.forget(tenant, id_, content_hash)

    def forget(self, tenant: str, id_: str, content_hash: str) -> None:
        """As `remove`, and what jobs still want to do for the document goes on."""
        # Chunks first: a crash on the way leaves a document that can be removed again.
        self._everywhere.prune(tenant, id_, keep=None)
        self._everywhere.flush()
        self._documents.remove(tenant, id_)
        self._documents.unless_in_use(content_hash, lambda: self._content.delete(content_hash))

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
        self.remove(tenant, old.id, old.content_hash)
        return True
