"""What documents are made of, for integrators: chunks, the original, the whole to take along."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import Chunk, PageText
from sovereign_rag.errors import Forbidden, NotFound
from sovereign_rag.indexes.open_indexes import OpenIndex
from sovereign_rag.settings import LabelSettings
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import DenseQuery, SearchFilter, point_id


def require_taking_along(labels: LabelSettings, level: int) -> None:
    """Raises Forbidden: what is of this level may be read here, and leaves as no file."""
    if not labels.may_be_taken_along(level):
        raise Forbidden(
            f"Documents and answers of level {level} may be read here, and not be downloaded or "
            "exported: labels.levels of the settings says so."
        )


@dataclass(frozen=True, slots=True)
class ChunkPage:
    """Some chunks of a document's live version, in its order."""

    chunks: tuple[Chunk, ...]
    total: int
    following: int | None  # the `after` of the next page; None: this is the last


class DocumentContents:
    """Handed out within the caller's rights, each time on the audit record first."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        audit: AuditTrail,
        index: Callable[[], OpenIndex],
        labels: LabelSettings,
    ) -> None:
        """`index` gives the index in use; `labels` say what may be taken along."""
        self._labels = labels
        self._catalog, self._content, self._audit, self._index = catalog, content, audit, index

    def chunks(
        self, document_id: str, principal: Principal, *, limit: int, after: int | None = None
    ) -> ChunkPage:
        """What of a document is embedded and found.

        Args:
            limit: Most chunks to return, 1 or more.
            after: The `following` of the page before.

        Raises:
            Forbidden: Its level may be read here, and not taken along.
            NotFound: Missing, or not this principal's to read.
            AuditError: It can't be recorded; nothing is released.
        """
        index, scope = self._index(), read_scope(principal)
        record = self._catalog.at(index.record.id).documents.get(document_id, scope)
        require_taking_along(self._labels, record.level)
        begin = 0 if after is None else min(after + 1, record.chunks)
        places = range(begin, min(begin + limit, record.chunks))
        ids = frozenset(point_id(record.id, record.version, place) for place in places)
        found: Sequence[Chunk] = ()
        if ids:
            # Any direction will do: all of them come back, through the rights of every search.
            anywhere = np.full(index.spec.dimension, index.spec.dimension**-0.5, np.float32)
            asked = DenseQuery(anywhere, len(ids), SearchFilter(chunks=ids))
            (hits,) = index.store.search([asked], scope)
            found = sorted((hit.chunk for hit in hits), key=lambda chunk: chunk.index)
        shown = {"first": places.start, "chunks": len(found)}
        self._record("chunks", principal, record, shown)
        following = places.stop - 1 if places.stop < record.chunks else None
        return ChunkPage(tuple(found), record.chunks, following)

    def original(self, document_id: str, principal: Principal) -> tuple[DocumentRecord, Path]:
        """A document with the file that it was taken in from.

        Raises:
            Forbidden: Its level may be read here, and not taken along.
            NotFound, AuditError: As `chunks`.
        """
        record = self._for_taking_along(document_id, principal)
        path = self._content.original(record.content_hash)
        self._record("original", principal, record, {"sha256": record.content_hash})
        return record, path

    def export(
        self, document_id: str, principal: Principal
    ) -> tuple[DocumentRecord, tuple[PageText, ...]]:
        """A document with all of its text. Raises as `original`."""
        record = self._for_taking_along(document_id, principal)
        parsed = self._content.parsed(record.content_hash, record.parse_key)
        if parsed is None:
            raise NotFound("The document's text is not in the data folder; ingest it again.")
        self._record("export", principal, record, {"pages": len(parsed.pages)})
        return record, parsed.pages

    def _for_taking_along(self, document_id: str, principal: Principal) -> DocumentRecord:
        record = self._readable(document_id, principal)
        require_taking_along(self._labels, record.level)
        return record

    def _readable(self, document_id: str, principal: Principal) -> DocumentRecord:
        return self._catalog.documents.get(document_id, read_scope(principal))

    def _record(
        self,
        action: str,
        principal: Principal,
        record: DocumentRecord,
        detail: Mapping[str, object],
    ) -> None:
        known = {"document": record.id, "version": record.version}
        self._audit.append(entry(action, principal, {**known, **detail}))
