"""What a sync will do: the source as it is, held against what the index has of it.

Nothing here changes anything: the plan is what a dry run prints and a real one carries out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from ingest.sources.access import Access, InvalidAccess, Resolver
from ingest.sources.beside import FilesBeside, Told, WrongFile
from ingest.sources.source import Entry, LeftOut, Listing
from sovereign_rag.catalog.records import document_id
from sovereign_rag.catalog.sources import KnownDocument, SourceItem
from sovereign_rag.errors import DocumentError

NOTHING_TOLD: Final = Told(None, None)


class Change(StrEnum):
    """What becomes of a document."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"  # the same content at another place: nothing is read again
    RIGHTS = "rights"  # nothing but who may read it
    METADATA = "metadata"  # nothing but what is said of it
    UNCHANGED = "unchanged"
    WAITING = "waiting"  # an earlier sync found it, a worker has yet to take it in
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one thing that the source holds, or held."""

    change: Change
    target: str
    uri: str
    name: str
    documents: tuple[KnownDocument, ...] = ()  # that there are of it; several of an archive
    entry: Entry | None = None  # None: the source has it no more
    access: Access | None = None
    facts: tuple[str, ...] | None = None
    told: Told = NOTHING_TOLD
    content_hash: str | None = None  # where it is known
    moved_from: "Step | None" = None
    is_archive: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the index has of the source."""

    documents: Mapping[str, KnownDocument]  # below the source's prefix, by id
    memberships: Mapping[str, str]  # archive by document
    items: Mapping[str, SourceItem]
    waiting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Questions:
    """What the plan asks of the outside, as seldom as it can."""

    hash_of: Callable[[Entry], str | None]  # None: only a fetch would tell; DocumentError
    facts: Callable[[Entry], tuple[str, ...] | None]
    is_current: Callable[[KnownDocument], bool]  # made by this parser and these models
    beside: FilesBeside


@dataclass(frozen=True, slots=True)
class Plan:
    """Every document of the source, and what becomes of it."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...] = ()
    invalid: tuple[InvalidAccess, ...] = ()
    wrong: tuple[WrongFile, ...] = ()  # files beside documents, whose documents are taken in
    unseen: tuple[str, ...] = ()
    kept: int = 0  # not seen, and kept, since their folder could not be looked into

    def steps_of(self, *changes: Change) -> list[Step]:
        return [step for step in self.steps if step.change in changes]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each, `nobody` of them unreadable for everyone but the owner."""
        found = {change.value: len(self.steps_of(change)) for change in Change}
        return found | {"nobody": len(self.nobody)}

    @property
    def nobody(self) -> list[Step]:
        """Documents that no one may read, but the owner of the data folder."""
        return [s for s in self.steps if s.access is not None and not s.access.readers]


def plan(
    listing: Listing,
    resolver: Resolver,
    known: Known,
    ask: Questions,
    *,
    prefix: str,
    tenant: str,
    verify: bool = False,
) -> Plan:
    """Compare. `verify`: read the content of everything, whatever time and size say."""
    planner = _Planner(resolver, known, ask, tenant, verify)
    steps = [planner.step(entry) for entry in listing.entries]
    seen = {step.target for step in steps}
    vanished = [step for step in planner.held() if step.target not in seen]
    hidden = tuple(f"{prefix}{folder}/" for folder in listing.unseen)
    gone = [step for step in vanished if not step.uri.startswith(hidden)] if hidden else vanished
    steps, gone = planner.with_moves(steps, gone)
    return Plan(
        steps=tuple([*steps, *gone]),
        left_out=listing.left_out,
        invalid=resolver.invalid,
        wrong=tuple(ask.beside.wrong),
        unseen=listing.unseen,
        kept=len(vanished) - len(gone) if hidden else 0,
    )


@dataclass
class _Planner:
    resolver: Resolver
    known: Known
    ask: Questions
    tenant: str
    verify: bool
    parts: dict[str, list[KnownDocument]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for id_, container in self.known.memberships.items():
            if id_ in self.known.documents:
                self.parts[container].append(self.known.documents[id_])

    def step(self, entry: Entry) -> Step:
        """What becomes of an entry, moves aside."""
        target = document_id(self.tenant, entry.uri)
        item = self.known.items.get(target)
        same_stamp = item is not None and bool(entry.stamp) and item.stamp == entry.stamp
        facts = item.facts if item is not None and same_stamp else None
        if facts is None:
            facts = self.ask.facts(entry)
        step = Step(
            change=Change.NEW,
            target=target,
            uri=entry.uri,
            name=entry.name,
            documents=self._documents(target),
            entry=entry,
            access=self.resolver.access(entry, facts),
            facts=facts,
            told=self.ask.beside.of(entry.key, None if item is None else item.told_by),
            is_archive=target in self.parts,
        )
        if target in self.known.waiting and same_stamp:
            return _with(step, Change.WAITING)
        if not step.documents:
            return step
        return self._of_known(step, entry, item, same_stamp)

    def _of_known(
        self, step: Step, entry: Entry, item: SourceItem | None, same_stamp: bool
    ) -> Step:
        had = _content(step, item)
        content_hash = had
        if not same_stamp or self.verify:
            try:
                content_hash = self.ask.hash_of(entry)
            except DocumentError:  # whoever takes it in says why
                return _with(step, Change.CHANGED)
            if content_hash is None and not same_stamp:
                return _with(step, Change.CHANGED)
            content_hash = content_hash or had
            if content_hash != had:
                return _with(step, Change.CHANGED, content_hash)
        if not all(self.ask.is_current(document) for document in step.documents):
            return _with(step, Change.CHANGED, content_hash)
        assert step.access is not None
        wanted = (step.access.readers, step.access.level)
        if any((d.readers, d.level) != wanted for d in step.documents):
            return _with(step, Change.RIGHTS, content_hash)
        if step.told.stated is not None:
            return _with(step, Change.METADATA, content_hash)
        return _with(step, Change.UNCHANGED, content_hash)

    def held(self) -> list[Step]:
        """What the index has of the source, as if all of it had vanished."""
        targets = dict.fromkeys(self.known.items)
        targets |= dict.fromkeys(i for i in self.known.documents if i not in self.known.memberships)
        targets |= dict.fromkeys(self.parts)
        return [self._held(target) for target in targets]

    def _held(self, target: str) -> Step:
        item, documents = self.known.items.get(target), self._documents(target)
        uri = item.uri if item is not None else documents[0].uri
        step = Step(
            change=Change.DELETED,
            target=target,
            uri=uri,
            name=documents[0].name if documents else uri.rpartition("/")[2],
            documents=documents,
            is_archive=target in self.parts,
        )
        return _with(step, Change.DELETED, _content(step, item))

    def with_moves(self, steps: list[Step], gone: list[Step]) -> tuple[list[Step], list[Step]]:
        """New entries whose content vanished elsewhere have moved; only they are read for it."""
        by_size: dict[int, list[Step]] = defaultdict(list)
        for step in gone:
            if is_movable(step) and (size := self._size(step)) is not None:
                by_size[size].append(step)
        moved: set[str] = set()
        after: list[Step] = []
        for step in steps:
            origin = self._moved_from(step, by_size, moved)
            if origin is None:
                after.append(step)
                continue
            moved.add(origin.target)
            after.append(moved_step(step, origin))
        return after, [step for step in gone if step.target not in moved]

    def _moved_from(
        self, step: Step, by_size: Mapping[int, list[Step]], moved: set[str]
    ) -> Step | None:
        entry = step.entry
        if step.change is not Change.NEW or entry is None or entry.size is None:
            return None
        if entry.size not in by_size:
            return None
        try:
            content_hash = self.ask.hash_of(entry)
        except DocumentError:
            return None
        return match(step, content_hash, by_size[entry.size], moved)

    def _size(self, step: Step) -> int | None:
        item = self.known.items.get(step.target)
        if item is not None and item.size is not None:
            return item.size
        return step.documents[0].size if step.documents and not step.is_archive else None

    def _documents(self, target: str) -> tuple[KnownDocument, ...]:
        own = self.known.documents.get(target)
        return (*([own] if own is not None else []), *self.parts.get(target, []))


def match(
    step: Step, content_hash: str | None, vanished: Iterable[Step], moved: set[str]
) -> Step | None:
    """Where the content of `step` was before; of several places one of the same name first."""
    same = [
        origin
        for origin in vanished
        if content_hash and origin.content_hash == content_hash and origin.target not in moved
    ]
    return min(same, key=lambda origin: (origin.name != step.name, origin.uri), default=None)


def is_movable(step: Step) -> bool:
    """Whether what vanished was read, so that it need not be again."""
    return bool(step.documents) and all(document.version for document in step.documents)


def moved_step(step: Step, origin: Step) -> Step:
    """The step for an entry whose content was at `origin` before."""
    return replace(
        step,
        change=Change.MOVED,
        documents=origin.documents,
        content_hash=origin.content_hash,
        moved_from=origin,
        is_archive=origin.is_archive,
    )


def _content(step: Step, item: SourceItem | None) -> str | None:
    """The content that the index has of it, as far as it is known."""
    if item is not None and item.content_hash:
        return item.content_hash
    return step.documents[0].content_hash if step.documents and not step.is_archive else None


def _with(step: Step, change: Change, content_hash: str | None = None) -> Step:
    return replace(step, change=change, content_hash=content_hash)
