"""The rows of the catalog as frozen nouns; the database's own types never leave the package."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sovereign_rag.metadata import NOTHING_STATED, Stated
from sovereign_rag.roles import SCOPES_OF, Role, Scope


class DocumentStatus(StrEnum):
    """What a document is to its readers: found by searches, found in part, or not there."""

    INDEXED = "indexed"
    PARTIAL = "partial"  # found, but `reason` says what of it is missing
    FAILED = "failed"  # never was readable; an older version, if any, stays as it was


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document as its readers see it; `version` names the chunks that searches return."""

    id: str  # uuid5 of tenant and uri: the same file is the same document
    tenant: str
    uri: str
    name: str
    title: str
    status: DocumentStatus
    reason: str | None
    content_hash: str
    parse_key: str  # which parser made the stored text
    version: str  # "" while no version was ever searchable
    media_type: str
    language: str | None  # as stated, or else as found
    paged: bool
    pages: int
    chunks: int
    size: int  # bytes
    modified: datetime | None  # of the source; timezone-aware UTC, as every time here
    readers: frozenset[str]  # without the owner's label
    level: int
    properties: Mapping[str, str]
    created: datetime
    updated: datetime
    stated: Stated = NOTHING_STATED
    found_language: str | None = None  # told from its text

    @property
    def date(self) -> datetime:
        """Of its content, as far as is known: as stated, else when its file was changed or came."""
        return self.stated.date or self.modified or self.created

    @property
    def parser(self) -> str:
        """The version of the parser that made the stored text; "" where there is none."""
        return "-".join(self.parse_key.split("-")[:2])  # behind it comes the file's suffix

    def is_outdated(self, parser: str) -> bool:
        """Whether another parser than `parser` made the text that is searched."""
        return bool(self.version) and self.parser != parser


@dataclass(frozen=True, slots=True)
class LiveDocument:
    """What a search needs of a document: its live version, and its rights as they are now."""

    id: str
    version: str
    title: str
    uri: str
    paged: bool
    content_hash: str
    parse_key: str
    modified: datetime | None = None  # when its file was changed, where the source tells
    stated: Mapping[str, Any] | None = None  # as `Stated.plain` gives it
    level: int = 0


class TaskState(StrEnum):
    WAITING = "waiting"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in {TaskState.WAITING, TaskState.PARSING, TaskState.EMBEDDING}


@dataclass(frozen=True, slots=True)
class NewTask:
    """A document that a job is to take in; its bytes are in the content store, or at `path`."""

    uri: str
    name: str
    readers: frozenset[str]
    level: int
    content_hash: str | None = None  # set: the bytes are in the content store
    path: str | None = None  # set: the bytes are read from this file when its turn comes
    modified: datetime | None = None
    password: bytes | None = field(default=None, repr=False)  # sealed, see `secrets`
    keeps_access: bool = False  # readers and level are the document's when it is published
    said_by: str | None = None  # what of a source says who may read it, for the record alone
    stated: Stated | None = None  # None: nothing, what was stated before stays


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One document of one job."""

    id: int
    job_id: str
    tenant: str
    uri: str
    name: str
    readers: frozenset[str]
    level: int
    content_hash: str | None
    path: str | None
    modified: datetime | None
    state: TaskState
    reason: str | None
    document_id: str | None
    pages: int
    chunks: int
    attempts: int
    started: datetime | None
    finished: datetime | None
    password: bytes | None = field(default=None, repr=False)  # sealed; None once it has ended
    keeps_access: bool = False  # its document is read anew: see `NewTask`
    stated: Stated | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on a task: what it may write, it may write as long as this is its own."""

    task_id: int
    worker: str


class LeaseState(StrEnum):
    """How a worker stands to a task that it took."""

    HELD = "held"
    CANCELLED = "cancelled"  # still held; somebody asked for its end
    LOST = "lost"  # another worker may have it


class JobState(StrEnum):
    """What a person is told of a job."""

    WAITING = "waiting"  # no document has been begun
    RUNNING = "running"
    PAUSED = "paused"  # by a fault of the machine; it goes on by itself
    CANCELLING = "cancelling"  # until the documents in work have stopped
    CANCELLED = "cancelled"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A durable record of what is to be done."""

    id: str
    tenant: str
    submitted_by: str  # "user:ana", or "owner"
    created: datetime
    finished: datetime | None
    cancelled: bool
    counts: Mapping[TaskState, int]
    pause_reason: str | None = None  # set while a fault of the machine keeps it from going on
    retry_at: datetime | None = None
    paused_since: datetime | None = None  # where that is known

    @property
    def state(self) -> JobState:
        if self.cancelled:
            return JobState.CANCELLING if self.finished is None else JobState.CANCELLED
        if self.finished is not None:
            return JobState.DONE
        if self.pause_reason is not None:
            return JobState.PAUSED
        begun = set(self.counts) - {TaskState.WAITING}
        return JobState.RUNNING if begun else JobState.WAITING

    @property
    def failed(self) -> int:
        return self.counts.get(TaskState.FAILED, 0)

    @property
    def can_be_retried(self) -> bool:
        is_over = self.finished is not None and TaskState.CANCELLED in self.counts
        return self.failed > 0 or is_over or self.state is JobState.PAUSED

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return sum(n for state, n in self.counts.items() if state.is_final)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is, measured on what ended lately."""

    job: JobRecord
    pages_done: int
    pages_known: int  # of the documents that have been read; the others' are not known yet
    chunks: int
    documents_per_minute: float  # over the last minutes; 0.0: nothing ended in them
    pages_per_minute: float
    seconds_left: float | None  # None: not to be told, or nothing is left
    current: tuple[TaskRecord, ...]  # in work right now
    failures: tuple[TaskRecord, ...]  # the latest, newest first


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key: everything but the secret, of which only a hash is stored."""

    id: str  # the public part, shown in listings and the audit
    name: str
    tenant: str
    user: str
    groups: frozenset[str]
    clearance: int
    role: Role
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None = None
    front_end: str | None = None  # whose people it speaks for, by their signed tokens
    held_to: frozenset[Scope] | None = None  # of the role's scopes; None: all of them
    curates: frozenset[str] = frozenset()

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it opens."""
        return SCOPES_OF[self.role] if self.held_to is None else self.held_to


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did or was shown."""

    at: datetime
    action: str  # "answer", "search", "page", "ingest", "delete", "key.create", ...
    tenant: str
    principal: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    by: Mapping[str, Any] = field(default_factory=dict)  # account; or groups, clearance, key, ...


_DOCUMENTS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "sovereign-rag:document")


def document_id(tenant: str, uri: str) -> str:
    """The id of the document that `uri` names within `tenant`: the same file, the same id."""
    # A tenant's name has no line break, so no two pairs give the same text; a URI that is no
    # valid text still has an id of its own.
    name = f"{tenant}\n{uri}".encode("utf-8", "backslashreplace").decode("utf-8")
    return str(uuid.uuid5(_DOCUMENTS, name))
