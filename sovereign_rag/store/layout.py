"""A collection as the store needs it: looked at before it is used, made and mended by `make`."""

from typing import Final

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from sovereign_rag.errors import StoreError
from sovereign_rag.store.filters import document
from sovereign_rag.store.schema import (
    DENSE,
    PAYLOAD_INDEXES,
    ServerLayout,
    create_request,
    majority,
)

_AGREEMENT_S: Final = 60  # a busy cluster was seen to take 35 s to agree on a new collection


class Layout:
    """Of one collection. Raises StoreError, and whatever the client raises."""

    def __init__(
        self, client: QdrantClient, collection: str, dimension: int, server: ServerLayout | None
    ) -> None:
        """`server` None: as the embedded engine wants it."""
        self._client, self._collection = client, collection
        self._dimension, self._server = dimension, server

    def check(self, *, writes: bool = False) -> None:
        """See that the collection is there, is ours, and can work, or be written to, too.

        Raises:
            StoreError: It isn't made yet, holds other vectors, or the server says that it is red.
        """
        info = self._info()
        if info is None:
            raise StoreError(
                f"The collection {self._collection!r} isn't made yet. The service makes it when "
                "it starts, as `sovereign-rag init` does; try again in a moment."
            )
        self._check(info)
        if writes:
            nothing = models.FilterSelector(filter=document("", ""))
            self._client.delete(self._collection, nothing, wait=True)

    def is_whole(self) -> bool:
        """Whether nothing is left for `make` to do. Raises StoreError as `check`."""
        info = self._info()
        if info is None:
            return False
        self._check(info)
        return not self._missing_indexes(info) and self._wanted_factor(info) is None

    def make(self) -> None:
        """Make the collection, or what it lacks of what this version wants.

        Several may do so at once, and it may be done any number of times; one at a time is kinder
        to a cluster, which has to agree on each step.
        """
        info = self._info()
        if info is None:
            self._create()
            info = self._client.get_collection(self._collection)
        self._check(info)
        for field in self._missing_indexes(info):
            self._client.create_payload_index(
                self._collection,
                field,
                PAYLOAD_INDEXES[field],
                wait=True,
                timeout=_AGREEMENT_S if self._server else None,
            )
        factor = self._wanted_factor(info)
        if factor is not None:
            self._client.update_collection(
                self._collection,
                collection_params=models.CollectionParamsDiff(write_consistency_factor=factor),
                timeout=_AGREEMENT_S,
            )

    def mismatch(self, stored: int, *, offered: int) -> StoreError:
        return StoreError(
            f"The collection {self._collection!r} holds vectors of {stored} numbers and was "
            f"offered {offered}. The embedding model has changed: set embedding.model back, or "
            "choose another store.collection and ingest again."
        )

    def _info(self) -> models.CollectionInfo | None:
        try:
            return self._client.get_collection(self._collection)
        except UnexpectedResponse as error:
            if error.status_code != 404:
                raise
            return None

    def _check(self, info: models.CollectionInfo) -> None:
        vectors = info.config.params.vectors
        dense = vectors.get(DENSE) if isinstance(vectors, dict) else None
        if dense is None:
            raise StoreError(
                f"The collection {self._collection!r} wasn't made by this product: it has no "
                f"vector {DENSE!r}. Choose another name (store.collection)."
            )
        if dense.size != self._dimension:
            raise self.mismatch(dense.size, offered=self._dimension)
        if info.status is models.CollectionStatus.RED:
            raise StoreError(
                f"The Qdrant server says that the collection {self._collection!r} is red: an "
                f"operation on it failed ({info.optimizer_status}). Its log says which; restart "
                "the node when the cause is gone."
            )

    def _missing_indexes(self, info: models.CollectionInfo) -> list[str]:
        return [field for field in PAYLOAD_INDEXES if field not in info.payload_schema]

    def _wanted_factor(self, info: models.CollectionInfo) -> int | None:
        """How many of the copies that the collection has must take a write; None: as it is."""
        if self._server is None:
            return None
        params = info.config.params
        wanted = majority(params.replication_factor or 1)
        return None if (params.write_consistency_factor or 1) == wanted else wanted

    def _create(self) -> None:
        wanted = create_request(self._dimension, self._server)
        try:
            self._client.create_collection(
                self._collection,
                vectors_config=wanted.vectors,
                sparse_vectors_config=wanted.sparse_vectors,
                shard_number=wanted.shard_number,
                replication_factor=wanted.replication_factor,
                write_consistency_factor=wanted.write_consistency_factor,
                on_disk_payload=wanted.on_disk_payload,
                strict_mode_config=wanted.strict_mode_config,
                timeout=_AGREEMENT_S if self._server else None,
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # 409: another process was faster
                raise
