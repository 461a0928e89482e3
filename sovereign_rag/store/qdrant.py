"""The one adapter to Qdrant: stock client calls, to the embedded engine's process or a server."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
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
from sovereign_rag.store.fence import FIELD, MOST_VALUES, new_writing, written
from sovereign_rag.store.filters import document, filter_of, is_open, of_ids, of_tenant
from sovereign_rag.store.late import LateWrites
from sovereign_rag.store.layout import Layout
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
from sovereign_rag.store.queries import (
    by_ids,
    can_match,
    is_found,
    request_of,
    stored_weight,
    weighing,
)
from sovereign_rag.store.schema import (
    SEARCH_BATCH,
    UPSERT_BATCH,
    ServerLayout,
    from_point,
    to_hit,
    to_point,
)
from sovereign_rag.store.sealed_texts import TextSealer, opened, resealed, sealed
from sovereign_rag.system.tracing import span

log = logging.getLogger(__name__)
T = TypeVar("T")


class QdrantStore:
    """Chunks in one Qdrant collection, which `make` makes, once, and nothing else.

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
        late: LateWrites | None = None,
        sealer: TextSealer | None = None,
    ) -> None:
        """
        Args:
            collection: Its name, or an alias of it.
            server: How to lay out a new collection; None: as the embedded engine wants it.
            place: Whom error messages speak of.
            remedy: What to do when it doesn't answer.
            flush: Makes writes survive a power cut; a server does that by itself.
            late: Watches over writes that may be done after they were given up; None: none are.
            sealer: Seals what chunks say; None: it is stored as it is.
        """
        self._client, self._collection = client, collection
        self._dimension = dimension
        self._layout = Layout(client, collection, dimension, server)
        self._place = place
        self._remedy = remedy
        self._flush, self._sealer, self._late, self._ready = flush, sealer, late, False

    @property
    def collection(self) -> str:
        return self._collection

    def is_made(self) -> bool:
        with self._in_our_words():
            return self._layout.is_whole()

    def make(self) -> None:
        with self._in_our_words():
            self._layout.make()

    def check(self, *, writes: bool = False) -> None:
        with self._changing(set()) if writes else self._in_our_words():
            self._layout.check(writes=writes)

    def put(self, chunks: Sequence[IndexedChunk]) -> None:
        for indexed in chunks:
            if indexed.dense.shape != (self._dimension,):
                raise self._layout.mismatch(self._dimension, offered=indexed.dense.size)
        writing = new_writing()
        for batch in _batches(chunks, UPSERT_BATCH):
            with self._changing({(i.tenant, i.chunk.document_id) for i in batch}):
                points = [to_point(sealed(indexed, self._sealer), writing) for indexed in batch]
                self._client.upsert(self._collection, points, wait=True)

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        doomed = self.versions(tenant, document_id)
        doomed.pop(keep or "", None)
        if not doomed:
            return
        for these in written(self._facet, tenant, document_id, doomed, but=None):
            with self._changing({(tenant, document_id)}):
                self._client.delete(
                    self._collection,
                    models.FilterSelector(filter=these),
                    wait=True,
                    ordering=models.WriteOrdering.STRONG,
                )

    def versions(self, tenant: str, document_id: str) -> dict[str, int]:
        return self._facet("version", document(tenant, document_id))

    def stored(
        self, tenant: str, document_id: str, version: str, indexes: range
    ) -> list[IndexedChunk]:
        points = self._points(tenant, document_id, version, indexes)
        found = (from_point(point, self._sealer) for point in points)
        return sorted(found, key=lambda indexed: indexed.chunk.index)

    def seal_texts(self, tenant: str, document_id: str, version: str, indexes: range) -> int:
        changed = 0
        for point in self._points(tenant, document_id, version, indexes):
            payload = resealed(to_hit(point), self._sealer)
            if payload is not None:
                alone, words = of_ids(tenant, document_id, [str(point.id)]), dict(payload)
                with self._asking():
                    self._client.set_payload(self._collection, words, points=alone, wait=True)
                changed += 1
        return changed

    def _points(
        self, tenant: str, document_id: str, version: str, indexes: range
    ) -> list[models.ScoredPoint]:
        ids = [point_id(document_id, version, i) for i in indexes]
        chosen = of_ids(tenant, document_id, ids)
        return self._query([by_ids(chosen, len(ids), self._dimension)])[0] if ids else []

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        self._set(tenant, document_id, {"readers": sorted(readers), "level": level})

    def set_facts(
        self,
        tenant: str,
        document_id: str,
        *,
        facts: frozenset[str],
        modified: datetime | None,
    ) -> None:
        payload: dict[str, object] = {"facts": sorted(facts)}
        if modified is not None:
            payload["modified"] = int(modified.timestamp())
        self._set(tenant, document_id, payload)

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
            named = (point for point in points if is_found(point, queries[place]))
            found[place] = {str(point.id): point.score for point in named}
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
                # Nobody looks a count up in the catalog: no copy that lags behind gives it.
                consistency=models.ReadConsistencyType.MAJORITY,
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

    def _set(self, tenant: str, document_id: str, payload: dict[str, object]) -> None:
        """Change the payload of all points of a document; it counts as a new writing of them."""
        stored, writing = self.versions(tenant, document_id), new_writing()
        for these in written(self._facet, tenant, document_id, stored, but=writing):
            with self._changing({(tenant, document_id)}):
                self._client.set_payload(
                    self._collection,
                    {**payload, FIELD: writing},
                    points=these,
                    wait=True,
                    ordering=models.WriteOrdering.STRONG,
                )

    def _facet(self, field: str, chosen: models.Filter) -> dict[str, int]:
        """How many points have each value; what is not listed is neither removed nor changed."""
        with self._asking():
            found = self._client.facet(
                self._collection,
                field,
                facet_filter=chosen,
                limit=MOST_VALUES,
                exact=True,
                consistency=models.ReadConsistencyType.MAJORITY,  # they have it all between them
            )
        return {str(hit.value): hit.count for hit in found.hits if hit.count}

    def _requests(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> dict[int, models.QueryRequest]:
        """By the place of the query; without those that nothing can match."""
        for query in queries:
            if isinstance(query, DenseQuery) and query.vector.shape != (self._dimension,):
                raise self._layout.mismatch(self._dimension, offered=query.vector.size)
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
                if self._is_allowed(hit, scope):  # before it is opened
                    read[hit.id] = hit = opened(hit, self._sealer)
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
    def _changing(self, concerned: Set[tuple[str, str]]) -> Iterator[None]:
        """Tell whoever keeps an eye on it where a node may yet do what it was asked.

        `concerned`: tenants and ids of the documents that are changed.
        """
        try:
            with span("store.write", documents=len(concerned)), self._asking():
                yield
        finally:
            if self._late is not None and self._late.may_come():
                for tenant, document_id in sorted(concerned):
                    self._late.note(tenant, document_id)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Look at the collection the first time, then translate what the client raises."""
        with self._in_our_words():
            if not self._ready:
                self._layout.check()
                self._ready = True
            yield

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
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
