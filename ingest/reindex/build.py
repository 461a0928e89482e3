"""Another index beside the live one: built from what is stored, switched to, gone back from.

    wanted -> an index of its own -> every document, until none is missing -> switch -> the old one

Every step may run twice, and a crash between any two loses nothing: what an index holds is in the
catalog, document by document, and the same call goes on from there. Documents that are taken in,
changed, given other readers or deleted meanwhile are told by their stamps, and caught up with.
The switch is one transaction, which only an index that holds everything passes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Protocol

from ingest.leases.heartbeat import LeaseHeartbeat, since_boot
from ingest.leases.lease import DocumentLease, NoLease
from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.index_spec import IndexSpec
from sovereign_rag.catalog.indexes import Coverage, IndexRecord, Outdated
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import ParsedDocument
from sovereign_rag.errors import DocumentError, EnvironmentFault, NotFound, StoreError
from sovereign_rag.indexes.open_indexes import OpenIndex, OpenIndexes
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.connect import alias, first_collection
from sovereign_rag.system.holder import holder_name, is_dead

log = logging.getLogger(__name__)

_PAGE = 500  # documents looked up at a time
_GROUP, _GROUP_CHUNKS = 16, 128  # written at a time: a crash costs no more than that
_LEAST_FREE = 512 << 20  # bytes of disk that are left to the live index
_IN_VAIN = 10  # passes in a row in which every document had changed before it was recorded
_LOCK = "reindex"
_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is."""

    done: int  # documents that the index holds, up to date
    total: int
    chunks: int  # written by this call
    seconds: float


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a build; it is whole where it was neither stopped nor lacks a document."""

    index: IndexRecord
    coverage: Coverage
    written: int  # documents, by this call
    seconds: float
    stopped: bool
    lacking: Mapping[str, str] = field(default_factory=dict)  # URI -> why it could not be written

    @property
    def is_whole(self) -> bool:
        return not self.stopped and not self.lacking


class IndexWriter(Protocol):
    """Writes documents into one index; the pipeline."""

    def copy(
        self,
        documents: Sequence[DocumentRecord],
        texts: Sequence[ParsedDocument],
        lease: DocumentLease,
    ) -> list[tuple[str, int]]: ...


class Reindexing:
    """Builds, switches and drops indexes; one process at a time, see `lease`."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        audit: AuditTrail,
        indexes: OpenIndexes,
        pipeline: Callable[[OpenIndex], IndexWriter],
        free: Callable[[], int],
        settings: Settings,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        """
        Args:
            pipeline: Gives the pipeline into an index.
            free: Gives the bytes that the disk has left.
            clock: Seconds; whether the lease still stands is told by it.
        """
        self._catalog, self._content, self._audit = catalog, content, audit
        self._indexes, self._pipeline, self._settings = indexes, pipeline, settings
        self._free, self._clock = free, clock

    @contextmanager
    def lease(self) -> Iterator[LeaseHeartbeat]:
        """The right to do what follows, which one process has at a time.

        Raises:
            Busy: Another process has it.
        """
        locks, holder = self._catalog.locks, holder_name()
        held_by = locks.holder(_LOCK)
        if held_by is not None and is_dead(held_by):
            locks.release(_LOCK, held_by)
        locks.acquire(_LOCK, holder, lease_s=_LEASE_S, doing="building or switching an index")
        renew = partial(locks.renew, _LOCK, holder, lease_s=_LEASE_S)
        try:
            with LeaseHeartbeat("the indexes", renew, lease_s=_LEASE_S, clock=self._clock) as beat:
                yield beat
        finally:
            locks.release(_LOCK, holder)

    def unfinished(self) -> IndexRecord | None:
        """The index that a build was begun of and not brought to its end."""
        building = [r for r in self._catalog.indexes.all() if r.state is IndexState.BUILDING]
        return building[-1] if building else None

    def previous(self) -> IndexRecord:
        """The index that was live before this one. Raises NotFound."""
        kept = [r for r in self._catalog.indexes.all() if r.state is IndexState.PREVIOUS]
        if not kept:
            raise NotFound("No earlier index is kept: there is nothing to go back to.")
        return max(kept, key=lambda record: record.switched or record.created)

    def begin(self, wanted: IndexSpec) -> IndexRecord:
        """The index to build: the unfinished one where it is made so, else a new one.

        An unfinished one that is made otherwise is removed.
        """
        known = self.unfinished()
        if known is not None and known.spec is not None and not known.spec.differences(wanted):
            return known
        if known is not None:
            self.drop(known)
        name = first_collection(self._settings, wanted.model_id)
        return self._catalog.indexes.begin(wanted, lambda number: f"{name}-{number}")

    def build(
        self,
        index: IndexRecord,
        lease: LeaseHeartbeat,
        *,
        on_progress: Callable[[BuildProgress], None] = lambda progress: None,
        stop: threading.Event | None = None,
    ) -> Built:
        """Write into an index what it lacks, until it holds every live document as it is now.

        Args:
            index: That is being built, or to be gone back to.
            lease: Of `lease`; it is looked at before each group of documents.
            on_progress: Called after each group of documents.
            stop: Set it to stop after the documents at hand; the same call goes on from there.

        Raises:
            EnvironmentFault: The lease has ended, or this machine is at fault, its disk perhaps;
                the live index is as it was, and the same call goes on.
        """
        stop, begin = stop or threading.Event(), time.monotonic()
        work = _Work(self._catalog, self._content, self._indexes.open(index), self._free)
        pipeline = self._pipeline(work.index)
        more, in_vain = True, 0
        while more and not stop.is_set():
            work.remove_what_is_gone()
            found, had = self._catalog.indexes.coverage(index.id), work.written
            more, before = False, found.current - had
            for group in work.missing():
                more = True
                lease.require()
                work.write(group, pipeline)
                done, elapsed = before + work.written, time.monotonic() - begin
                on_progress(BuildProgress(done, found.documents, work.chunks, elapsed))
                if stop.is_set():
                    break
            in_vain = in_vain + 1 if work.written == had else 0
            if more and in_vain == _IN_VAIN:
                raise EnvironmentFault(
                    "The vector store does not keep what is written, or the same documents change "
                    "all the time; see the logs of both, and run the same command again."
                )
        return Built(
            index=index,
            coverage=self._catalog.indexes.coverage(index.id),
            written=work.written,
            seconds=round(time.monotonic() - begin, 2),
            stopped=stop.is_set(),
            lacking=work.lacking,
        )

    def switch(
        self,
        index: IndexRecord,
        principal: Principal,
        lease: LeaseHeartbeat,
        *,
        on_progress: Callable[[BuildProgress], None] = lambda progress: None,
        stop: threading.Event | None = None,
    ) -> Built:
        """Make an index the live one, in one moment, once it holds every document as it is now.

        The one that was live is kept for a way back; one that was kept before it is removed. Where
        the result is not whole, nothing was switched.

        Raises:
            EnvironmentFault: As `build`.
        """
        live = self._catalog.indexes.live()
        while True:
            built = self.build(index, lease, on_progress=on_progress, stop=stop)
            if not built.is_whole:
                return built
            lease.require()
            if self._catalog.indexes.switch_to(index.id):
                break  # else something has changed since
        self._audit.append(
            entry("reindex.switch", principal, {"index": index.id, "before": live.id})
        )
        try:
            self.finish_interrupted()
        except StoreError as error:  # what is left to do is done by the next call
            log.warning("Index %d is live; an older one could not be removed: %s", index.id, error)
        return built

    def drop(self, index: IndexRecord) -> None:
        """Remove an index that is not live, with its collection and the vectors kept for it.

        Raises:
            BadInput: It is the live one.
        """
        self._catalog.indexes.drop(index.id)
        self._indexes.collections.drop(index.collection)
        left = [r.spec for r in self._catalog.indexes.all() if r.id != index.id]
        models = {spec.model_id for spec in left if spec is not None}
        if index.spec is not None and index.spec.model_id not in models:
            self._content.drop_vectors(index.spec.model_id)
        self._catalog.indexes.forget(index.id)

    def finish_interrupted(self) -> None:
        """Do what follows from a switch: an alias, and the end of what is not kept any more."""
        known = self._catalog.indexes.all()
        kept = [record for record in known if record.state is IndexState.PREVIOUS]
        for record in known:
            if record.state is IndexState.LIVE and len(known) > 1:
                self._indexes.collections.call(record.collection, alias(self._settings))
            elif record.state is IndexState.DROPPING or (
                record in kept and record != self.previous()
            ):
                self.drop(record)


class _Work:
    """One call's work on one index."""

    def __init__(
        self,
        catalog: Catalog,
        content: ContentStore,
        index: OpenIndex,
        free: Callable[[], int],
    ) -> None:
        self.index = index
        self.written, self.chunks = 0, 0
        self.lacking: dict[str, str] = {}  # URI -> why
        self._left_out: set[str] = set()  # their ids
        self._catalog, self._content, self._free = catalog, content, free
        self._number = index.record.id

    def remove_what_is_gone(self) -> None:
        """Remove the chunks of documents that were deleted while theirs were being written."""
        gone = self._catalog.indexes.removable(self._number)
        for tenant, id_ in gone:
            self.index.store.prune(tenant, id_, keep=None)
        if gone:
            self.index.store.flush()
            self._catalog.indexes.note_removed(self._number, [id_ for _, id_ in gone])

    def missing(self) -> Iterator[list[Outdated]]:
        """Documents to write, a few of one tenant at a time; those that can't be are left out."""
        after: str | None = None
        while page := self._catalog.indexes.outdated(self._number, limit=_PAGE, after=after):
            after = page[-1].record.id
            known = [found for found in page if found.record.id not in self._left_out]
            yield from _groups(known)

    def write(self, group: Sequence[Outdated], pipeline: IndexWriter) -> None:
        """Write documents and record them as written, unless they have changed meanwhile."""
        self._require_room()
        tenant = group[0].record.tenant
        texts = self._texts(group)
        group = [found for found in group if found.record.id in texts]
        if not group:
            return
        self._catalog.indexes.begin_writing(
            self._number, tenant, [found.record.id for found in group]
        )
        records = [found.record for found in group]
        try:
            written = pipeline.copy(records, [texts[r.id] for r in records], NoLease())
        except (DocumentError, ValueError) as error:  # of one of them: the others are written
            if len(group) > 1:
                for found in group:
                    self.write([found], pipeline)
            else:
                self._leave_out(records[0], str(error))
            return
        for found, (version, chunks) in zip(group, written, strict=True):
            store, id_ = self.index.store, found.record.id
            store.prune(tenant, id_, keep=version)
            # Fewer where it was deleted, or replaced, since: what is missing shows by its stamp.
            if store.versions(tenant, id_) == {
                version: chunks
            } and self._catalog.indexes.end_writing(
                self._number, tenant, id_, version=version, chunks=chunks, stamp=found.stamp
            ):
                self.written += 1
                self.chunks += chunks

    def _texts(self, group: Iterable[Outdated]) -> dict[str, ParsedDocument]:
        texts: dict[str, ParsedDocument] = {}
        for found in group:
            record = found.record
            text = self._content.parsed(record.content_hash, record.parse_key)
            if text is None:
                reason = (
                    "its text is not in the data folder any more; ingest it again, or delete it"
                )
                self._leave_out(record, reason)
            else:
                texts[record.id] = text
        return texts

    def _leave_out(self, record: DocumentRecord, reason: str) -> None:
        self.lacking[record.uri] = reason
        self._left_out.add(record.id)

    def _require_room(self) -> None:
        free = self._free()
        if free < _LEAST_FREE:
            raise EnvironmentFault(
                f"Only {free >> 20} MiB of disk are free, and {_LEAST_FREE >> 20} are left to the "
                "live index, which is as it was. Make room and run the same command: it goes on "
                "from here. `sovereign-rag reindex drop` removes what was built."
            )


def _groups(found: Sequence[Outdated]) -> Iterator[list[Outdated]]:
    in_order = sorted(found, key=lambda one: one.record.tenant)
    for _, of_tenant in groupby(in_order, key=lambda one: one.record.tenant):
        group: list[Outdated] = []
        chunks = 0
        for one in of_tenant:
            if group and (len(group) == _GROUP or chunks + one.record.chunks > _GROUP_CHUNKS):
                yield group
                group, chunks = [], 0
            group.append(one)
            chunks += one.record.chunks
        if group:
            yield group
