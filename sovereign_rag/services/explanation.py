"""Why somebody can or can't read a document: what the judge finds, and where each label is from.

Nothing is decided here: `access.py` judges, the catalog says who may read now, and the audit
record says who gave that right, by which source, file or command, and since when.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from sovereign_rag.access import (
    EVERYONE,
    OWNER,
    Judgement,
    Principal,
    ReadScope,
    group_scope,
    read_scope,
)
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import DocumentQuery
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import NotFound
from sovereign_rag.roles import Scope
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_search import AuditFilter, RightChange, right_changes

_PAGE: Final = 500
_NAMED_LIKE: Final = 20  # documents that are looked at for a name


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as one of their ways in knows them."""

    principal: Principal
    known_by: str  # "as asked", "the directory", or the key that says so: "key 8d21…"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge finds of one person and one document."""

    person: Person
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class LabelOrigin:
    """A label of a document, and who put it there; None: the record does not reach back so far."""

    label: str
    given: RightChange | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who may read a document, why, and what that means for the person who was asked about."""

    document: DocumentRecord
    verdicts: tuple[Verdict, ...]  # one for each way in that the person has
    labels: tuple[LabelOrigin, ...]
    sources: tuple[str, ...]  # that hold it
    last_change: RightChange | None  # of its readers or its level
    shows_names: bool  # whoever asks may read the document themselves

    @property
    def allows(self) -> bool:
        """Whether the person reads it by one of their ways in."""
        return any(verdict.judgement.allows for verdict in self.verdicts)


class AccessExplainer:
    """For the owner and for admins; that they asked is on the record."""

    def __init__(self, *, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def people(
        self, user: str, tenant: str, *, groups: Iterable[str] = (), clearance: int = 0
    ) -> tuple[Person, ...]:
        """A user as asked; where nothing is said of them, as each of their valid keys has them, and
        as the LDAP directory last said.

        Raises:
            BadInput: An impossible name.
        """
        asked = Principal(user.removeprefix("user:"), frozenset(groups), tenant, clearance)
        now = datetime.now(UTC)
        keys = [
            key
            for key in self._catalog.keys.in_tenant(tenant)
            if (key.user, key.front_end, key.revoked) == (asked.user, None, None)
            and (key.expires is None or key.expires > now)
            and not key.scopes <= {Scope.AUDIT}  # which opens no document
        ]
        vouched = [
            Person(record.principal, "the directory")
            for record in self._catalog.directory_people.in_tenant(tenant)
            if record.user == asked.user and record.principal.reads_documents
        ]
        if asked.groups or asked.clearance or not (keys or vouched):
            return (Person(asked, "as asked"),)
        return *vouched, *(
            Person(Principal(key.user, key.groups, tenant, key.clearance), f"key {key.id}")
            for key in keys
        )

    def document_named(self, named: str, asker: Principal) -> str:
        """The id of the document that is meant, within what `asker` may read.

        By its id, or by its title or its file's name where one alone is called so; else `named`.
        """
        if self._catalog.documents.known(asker.tenant, named) is not None:
            return named
        query = DocumentQuery(words=named)
        page = self._catalog.lists.page(query, read_scope(asker), limit=_NAMED_LIKE)
        alike = [one.id for one in page.documents if named in (one.name, one.title)]
        return alike[0] if len(alike) == 1 else named

    def explain(self, document_id: str, people: Sequence[Person], asker: Principal) -> Explanation:
        """Why `people` can or can't read a document of the asker's tenant.

        Raises:
            NotFound: The tenant has no such document.
            AuditError: It can't be recorded, and nothing is told.
        """
        record = self._catalog.documents.known(asker.tenant, document_id)
        if record is None:
            raise NotFound("There is no such document.")
        whom = sorted({person.principal.label for person in people})
        self._audit.append(entry("access.explain", asker, {"document": record.id, "people": whom}))
        changes = self._changes(record)
        if not asker.is_owner:
            changes = [replace(change, origin=_of_one(change.origin)) for change in changes]
        return Explanation(
            document=record,
            verdicts=tuple(Verdict(p, _judge(read_scope(p.principal), record)) for p in people),
            labels=tuple(_origins(record, changes)),
            sources=tuple(self._catalog.sources.holding(record.tenant, record.id)),
            last_change=changes[-1] if changes else None,
            shows_names=_judge(read_scope(asker), record).allows,
        )

    def readable_by(self, people: Sequence[Person], asker: Principal) -> list[DocumentRecord]:
        """What `people` may read, by id, each document once; on the record."""
        scopes = [read_scope(person.principal) for person in people]
        return self._readable(scopes, [p.principal.label for p in people], asker)

    def readable_by_group(
        self, group: str, clearance: int, asker: Principal
    ) -> list[DocumentRecord]:
        """What anybody of a group may read for being in it, by id; on the record."""
        scope = group_scope(group, asker.tenant, clearance)
        return self._readable([scope], [f"group:{group}"], asker)

    def _readable(
        self, scopes: Sequence[ReadScope], whose: Sequence[str], asker: Principal
    ) -> list[DocumentRecord]:
        found = {r.id: r for r in chain.from_iterable(map(self._all_of, scopes))}
        detail = {"people": sorted(set(whose)), "documents": sorted(found)}
        self._audit.append(entry("access.of", asker, detail))
        return [found[id_] for id_ in sorted(found)]

    def _all_of(self, scope: ReadScope) -> Iterator[DocumentRecord]:
        after: str | None = None
        while page := self._catalog.documents.readable(scope, limit=_PAGE, after=after):
            yield from page
            after = page[-1].id

    def _changes(self, record: DocumentRecord) -> list[RightChange]:
        wanted = AuditFilter(document=record.id, tenant=record.tenant)
        records = AllRecords(self._audit, self._catalog).read()
        told = (record for record in records if wanted.matches(record.entry))
        return [change for change in right_changes(told) if change.document == record.id]


def _of_one(origin: tuple[str, ...]) -> tuple[str, ...]:
    """Where one document alone came from: of several paths the others are of other documents,
    which whoever asks may not read.
    """
    return origin if len(origin) == 1 else ()


def _judge(scope: ReadScope, record: DocumentRecord) -> Judgement:
    readers = {*record.readers, OWNER}
    return scope.judge(tenant=record.tenant, readers=readers, level=record.level)


def _origins(record: DocumentRecord, changes: Sequence[RightChange]) -> Iterator[LabelOrigin]:
    """Each label with the change since which it has been there without a break."""
    for label in sorted(record.readers, key=lambda name: (name == EVERYONE, name)):
        given: RightChange | None = None
        for change in changes:
            if label not in (change.readers or ()):
                given = None
            elif given is None:
                given = change
        yield LabelOrigin(label, given)
