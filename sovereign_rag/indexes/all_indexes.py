"""The chunks of documents in all indexes at once: what goes, goes from each of them."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.errors import StoreError
from sovereign_rag.indexes.languages import respeak
from sovereign_rag.indexes.open_indexes import OpenIndexes

if TYPE_CHECKING:
    from sovereign_rag.embedding.lexical import Bm25Encoder
    from sovereign_rag.store.protocol import ChunkStore, Spoken


class EveryIndexStore:
    """The chunks of a document in each index that there is: their end, and their rights.

    What is to go, or to be kept from somebody, has to go from the index that is being built and
    from the one that is kept for a way back as well.
    """

    def __init__(
        self,
        indexes: OpenIndexes,
        catalog: Catalog,
        lexical: "Callable[[], Bm25Encoder]",
    ) -> None:
        """`lexical` gives the encoder of words, loading it when the first document needs it."""
        self._indexes, self._catalog, self._lexical = indexes, catalog, lexical

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        """Delete a document's chunks of every version but `keep`, from every index."""
        self._each(lambda _, store: store.prune(tenant, document_id, keep=keep))

    def tidy(self, tenant: str, document_id: str) -> None:
        """Delete a document's chunks that no search returns, for whoever has it to itself.

        An index that is being built may be writing others at this moment; it is left alone.
        """

        def tidy(record: IndexRecord, store: "ChunkStore") -> None:
            if record.state is not IndexState.BUILDING:
                documents = self._catalog.at(record.id).documents
                store.prune(tenant, document_id, keep=documents.live_version(tenant, document_id))

        self._each(tidy)

    def prune_others(
        self, tenant: str, document_id: str, *, keep: Callable[[IndexSpec], str]
    ) -> None:
        """Delete a document's chunks from every index but the live one, save those of a version.

        Args:
            keep: Gives the version that an index of that spec may be writing at this moment.
        """

        def prune(record: IndexRecord, store: "ChunkStore") -> None:
            if record.state is not IndexState.LIVE and record.spec is not None:
                store.prune(tenant, document_id, keep=keep(record.spec))

        self._each(prune)

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        """Change who may read a document, wherever it is."""
        self._each(
            lambda _, store: store.set_access(tenant, document_id, readers=readers, level=level)
        )

    def set_facts(
        self,
        tenant: str,
        document_id: str,
        *,
        facts: frozenset[str],
        modified: datetime | None,
    ) -> None:
        """Change what a search finds a document's chunks by, wherever it is."""
        self._each(
            lambda _, store: store.set_facts(tenant, document_id, facts=facts, modified=modified)
        )

    def set_language(self, tenant: str, document_id: str, spoken: "Spoken") -> None:
        """Have a document's chunks found by words of the language that it is in, wherever it is.

        An index that is being built writes it anew, since its stamp is another one by now.
        """

        def respeak_in(record: IndexRecord, store: "ChunkStore") -> None:
            if record.state is IndexState.BUILDING or record.spec is None:
                return
            version = self._catalog.at(record.id).documents.live_version(tenant, document_id)
            if version is not None:
                encoder = self._lexical().as_made(record.spec.lexical)
                respeak(store, encoder, tenant, document_id, version, spoken)

        self._each(respeak_in)
        self.flush()

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        self._each(lambda _, store: store.flush())

    def _each(self, act: Callable[[IndexRecord, "ChunkStore"], None]) -> None:
        for record in self._records():
            try:
                act(record, self._indexes.store(record))
            except StoreError:
                if self._indexes.is_there(record):  # else it has just been removed
                    raise

    def _records(self) -> list[IndexRecord]:
        return [
            record
            for record in self._catalog.indexes.all()
            if record.state is not IndexState.DROPPING
        ]
