"""The one adapter to Qdrant: stock client calls, to the embedded engine's process or a server."""

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from sovereign_rag.access import ReadScope
from sovereign_rag.errors import StoreError
from sovereign_rag.store.filters import document, equals, filter_of, is_open, of_tenant
from sovereign_rag.store.protocol import (
    MOST_FACETS,
    NO_NARROWING,
    DenseQuery,
    FacetField,
    Hit,
    IndexedChunk,
    LexicalQuery,
    Narrowing,
    point_id,
)
from sovereign_rag.store.schema import (
    DENSE,
    LEXICAL,
    PAYLOAD_INDEXES,
    SEARCH_BATCH,
    UPSERT_BATCH,
    ServerLayout,
    create_request,
    from_point,
    to_hit,
    to_point,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_VERSIONS = 1_000  # of one document at one time; there are two while it is replaced


class QdrantStore:
    """Chunks in one Qdrant collection, which is made at the first call if it isn't there.

    `client` speaks to a server, or through a transport of ours to the embedded engine; nothing
    here knows the difference, save that the engine is laid out more simply and can be told to
    flush. Any number of threads and processes may use one collection.

    Rights are a filter inside every query, and every hit is checked against the scope again by
    the payload it came with; one that fails is dropped and logged as an error. Graph search
    under two conditions at once (tenant and readers) goes astray without ACORN (Qdrant's
    filtered graph walk), so it is always on; what the engine scans, it scans exactly.
    """

    def __init__(
        self,
        client: QdrantClient,
        *,
        collection: str,
        dimension: int,
        server: ServerLayout | None = None,
        place: str = "The Qdrant server",
        remedy: str = "Is it running, and is store.url its address?",
        flush: Callable[[], None] | None = None,
    ) -> None:
        """
        Args:
            collection: Its name, or an alias of it.
            server: How to lay out a new collection; None: as the embedded engine wants it.
            place: Whom error messages speak of.
            remedy: What to do when it doesn't answer.
            flush: Makes writes survive a power cut; a server does that by itself.
        """
        self._client = client
        self._collection = collection
        self._dimension = dimension
        self._server = server
        self._place = place
        self._remedy = remedy
        self._flush = flush
        self._ready = False
        self._getting_ready = threading.Lock()

    @property
    def collection(self) -> str:
        return self._collection

    def put(self, chunks: Sequence[IndexedChunk]) -> None:
        for indexed in chunks:
            if indexed.dense.shape != (self._dimension,):
                raise self._mismatch(self._dimension, offered=indexed.dense.size)
        for batch in _batches(chunks, UPSERT_BATCH):
            with self._asking():
                self._client.upsert(
                    self._collection, [to_point(indexed) for indexed in batch], wait=True
                )

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        doomed = document(tenant, document_id)
        if keep is not None:
            doomed.must_not = [equals("version", keep)]
        with self._asking():
            self._client.delete(
                self._collection,
                models.FilterSelector(filter=doomed),
                wait=True,
                ordering=models.WriteOrdering.STRONG,
            )

    def versions(self, tenant: str, document_id: str) -> dict[str, int]:
        with self._asking():
            found = self._client.facet(
                self._collection,
                "version",
                facet_filter=document(tenant, document_id),
                limit=_MOST_VERSIONS,
                exact=True,
            )
        return {str(hit.value): hit.count for hit in found.hits if hit.count}

    def stored(
        self, tenant: str, document_id: str, version: str, indexes: range
    ) -> list[IndexedChunk]:
        """By a search for their very ids: it asks nothing of an engine that others don't."""
        wanted = document(tenant, document_id)
        ids: list[models.ExtendedPointId] = [point_id(document_id, version, i) for i in indexes]
        must = wanted.must if isinstance(wanted.must, list) else []
        request = models.QueryRequest(
            query=[1.0] + [0.0] * (self._dimension - 1),
            using=DENSE,
            filter=models.Filter(must=[*must, models.HasIdCondition(has_id=ids)]),
            params=models.SearchParams(exact=True),
            limit=max(1, len(ids)),
            with_payload=True,
            with_vector=[DENSE, LEXICAL],
        )
        if not ids:
            return []
        (points,) = self._query([request])
        return sorted(map(from_point, points), key=lambda indexed: indexed.chunk.index)

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        with self._asking():
            self._client.set_payload(
                self._collection,
                {"readers": sorted(readers), "level": level},
                points=document(tenant, document_id),
                wait=True,
                ordering=models.WriteOrdering.STRONG,
            )

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        requests = {
            place: self._request(query, scope)
            for place, query in enumerate(queries)
            if _can_match(query, scope)
        }
        found: list[list[Hit]] = [[] for _ in queries]
        for place, points in zip(requests, self._query(list(requests.values())), strict=True):
            # The engine's order is free among equal scores; a small filtered set may be scanned
            # whole by the sparse index, with 0 for what shares no term.
            lexical = isinstance(queries[place], LexicalQuery)
            hits = [to_hit(point) for point in points if point.score > 0 or not lexical]
            allowed = [hit for hit in hits if self._is_allowed(hit, scope)]
            found[place] = sorted(allowed, key=lambda hit: (-hit.score, hit.id))
        return found

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        """Asked of the engine itself: one query a term, over the whole tenant, for one point.

        Its score is idf * 1 * the stored weight, which comes along, so the quotient is the very
        value that a lexical search multiplies by. Nothing of the point but its weights leaves
        the engine. A sharded collection keeps statistics a shard; the rarest shard's count here.
        """
        tenant = of_tenant(scope.tenant)
        distinct = list(dict.fromkeys(terms))
        asked = [
            models.QueryRequest(
                query=models.SparseVector(indices=[term], values=[1.0]),
                using=LEXICAL,
                filter=tenant,
                params=_lexical_params(scope),
                limit=1,
                with_payload=False,
                with_vector=[LEXICAL],
            )
            for term in distinct
        ]
        values: dict[int, float] = {}
        for term, points in zip(distinct, self._query(asked), strict=True):
            weight = _stored_weight(points[0], term) if points else 0.0
            if weight > 0:
                values[term] = points[0].score / weight
        if len(values) < len(distinct):
            nowhere = math.log(1 + (self._count(tenant) + 0.5) / 0.5)
            values |= {term: nowhere for term in distinct if term not in values}
        return values

    def count(self, scope: ReadScope, narrowing: Narrowing = NO_NARROWING) -> int:
        return self._count(filter_of(scope, narrowing)) if is_open(narrowing, scope) else 0

    def facet(
        self, field: FacetField, scope: ReadScope, narrowing: Narrowing = NO_NARROWING
    ) -> Mapping[str, int]:
        if not is_open(narrowing, scope):
            return {}
        with self._asking():
            found = self._client.facet(
                self._collection,
                field,
                facet_filter=filter_of(scope, narrowing),
                limit=MOST_FACETS,
                exact=True,
            )
        counts = {str(hit.value): hit.count for hit in found.hits if hit.count}
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def flush(self) -> None:
        """A server writes its log before it answers; the embedded engine is told to."""
        if self._flush is not None:
            with self._asking():
                self._flush()

    def close(self) -> None:
        self._client.close()

    def _request(self, query: DenseQuery | LexicalQuery, scope: ReadScope) -> models.QueryRequest:
        if isinstance(query, LexicalQuery):
            vector = query.vector
            asked: list[float] | models.SparseVector = models.SparseVector(
                indices=list(vector.indices), values=list(vector.values)
            )
        elif query.vector.shape == (self._dimension,):
            asked = query.vector.tolist()
        else:
            raise self._mismatch(self._dimension, offered=query.vector.size)
        return models.QueryRequest(
            query=asked,
            using=LEXICAL if isinstance(query, LexicalQuery) else DENSE,
            filter=filter_of(scope, query.narrowing),
            params=_lexical_params(scope) if isinstance(query, LexicalQuery) else _DENSE_PARAMS,
            limit=query.limit,
            with_payload=True,
        )

    def _query(self, requests: list[models.QueryRequest]) -> list[list[models.ScoredPoint]]:
        answers: list[list[models.ScoredPoint]] = []
        for batch in _batches(requests, SEARCH_BATCH):
            with self._asking():
                found = self._client.query_batch_points(self._collection, list(batch))
            answers += [response.points for response in found]
        return answers

    def _count(self, condition: models.Filter) -> int:
        with self._asking():
            return self._client.count(self._collection, condition, exact=True).count

    def _is_allowed(self, hit: Hit, scope: ReadScope) -> bool:
        if scope.allows(tenant=hit.tenant, readers=hit.readers, level=hit.level):
            return True
        log.error("Chunk %s came back outside the scope that was asked; it was dropped.", hit.id)
        return False

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Make sure of the collection, then translate what the client raises."""
        try:
            if not self._ready:
                with self._getting_ready:
                    if not self._ready:
                        self._make_ready()
                        self._ready = True
            yield
        except ResponseHandlingException as error:
            if isinstance(error.source, StoreError):  # from the engine's transport
                raise error.source from error
            raise StoreError(
                f"{self._place} doesn't answer ({error.source or error}). {self._remedy}"
            ) from error
        except UnexpectedResponse as error:
            raise StoreError(self._refusal(error)) from error
        except (ApiException, QdrantException) as error:
            raise StoreError(
                f"{self._place} is too busy or in trouble ({error}); try again later."
            ) from error

    def _make_ready(self) -> None:
        try:
            info = self._client.get_collection(self._collection)
        except UnexpectedResponse as error:
            if error.status_code != 404:
                raise
            self._create()
            info = self._client.get_collection(self._collection)
        vectors = info.config.params.vectors
        dense = vectors.get(DENSE) if isinstance(vectors, dict) else None
        if dense is None:
            raise StoreError(
                f"The collection {self._collection!r} wasn't made by this product: it has no "
                f"vector {DENSE!r}. Choose another name (store.collection)."
            )
        if dense.size != self._dimension:
            raise self._mismatch(dense.size, offered=self._dimension)
        for field, schema in PAYLOAD_INDEXES.items():
            if field not in info.payload_schema:
                self._client.create_payload_index(self._collection, field, schema, wait=True)

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
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # 409: another process was faster
                raise

    def _mismatch(self, stored: int, *, offered: int) -> StoreError:
        return StoreError(
            f"The collection {self._collection!r} holds vectors of {stored} numbers and was "
            f"offered {offered}. The embedding model has changed: set embedding.model back, or "
            "choose another store.collection and ingest again."
        )

    def _refusal(self, error: UnexpectedResponse) -> str:
        if error.status_code in {401, 403}:
            return f"{self._place} refuses our key: set store.api_key to one that may write."
        if error.status_code == 404:
            return (
                f"The collection {self._collection!r} is gone from {self._place}. Restart, and "
                "ingest the documents again or restore a backup."
            )
        said = error.content.decode("utf-8", "replace")[:300]
        return f"{self._place} refused with status {error.status_code}: {said}"


_DENSE_PARAMS = models.SearchParams(
    hnsw_ef=128,
    acorn=models.AcornSearchParams(enable=True, max_selectivity=0.2),
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0),
)


def _lexical_params(scope: ReadScope) -> models.SearchParams:
    """Statistics of the tenant alone: exact, and silent about what other tenants write."""
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=of_tenant(scope.tenant)))


def _can_match(query: DenseQuery | LexicalQuery, scope: ReadScope) -> bool:
    has_terms = not isinstance(query, LexicalQuery) or bool(query.vector.indices)
    return query.limit > 0 and has_terms and is_open(query.narrowing, scope)


def _stored_weight(point: models.ScoredPoint, term: int) -> float:
    stored = point.vector.get(LEXICAL) if isinstance(point.vector, dict) else None
    if not isinstance(stored, models.SparseVector) or term not in stored.indices:
        return 0.0
    return stored.values[stored.indices.index(term)]


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
