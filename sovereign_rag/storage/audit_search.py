"""What auditors ask of the record: who saw a document, what a person saw, who gave a right.

Everything here reads entries as they stand; whether they are what was written says `verify`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.storage.audit_chain import AuditRecord

_TEXT: Final = frozenset(
    {"answer", "answer.search", "search", "page", "page.image", "text"}
    | {"chunks", "export", "original"}
)
"""What shows something of a document's text; the rest shows its name, or that it is there."""

_NAMED: Final = frozenset({"document", "documents.list", "job", "job.documents"})
_SHOWN: Final = _TEXT | _NAMED | {"access.explain", "access.of"}
_RIGHTS: Final = frozenset(
    {"ingest", "ingest.more", "ingest.unpacked", "sync.rights", "sync.moves", "delete", "edit"}
    | {"sync.deletes", "ingest.removed", "delete.resumed"}
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are meant; what is None leaves all in."""

    person: str | None = None  # "user:ana", or "owner"
    document: str | None = None  # its id
    action: str | None = None  # with what stands behind a dot: "delete" means "delete.done", too
    label: str | None = None  # "group:finance": who acted with it, or may read by it
    tenant: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # before this moment

    def matches(self, entry: AuditEntry) -> bool:
        """Whether a record is meant."""
        return (
            (self.person is None or self.person in people_of(entry))
            and (self.document is None or self.document in documents_of(entry))
            and (self.action is None or f"{entry.action}.".startswith(f"{self.action}."))
            and (self.label is None or self.label in labels_of(entry))
            and (self.tenant is None or self.tenant == entry.tenant)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


def people_of(entry: AuditEntry) -> frozenset[str]:
    """Who acted, and for whom: "owner as user:ana" is the owner's act and a view of ana's."""
    names = {entry.principal, *entry.principal.split(" as ")}
    return frozenset(names | {str(entry.detail["of"])} if "of" in entry.detail else names)


def documents_of(entry: AuditEntry) -> dict[str, Mapping[str, Any]]:
    """What a record tells of documents, by their ids."""
    found: dict[str, Mapping[str, Any]] = {}
    if isinstance(entry.detail.get("document"), str):
        found[entry.detail["document"]] = entry.detail
    for key in ("documents", "disclosed"):
        listed = entry.detail.get(key)
        for item in listed if isinstance(listed, list) else ():
            told = item if isinstance(item, dict) else {"document": item}
            if isinstance(told.get("document"), str):
                found[told["document"]] = told
    return found


def labels_of(entry: AuditEntry) -> frozenset[str]:
    """The reader labels that a record speaks of: of who acted, and of who may read."""
    labels = {f"group:{group}" for group in entry.by.get("groups", ())}
    labels |= {name for name in people_of(entry) if name.startswith("user:")}
    for told in documents_of(entry).values():
        for access in (told, told.get("before")):
            labels |= set(access.get("readers", ())) if isinstance(access, dict) else set()
    return frozenset(labels)


@dataclass(frozen=True, slots=True)
class Sight:
    """That a person was shown something of a document."""

    number: int
    at: datetime
    person: str
    document: str
    action: str
    is_text: bool  # False: its name or its properties alone
    writer: str | None = None  # whose record tells of it; None: this machine's


def sights(records: Iterable[AuditRecord]) -> Iterator[Sight]:
    """Everything that was shown, oldest first."""
    for record in records:
        entry = record.entry
        if entry.action in _SHOWN:
            for id_ in documents_of(entry):
                is_text = entry.action in _TEXT
                told = (record.number, entry.at, entry.principal, id_, entry.action)
                yield Sight(*told, is_text, record.writer)


@dataclass(frozen=True, slots=True)
class RightChange:
    """That who may read a document was said, changed or ended."""

    number: int
    at: datetime
    person: str
    document: str
    action: str
    uri: str | None
    readers: tuple[str, ...] | None  # from then on; None: the document goes
    level: int | None
    before: Mapping[str, Any] | None  # readers and level until then, where there were others
    said_by: str | None = None  # of a source: which file or section of the settings says so
    origin: tuple[str, ...] = ()  # the source, or the paths that a command was given
    writer: str | None = None  # whose record tells of it; None: this machine's


def right_changes(records: Iterable[AuditRecord]) -> Iterator[RightChange]:
    """Who gave which right and when, oldest first, without what was only said again."""
    for record in records:
        entry = record.entry
        if entry.action not in _RIGHTS:
            continue
        for id_, told in documents_of(entry).items():
            goes = entry.action.startswith(("delete", "sync.deletes", "ingest.removed"))
            before = told.get("before")
            readers = None if goes else tuple(told.get("readers", ()))
            same = (
                before is not None
                and not goes
                and (
                    (tuple(before.get("readers", ())), before.get("level"))
                    == (readers, told.get("level"))
                )
            )
            if same and "to" not in told:
                continue
            yield RightChange(
                number=record.number,
                at=entry.at,
                person=str(entry.detail.get("of", entry.principal)),
                document=id_,
                action=entry.action,
                uri=told.get("to") or told.get("uri"),
                readers=readers,
                level=None if goes else told.get("level"),
                before=before,
                said_by=told.get("said_by"),
                origin=tuple(entry.detail.get("origin", ())),
                writer=record.writer,
            )
