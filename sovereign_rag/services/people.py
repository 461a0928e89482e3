"""Who there is in a tenant, as keys and the directory know them; and their groups."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sovereign_rag.access import Principal, ReadScope, group_scope, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import DocumentPage, DocumentQuery
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.roles import Role
from sovereign_rag.services.explanation import Person
from sovereign_rag.storage.audit import AuditTrail, entry


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody of the tenant, over all their ways in."""

    user: str
    groups: frozenset[str]
    clearance: int  # the highest
    roles: frozenset[Role]
    keys: int  # that are valid now
    by_directory: bool  # signed in by the organisation's directory
    last_used: datetime | None  # of their keys


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of the tenant, and who is in it by what is known here."""

    name: str
    members: tuple[str, ...]


class PeopleDesk:
    """For admins; that they looked is on the record."""

    def __init__(self, *, catalog: Catalog, audit: AuditTrail) -> None:
        self._catalog, self._audit = catalog, audit

    def all(self, asker: Principal) -> tuple[tuple[PersonView, ...], tuple[GroupView, ...]]:
        """People by name, and groups by name. Raises AuditError."""
        people = self._people(asker.tenant)
        self._audit.append(entry("people.list", asker, {"people": [p.user for p in people]}))
        members: dict[str, list[str]] = defaultdict(list)
        for person in people:
            for group in person.groups:
                members[group].append(person.user)
        groups = tuple(GroupView(name, tuple(members[name])) for name in sorted(members))
        return people, groups

    def readable(
        self,
        people: Sequence[Person],
        asker: Principal,
        query: DocumentQuery,
        *,
        limit: int,
        after: str | None = None,
    ) -> DocumentPage:
        """What `people` may read of what the asker may read, too: the rest is not told, nor
        counted.

        Raises:
            BadInput: `after` is of another list.
            AuditError: It can't be recorded; nothing is told.
        """
        scopes = [read_scope(person.principal) for person in people]
        whose = sorted({person.principal.label for person in people})
        return self._told(scopes, whose, asker, query, limit, after)

    def readable_by_group(
        self,
        group: str,
        asker: Principal,
        query: DocumentQuery,
        *,
        limit: int,
        after: str | None = None,
    ) -> DocumentPage:
        """As `readable`, of anybody who is in the group and has the asker's clearance."""
        scope = group_scope(group, asker.tenant, asker.clearance)
        return self._told([scope], [f"group:{group}"], asker, query, limit, after)

    def _told(
        self,
        scopes: Sequence[ReadScope],
        whose: Sequence[str],
        asker: Principal,
        query: DocumentQuery,
        limit: int,
        after: str | None,
    ) -> DocumentPage:
        page = self._catalog.lists.page(
            query, read_scope(asker), limit=limit, after=after, also=scopes
        )
        detail = {"people": list(whose), "documents": [r.id for r in page.documents]}
        self._audit.append(entry("access.of", asker, detail))
        return page

    def _people(self, tenant: str) -> tuple[PersonView, ...]:
        now = datetime.now(UTC)
        keys: dict[str, list[KeyRecord]] = defaultdict(list)
        for key in self._catalog.keys.in_tenant(tenant):
            is_valid = key.revoked is None and (key.expires is None or key.expires > now)
            if is_valid and key.front_end is None:
                keys[key.user].append(key)
        vouched: dict[str, list[Principal]] = defaultdict(list)
        asked = self._catalog.directory_people.in_tenant(tenant)
        for record in asked:
            vouched[record.user].append(record.principal)
        by_now = {record.issuer for record in asked}  # sessions of these have what was said then
        for principal in self._catalog.sessions.vouched_people(tenant):
            if principal.caller.issuer not in by_now:
                vouched[principal.user].append(principal)
        return tuple(
            _view(user, keys.get(user, ()), vouched.get(user, ()))
            for user in sorted({*keys, *vouched})
        )


def _view(user: str, keys: Sequence[KeyRecord], vouched: Sequence[Principal]) -> PersonView:
    ways: tuple[KeyRecord | Principal, ...] = (*keys, *vouched)
    used = [key.last_used for key in keys if key.last_used is not None]
    return PersonView(
        user=user,
        groups=frozenset[str]().union(*(way.groups for way in ways)),
        clearance=max(way.clearance for way in ways),
        roles=frozenset({key.role for key in keys}).union(*(p.roles for p in vouched)),
        keys=len(keys),
        by_directory=bool(vouched),
        last_used=max(used, default=None),
    )
