"""The one adapter to Qdrant: stock client calls, to the embedded engine's process or a server."""

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
    NO_FILTER,
    DenseQuery,
    FacetField,
    Hit,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
    point_id,
)
from sovereign_rag.store.queries import can_match, is_found, request_of, stored_weight, weighing
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
        return self.search_and_weigh(queries, (), scope)[0]

    def search_and_weigh(
        self, queries: Sequence[DenseQuery | LexicalQuery], terms: Sequence[int], scope: ReadScope
    ) -> tuple[list[list[Hit]], Mapping[int, float]]:
        """The frequencies are asked of the engine: one query a term, over the tenant, for a point.

        Its score is idf * 1 * the stored weight, which comes along, so the quotient is the very
        value that a lexical search multiplies by. Nothing of the point but its weights leaves
        the engine. A sharded collection keeps statistics a shard; the rarest shard's count here.
        """
        distinct = list(dict.fromkeys(terms))
        requests = self._requests(queries, scope)
        weights = [weighing(term, scope) for term in distinct]
        answers = self._query([*requests.values(), *weights])
        found = self._hits(queries, dict(zip(requests, answers, strict=False)), scope)
        values: dict[int, float] = {}
        for term, points in zip(distinct, answers[len(requests) :], strict=True):
            weight = stored_weight(points[0], term) if points else 0.0
            if weight > 0:
                values[term] = points[0].score / weight
        if len(values) < len(distinct):
            # An exact count would look at every point, for the logarithm of its number.
            chunks = self._count(of_tenant(scope.tenant), exact=False)
            nowhere = math.log(1 + (chunks + 0.5) / 0.5)
            values |= {term: nowhere for term in distinct if term not in values}
        return found, values

    def scores(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[Mapping[str, float]]:
        requests = self._requests(queries, scope)
        for request in requests.values():
            request.with_payload = False
        found: list[Mapping[str, float]] = [{} for _ in queries]
        for place, points in zip(requests, self._query(list(requests.values())), strict=True):
            found[place] = {
                str(point.id): point.score for point in points if is_found(point, queries[place])
            }
        return found

    def idf(self, terms: Sequence[int], scope: ReadScope) -> Mapping[int, float]:
        return self.search_and_weigh((), terms, scope)[1]

    def count(self, scope: ReadScope, search_filter: SearchFilter = NO_FILTER) -> int:
        return self._count(filter_of(scope, search_filter)) if is_open(search_filter, scope) else 0

    def facet(
        self, field: FacetField, scope: ReadScope, search_filter: SearchFilter = NO_FILTER
    ) -> Mapping[str, int]:
        if not is_open(search_filter, scope):
            return {}
        with self._asking():
            found = self._client.facet(
                self._collection,
                field,
                facet_filter=filter_of(scope, search_filter),
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

    def _requests(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> dict[int, models.QueryRequest]:
        """By the place of the query; without those that nothing can match."""
        for query in queries:
            if isinstance(query, DenseQuery) and query.vector.shape != (self._dimension,):
                raise self._mismatch(self._dimension, offered=query.vector.size)
        return {
            place: request_of(query, scope)
            for place, query in enumerate(queries)
            if can_match(query, scope)
        }

    def _hits(
        self,
        queries: Sequence[DenseQuery | LexicalQuery],
        answers: Mapping[int, Sequence[models.ScoredPoint]],
        scope: ReadScope,
    ) -> list[list[Hit]]:
        """Read, checked against the scope, and in order: the engine's is free among equals."""
        read: dict[str, Hit] = {}  # what several legs found is read once
        found: list[list[Hit]] = [[] for _ in queries]
        for place, points in answers.items():
            for point in points:
                if not is_found(point, queries[place]):
                    continue
                known = read.get(str(point.id))
                hit = replace(known, score=point.score) if known else to_hit(point)
                if self._is_allowed(hit, scope):
                    read[hit.id] = hit
                    found[place].append(hit)
            found[place].sort(key=lambda hit: (-hit.score, hit.id))
        return found

    def _query(self, requests: list[models.QueryRequest]) -> list[list[models.ScoredPoint]]:
        answers: list[list[models.ScoredPoint]] = []
        for batch in _batches(requests, SEARCH_BATCH):
            with self._asking():
                # The client's own method copies every request deeply, on the look-out for texts
                # to embed; that takes longer than many a search.
                found = self._client.http.search_api.query_batch_points(
                    self._collection,
                    query_request_batch=models.QueryRequestBatch(searches=list(batch)),
                )
            answers += [response.points for response in found.result or []]
        return answers

    def _count(self, condition: models.Filter, *, exact: bool = True) -> int:
        with self._asking():
            return self._client.count(self._collection, condition, exact=exact).count

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


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
