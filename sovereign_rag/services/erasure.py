"""Taking documents away: from everybody, or from some of their readers.

The one place for both, whoever asks: a person, a sync, an archive that holds less than before.
Every step may run twice, so a crash on the way is mended by the same call.
"""

from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.records import Lease
from sovereign_rag.errors import NotFound
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import AllIndexes


class Erasure:
    """Of documents in every index, their texts and their bytes."""

    def __init__(
        self, *, documents: Documents, content: ContentStore, all_indexes: AllIndexes
    ) -> None:
        """`all_indexes` is the chunks of documents in every index that there is."""
        self._documents, self._content, self._all_indexes = documents, content, all_indexes

    def erase(self, tenant: str, document_id: str, content_hash: str) -> None:
        """Remove a document: its chunks, its text, its original, its page images.

        A version of it that is being taken in right now is not published any more.
        """
        self._documents.withdraw(tenant, document_id)
        self.erase_stored(tenant, document_id, content_hash)

    def erase_stored(self, tenant: str, document_id: str, content_hash: str) -> None:
        """As `erase`, and what jobs still want to do for the document goes on."""
        # Chunks first: a crash on the way leaves a document that is listed and can be removed
        # again, never one that is found by a search and by nothing else.
        self._all_indexes.prune(tenant, document_id, keep=None)
        self._all_indexes.flush()
        self._documents.remove(tenant, document_id)
        self.erase_content(content_hash)

    def erase_content(self, content_hash: str) -> None:
        """Remove bytes, text and page images that no document and no task needs any more."""
        self._documents.unless_in_use(content_hash, lambda: self._content.delete(content_hash))

    def change_readers(
        self,
        tenant: str,
        document_id: str,
        readers: frozenset[str],
        level: int,
        lease: Lease | None = None,
    ) -> bool:
        """Change who may read a document; searches that start afterwards go by it.

        Returns:
            False: The document is gone; whoever wants it has to take it in anew.

        Raises:
            LeaseLost: The worker that holds `lease` does not hold it any more.
        """
        labels = stored_readers(readers)
        self._all_indexes.set_access(tenant, document_id, readers=labels, level=level)
        try:
            # The catalog last: until it agrees, the same call finds the same work to do again.
            self._documents.set_readers(tenant, document_id, readers, level, lease)
        except NotFound:  # deleted meanwhile
            return False
        self._all_indexes.confirm_access(tenant, document_id, readers=labels, level=level)
        return True
