"""A sync makes the index equal to its source: it looks, plans, and carries the plan out.

In this order, so that nobody reads for longer than need be what they should not: rights first,
then moves, then what is gone, and what is new or changed becomes a job. A sync that is cut off is
carried on by the next one.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from ingest.index.lifecycle import DocumentLifecycle
from ingest.jobs.ingestion import Ingestion, IngestProgress, IngestReport
from ingest.leases.heartbeat import LeaseHeartbeat, since_boot
from ingest.pipeline import Pipeline
from ingest.sources.access import Resolver
from ingest.sources.added import with_added
from ingest.sources.beside import FilesBeside
from ingest.sources.build import (
    NamedSource,
    chosen,
    open_source,
    policy_of,
    refuse_overlap,
)
from ingest.sources.source import DocumentSource, Entry
from ingest.sync.carry_out import PlanExecutor
from ingest.sync.plan import Change, Known, Plan, Questions, plan
from sovereign_rag.access import DEFAULT_TENANT, Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import JobRecord, TaskRecord
from sovereign_rag.catalog.sources import KnownDocument, SourceRecord
from sovereign_rag.errors import DocumentError, SyncRefused
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import Act, OperationRecorder
from sovereign_rag.services.remote_sources import RemoteSources
from sovereign_rag.services.stated import read_stated
from sovereign_rag.settings import Settings
from sovereign_rag.settings.sources import parse_max_delete
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.system.holder import holder_name, is_dead

log = logging.getLogger(__name__)

_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What somebody asks of one sync; None: as the settings say, or as it was the last time."""

    dry_run: bool = False
    verify: bool = False  # read everything, whatever time and size say
    max_delete: str | None = None
    readers: str | None = None  # of a folder that the settings don't name
    level: int | None = None
    access: str | None = None
    work: bool = True  # take in here what is new; False: leave it to the workers


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did, or would do."""

    source: str
    plan: Plan
    dry_run: bool
    job: JobRecord | None = None
    ingested: IngestReport | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class Sync:
    """Syncs sources with the index, one at a time each."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        audit: AuditTrail,
        operations: OperationRecorder,
        lifecycle: DocumentLifecycle,
        erasure: Erasure,
        pipeline: Callable[[], Pipeline],
        ingestion: Ingestion,
        settings: Settings,
        remote: RemoteSources,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        """`clock` gives seconds; whether a sync's lease still stands is told by it."""
        self._catalog, self._content, self._audit = catalog, content, audit
        self._pipeline, self._ingestion, self._settings = pipeline, ingestion, settings
        self._lifecycle, self._erasure, self._clock = lifecycle, erasure, clock
        self._operations, self._remote = operations, remote

    def named(self) -> Settings:
        """The settings, with the sources that were added on the console."""
        return with_added(self._settings, self._catalog, self._remote)

    def find(self, wanted: str, tenant: str = DEFAULT_TENANT) -> NamedSource:
        """The source that somebody means. Raises NotFound, BadInput."""
        return chosen(wanted, self.named(), self._catalog.sources.all(), tenant)

    def sync(
        self,
        source: NamedSource,
        principal: Principal,
        request: SyncRequest | None = None,
        *,
        on_progress: Callable[[IngestProgress], None] = lambda progress: None,
        on_task: Callable[[TaskRecord], None] = lambda task: None,
        stop: threading.Event | None = None,
    ) -> SyncReport:
        """Make the index equal to `source`, or say what that would take.

        Raises:
            SyncRefused: More would be deleted than is allowed; nothing was changed.
            Busy: Another process syncs it.
            BadInput: Its files are another source's, too.
            EnvironmentFault: The source can't be reached, or the sync can't be recorded; nothing
                was changed.
        """
        request = request or SyncRequest()
        source = _with_options(source, request)
        refuse_overlap(source, self.named(), self._catalog.sources.all())
        if request.dry_run:
            record = self._catalog.sources.find(source.section.tenant, source.name)
            with open_source(source, self._settings) as opened:
                made = self._plan(source, opened, record, request)
            return SyncReport(source.name, made, dry_run=True, counts=made.counts)
        with (
            self._leased(source, principal) as leased,
            open_source(source, self._settings) as opened,
        ):
            made = self._plan(source, opened, leased.record, request)
            self._refuse_mass_deletion(made, source, request)
            leased.lease.require()
            whose = replace(principal, tenant=source.section.tenant)
            begun = {"source": source.name, "plan": made.counts}
            with self._operations.begun("sync", whose, begun) as act:
                executor = self._executor(source, opened, leased, whose, act)
                job = executor.carry_out(made)
                act.outcome["counts"] = {**made.counts, **executor.corrections(made)}
                act.outcome["job"] = None if job is None else job.id
            ingested = None
            if job is not None and request.work:
                ingested = self._ingestion.work_off(
                    job, on_progress=on_progress, on_task=on_task, stop=stop
                )
            self._catalog.sources.confirm_items(leased.record.id)
            counts = {**made.counts, **executor.corrections(made)}
            leased.counts, leased.checkpoint = counts, {"facts_key": opened.facts_key}
        return SyncReport(source.name, made, False, job, ingested, counts)

    def _plan(
        self,
        source: NamedSource,
        opened: DocumentSource,
        record: SourceRecord | None,
        request: SyncRequest,
    ) -> Plan:
        tenant, listing = source.section.tenant, opened.list()
        waiting = (
            self._catalog.sources.confirm_items(record.id) if record is not None else frozenset()
        )
        # After settling, which forgets what was cancelled.
        items = self._catalog.sources.items(record.id) if record is not None else {}
        if record is not None and record.checkpoint.get("facts_key") != opened.facts_key:
            items = {target: replace(item, facts=None) for target, item in items.items()}
        known = Known(
            documents=self._catalog.sources.documents_below(tenant, opened.prefix),
            memberships=self._catalog.archives.memberships(tenant),
            waiting=waiting,
            items=items,
        )
        made = plan(
            listing,
            Resolver.of(policy_of(source.section), listing.sidecars),
            known,
            self._questions(opened, listing.beside),
            prefix=opened.prefix,
            tenant=tenant,
            verify=request.verify,
        )
        for wrong in made.invalid:
            log.warning("%s in %s: %s; nobody reads below", wrong.key, source.name, wrong.problem)
        for file in made.wrong:
            log.warning("%s in %s is passed over: %s", file.key, source.name, file.problem)
        return made

    def _questions(self, opened: DocumentSource, beside: Mapping[str, Entry]) -> Questions:
        pipeline = cache(self._pipeline)  # of the index that is live as the plan is made

        def is_current(document: KnownDocument) -> bool:
            if not document.version:
                return True
            return pipeline().version_of(document.content_hash) == document.version

        def facts(entry: Entry) -> tuple[str, ...] | None:
            return None if opened.facts_key is None else opened.facts(entry)

        kinds = self._settings.metadata.fields
        files = FilesBeside(beside, opened.blocks, partial(read_stated, kinds=kinds))
        return Questions(hash_of=_hash_of, facts=facts, is_current=is_current, beside=files)

    def _executor(
        self,
        source: NamedSource,
        opened: DocumentSource,
        leased: "_Leased",
        principal: Principal,
        act: Act,
    ) -> PlanExecutor:
        return PlanExecutor(
            catalog=self._catalog,
            content=self._content,
            lifecycle=self._lifecycle,
            erasure=self._erasure,
            ingestion=self._ingestion,
            source=opened,
            source_id=leased.record.id,
            tenant=source.section.tenant,
            principal=principal,
            act=act,
            max_bytes=self._settings.parse.max_file_mib << 20,
            check=leased.lease.require,
        )

    def _refuse_mass_deletion(self, made: Plan, source: NamedSource, request: SyncRequest) -> None:
        limit = request.max_delete or source.section.max_delete
        number, is_share = parse_max_delete(limit)
        gone = len(made.steps_of(Change.DELETED))
        had = gone + len([s for s in made.steps if s.change is not Change.DELETED and s.documents])
        allowed = number if not is_share else had * number // 100
        if is_share and number > 0 and had != gone:
            allowed = max(allowed, 1)  # one of five is no sign of an unmounted disk
        if gone > allowed:
            raise SyncRefused(
                f"{gone} of {had} documents of {source.name} are not there any more, and "
                f"max_delete is {limit}. Nothing was changed. Is the source mounted and whole? If "
                "they are meant to go: `--dry-run` lists them, `--max-delete 100%` deletes them."
            )

    @contextmanager
    def _leased(self, source: NamedSource, principal: Principal) -> Iterator["_Leased"]:
        """Have a source to oneself, and let go of it with what came of it."""
        self._free_syncs_of_the_dead()
        holder, tenant = holder_name(), source.section.tenant
        if self._catalog.sources.find(tenant, source.name) is None:
            added = {"source": source.name, "kind": source.section.kind}
            whose = replace(principal, tenant=tenant)
            self._audit.append(entry("source.add", whose, {**added, **_options(source)}))
        record = self._catalog.sources.begin_sync(
            tenant,
            source.name,
            source.section.kind,
            holder=holder,
            lease_s=_LEASE_S,
        )
        renew = partial(self._catalog.sources.renew_sync, record.id, holder, _LEASE_S)
        beat = LeaseHeartbeat(
            f"the source {source.name}", renew, lease_s=_LEASE_S, clock=self._clock
        )
        leased = _Leased(record, beat)
        error: str | None = None
        try:
            with beat:
                yield leased
        except BaseException as fault:  # an interrupt is told as the reason, too
            error = str(fault) or type(fault).__name__
            raise
        finally:
            options = None if source.in_settings else _options(source)
            self._catalog.sources.end_sync(
                record.id,
                holder,
                counts=leased.counts,
                checkpoint=leased.checkpoint,
                options=options,
                error=error,
            )

    def _free_syncs_of_the_dead(self) -> None:
        dead = [holder for holder in self._catalog.sources.sync_holders() if is_dead(holder)]
        if dead:
            self._catalog.sources.free_syncs(dead)


@dataclass(slots=True)
class _Leased:
    """A source that this sync has to itself, and what is recorded when it lets go."""

    record: SourceRecord
    lease: LeaseHeartbeat
    counts: Mapping[str, int] | None = None  # set once the sync has come to its end
    checkpoint: Mapping[str, object] | None = None


def _hash_of(entry: Entry) -> str | None:
    if entry.path is None:
        return None
    try:
        return ContentStore.hash_of(entry.path)
    except OSError as error:
        raise DocumentError("unreadable", f"{entry.path}: {error.strerror}.") from error


def _with_options(source: NamedSource, request: SyncRequest) -> NamedSource:
    """The source with what the command said of it."""
    said: dict[str, Any] = {
        name: value
        for name in ("readers", "level", "access")
        if (value := getattr(request, name)) is not None
    }
    if not said:
        return source
    if said.get("access") is not None and source.section.kind != "folder":
        said.pop("access")
    section = type(source.section).model_validate({**source.section.model_dump(), **said})
    return replace(source, section=section)


def _options(source: NamedSource) -> dict[str, Any]:
    return source.section.model_dump(mode="json", include={"readers", "level", "access"})
