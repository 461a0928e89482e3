"""A plan, carried out: rights, moves, deletions, and a job for what has to be read."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ingest.index.lifecycle import DocumentLifecycle
from ingest.jobs.ingestion import Ingestion
from ingest.sources.access import Access
from ingest.sources.source import DocumentSource, Entry
from ingest.sync.plan import Change, Plan, Step, is_movable, match, moved_step
from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import batches
from sovereign_rag.catalog.records import JobRecord, NewTask, document_id
from sovereign_rag.catalog.sources import KnownDocument, SourceItem
from sovereign_rag.catalog.tombstones import message
from sovereign_rag.errors import DocumentError, TooLarge
from sovereign_rag.metadata import NOTHING_STATED, Stated
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import Act
from sovereign_rag.services.submission import AT_ONCE, access
from sovereign_rag.storage.content import ContentStore, Received

log = logging.getLogger(__name__)

_ITEMS = 500  # recorded at a time


@dataclass
class PlanExecutor:
    """Carries one plan out; whoever holds the source makes one."""

    catalog: Catalog
    content: ContentStore
    lifecycle: DocumentLifecycle
    erasure: Erasure
    ingestion: Ingestion
    source: DocumentSource
    source_id: str
    tenant: str
    principal: Principal
    act: Act  # the sync, on whose record each step is before it is taken
    max_bytes: int
    check: Callable[[], None]  # raises once the source is not ours any more
    _found: Counter[str] = field(default_factory=Counter)  # what a fetch told better than the plan
    _gone: dict[str, Step] = field(default_factory=dict)
    _items: list[SourceItem] = field(default_factory=list)
    _received: list[Received] = field(default_factory=list)
    _unreadable: list[str] = field(default_factory=list)
    _late: list[Step] = field(default_factory=list)  # what was to be moved, and is read instead
    _reading: list[Step] = field(default_factory=list)  # what the job reads

    def carry_out(self, plan: Plan) -> JobRecord | None:
        """Do everything but reading; returns the job that reads, None where there is nothing."""
        self._gone = {step.target: step for step in plan.steps_of(Change.DELETED)}
        self._rights(plan)
        self._metadata(plan)
        for batch in batches(plan.steps_of(Change.MOVED), AT_ONCE):
            self.act.note("moves", {"documents": [d for s in batch for d in _moves(s)]})
            for step in batch:
                self.check()
                self._move(step)
        self._remember(plan.steps_of(Change.UNCHANGED, Change.RIGHTS, Change.METADATA))
        job = self._submit(plan)
        for batch in batches(self._gone.values(), AT_ONCE):
            gone = [document for step in batch for document in step.documents]
            self.act.note("deletes", {"documents": [_named(document) for document in gone]})
            for step in batch:
                self.check()
                self._delete(step)
        self._flush_items()
        return job

    def corrections(self, plan: Plan) -> dict[str, int]:
        """The counts that turned out otherwise than planned, once things had been fetched."""
        counts = plan.counts
        for change, number in self._found.items():
            counts[change] += number
        return counts | {"unreadable": len(self._unreadable)}

    def _rights(self, plan: Plan) -> None:
        for batch in batches(_changes_of_rights(plan), AT_ONCE):
            told = [
                {**_named(document), "before": access(document.readers, document.level)}
                | _said(wanted)
                for document, wanted in batch
            ]
            self.act.note("rights", {"documents": told, "origin": [self.source.name]})
            for document, wanted in batch:
                self.erasure.change_readers(self.tenant, document.id, wanted.readers, wanted.level)
        waiting = [step for step in plan.steps_of(Change.WAITING) if step.access is not None]
        for some in batches(waiting, AT_ONCE):
            rights = {s.target: (s.access.readers, s.access.level) for s in some if s.access}
            told = [
                {"document": s.target, "uri": s.uri, **_said(s.access)} for s in some if s.access
            ]
            origin = {"origin": [self.source.name], "waiting": True}
            self.act.note("rights", {"documents": told, **origin})
            self.catalog.sources.set_waiting_rights(self.tenant, rights)

    def _metadata(self, plan: Plan) -> None:
        """What files beside documents say of those that are there; nothing is read again."""
        told = [
            (document, _stated_of(step))
            for step in plan.steps
            if step.told.stated is not None and step.change not in {Change.WAITING, Change.MOVED}
            for document in step.documents
        ]
        for batch in batches(told, AT_ONCE):
            self.act.note("metadata", {"documents": [_named(document) for document, _ in batch]})
            for document, stated in batch:
                self.check()
                self.erasure.state(self.tenant, document.id, stated)

    def _move(self, step: Step) -> bool:
        """Move a document, or all that came out of an archive; False: read it anew instead."""
        assert step.moved_from is not None
        assert step.access is not None
        assert step.entry is not None
        origin, moved = step.moved_from, []
        for document in step.documents:
            uri = step.uri + document.uri.removeprefix(origin.uri)
            whole = self.lifecycle.move(
                self.tenant,
                document.uri,
                uri,
                name=document.name if step.is_archive else step.name,
                readers=step.access.readers,
                level=step.access.level,
                modified=step.entry.modified,
            )
            if not whole:
                self._read_instead(step, origin)
                return False
            moved.append(document_id(self.tenant, uri))
            if step.told.stated is not None:
                self.erasure.state(self.tenant, moved[-1], _stated_of(step))
        if step.is_archive:
            self.catalog.archives.put_members(self.tenant, origin.target, [])
            self.catalog.archives.put_members(self.tenant, step.target, moved)
        self.catalog.sources.drop_items(self.source_id, [origin.target])
        self._item(step)
        return True

    def _read_instead(self, step: Step, origin: Step) -> None:
        """The store has lost what was to be moved: forget it, the next look finds it new."""
        log.warning("%s could not be moved as it is and will be read anew", origin.uri)
        self._gone[origin.target] = origin
        self._late.append(step)

    def _submit(self, plan: Plan) -> JobRecord | None:
        """Fetch what has to be fetched, and hand everything that is to be read to the workers."""
        steps = [*plan.steps_of(Change.NEW, Change.CHANGED), *self._late]
        tasks = self._tasks(steps)
        first = next(tasks, None)
        if first is None:
            return None

        def all_tasks() -> Iterator[NewTask]:
            yield first
            yield from tasks

        job = self.ingestion.submit(
            all_tasks(),
            self.principal,
            origin=[self.source.name],
            before_commit=self._before_commit,
        )
        for step in self._reading:
            self._item(step, job_id=job.id)
        return job

    def _tasks(self, steps: list[Step]) -> Iterator[NewTask]:
        for step in steps:
            self.check()
            task = self._task(step)
            if task is not None:
                self._reading.append(step)
                yield task

    def _task(self, step: Step) -> NewTask | None:
        """The task that reads an entry; None: what was fetched is known, or can't be had."""
        entry, access = step.entry, step.access
        assert entry is not None
        assert access is not None
        content_hash: str | None = None
        if self._is_erased(entry, step.target):
            return None
        if entry.path is None:
            received = self._fetch(entry)
            if received is None:
                return None
            if self._is_erased(entry, received.content_hash):
                self.content.drop(received)
                return None
            if self._is_known(step, received.content_hash):
                self.content.drop(received)
                return None
            self._received.append(received)
            content_hash = received.content_hash
        return NewTask(
            uri=entry.uri,
            name=entry.name,
            readers=access.readers,
            level=access.level,
            content_hash=content_hash,
            path=None if entry.path is None else str(entry.path),
            modified=entry.modified,
            said_by=access.said_by,
            stated=step.told.stated,
        )

    def _is_erased(self, entry: Entry, key: str) -> bool:
        """Whether a document, or bytes, of that id or hash were erased for good."""
        found = self.catalog.tombstones.among(self.tenant, [key], [key])
        if found:
            log.warning("%s is left out. %s", found[0].document, message(found[0]))
            self._unreadable.append(entry.uri)
        return bool(found)

    def _fetch(self, entry: Entry) -> Received | None:
        try:
            return self.content.receive(self.source.blocks(entry), max_bytes=self.max_bytes)
        except (DocumentError, TooLarge) as error:
            log.warning("%s could not be fetched: %s", entry.uri, error)
            self._unreadable.append(entry.uri)
            return None

    def _is_known(self, step: Step, content_hash: str) -> bool:
        """Whether what was fetched is what the index has already, here or where it vanished."""
        if step.change is Change.CHANGED:
            if any(document.content_hash != content_hash for document in step.documents):
                return False
            self._count(Change.CHANGED, Change.UNCHANGED)
            self._item(step, content_hash=content_hash)
            return True
        origin = match(step, content_hash, filter(is_movable, self._gone.values()), set())
        if origin is None:
            return False
        moved = moved_step(step, origin)
        self.act.note("moves", {"documents": list(_moves(moved))})
        if not self._move(moved):
            return False
        del self._gone[origin.target]
        self._count(Change.NEW, Change.MOVED)
        self._count(Change.DELETED, None)
        return True

    def _count(self, planned: Change, found: Change | None) -> None:
        self._found[planned.value] -= 1
        if found is not None:
            self._found[found.value] += 1

    def _before_commit(self) -> None:
        for received in self._received:
            self.content.keep(received, self.tenant)
        self._received.clear()

    def _delete(self, step: Step) -> None:
        for document in step.documents:
            self.erasure.erase(self.tenant, document.id, document.content_hash)
        self.catalog.archives.drop_members(
            self.tenant, [document.id for document in step.documents]
        )
        self.catalog.sources.drop_items(self.source_id, [step.target])

    def _remember(self, steps: list[Step]) -> None:
        known: Mapping[str, SourceItem] = self.catalog.sources.items(self.source_id)
        for step in steps:
            item = known.get(step.target)
            entry = step.entry
            assert entry is not None
            now = (entry.stamp, step.facts, step.told.told_by)
            if item is None or (item.stamp, item.facts, item.told_by) != now:
                self._item(step)

    def _item(
        self, step: Step, *, content_hash: str | None = None, job_id: str | None = None
    ) -> None:
        assert step.entry is not None
        self._items.append(
            SourceItem(
                target=step.target,
                uri=step.uri,
                stamp=step.entry.stamp,
                size=step.entry.size,
                content_hash=content_hash or step.content_hash,
                facts=step.facts,
                told_by=step.told.told_by,
                job_id=job_id,
            )
        )
        if len(self._items) >= _ITEMS:
            self._flush_items()

    def _flush_items(self) -> None:
        self.catalog.sources.put_items(self.source_id, self._items)
        self._items.clear()


def _changes_of_rights(plan: Plan) -> Iterator[tuple[KnownDocument, Access]]:
    """Also of what will be read again: its old text must not be seen until then."""
    for step in plan.steps:
        if step.access is None or step.change in {Change.UNCHANGED, Change.MOVED}:
            continue
        wanted = (step.access.readers, step.access.level)
        for document in step.documents:
            if (document.readers, document.level) != wanted:
                yield document, step.access


def _stated_of(step: Step) -> Stated:
    """What is said of each document of a step; an archive's title is not that of its files."""
    stated = step.told.stated or NOTHING_STATED
    return replace(stated, title=None) if step.is_archive else stated


def _said(wanted: Access) -> dict[str, object]:
    """What the record tells of rights: who may read, and what says so."""
    return {**access(wanted.readers, wanted.level), "said_by": wanted.said_by}


def _moves(step: Step) -> Iterator[dict[str, object]]:
    """What the record tells of a move: from where, to where, and who may read it then."""
    assert step.moved_from is not None
    assert step.access is not None
    for document in step.documents:
        yield {
            **_named(document),
            "to": step.uri + document.uri.removeprefix(step.moved_from.uri),
            **_said(step.access),
            "before": access(document.readers, document.level),
        }


def _named(document: KnownDocument) -> dict[str, object]:
    return {"document": document.id, "uri": document.uri}
