"""What the directory's newest token says of each person: an older one can't say more.

A token is signed once and holds until it runs out, whatever changes at the directory meanwhile.
So what a newer one says counts from the moment it is seen, for older tokens and for sessions too,
in every process that shares the catalog.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.directory_people import DirectoryRecord
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import Unauthenticated
from sovereign_rag.settings.identity import OidcSettings
from sovereign_rag.storage.audit import AuditTrail

_READS_CLAIMS: Final = {
    *("user_claim", "groups_claim", "groups_rename", "roles_claim", "roles_rename"),
    *("tenant", "tenant_claim", "clearance_claim"),
}


class NewestClaims:
    """Of one directory; threads and processes may ask at the same time."""

    def __init__(self, settings: OidcSettings, *, catalog: Catalog, audit: AuditTrail) -> None:
        self._people, self._audit = catalog.directory_people, audit
        self._issuer = settings.issuer or ""
        read_by = settings.model_dump_json(include=_READS_CLAIMS)
        self._read_as = hashlib.sha256(read_by.encode()).hexdigest()

    def admit(self, person: Principal, claims: Mapping[str, Any]) -> None:
        """Let somebody in by claims that hold, and keep what they say where they are the newest.

        Raises:
            Unauthenticated: A newer token of this person says less.
        """
        known, issued = self._known(person.user), _issued(claims)
        if issued is not None and (known is None or issued >= known.asked):
            if known is None or issued > known.asked or _rights(person) != known.rights:
                self._keep(person, str(claims.get("sub") or ""), issued, known)
        elif known is not None and known.tenant == person.tenant and _is_more(person, known):
            raise Unauthenticated(
                "The directory has signed a newer token for this person, which says less than "
                "this one. Let it sign another."
            )

    def current(self, known: Principal) -> Principal:
        """Somebody of this directory with no more than its newest token says of them.

        What it says more of them counts once they sign in anew: a session, or a token that was
        made for less, is never widened.

        Raises:
            Unauthenticated: They have none of the roles left that they came in with.
        """
        newest = self._known(known.user)
        if newest is None or newest.tenant != known.tenant:
            return known
        if not known.roles & newest.roles:
            raise Unauthenticated("The directory says otherwise of this person now. Sign in again.")
        return replace(
            known,
            groups=known.groups & newest.groups,
            clearance=min(known.clearance, newest.clearance),
            roles=known.roles & newest.roles,
            curates=known.curates & newest.curates,
        )

    def _known(self, user: str) -> DirectoryRecord | None:
        record = self._people.get(self._issuer, user)
        # What was read of claims by other settings says nothing now.
        return record if record is not None and record.asked_as == self._read_as else None

    def _keep(
        self, person: Principal, subject: str, issued: datetime, before: DirectoryRecord | None
    ) -> None:
        """A change is on the record before it counts."""
        record = DirectoryRecord(
            issuer=self._issuer,
            user=person.user,
            dn=subject,
            tenant=person.tenant,
            groups=person.groups,
            roles=person.roles,
            curates=person.curates,
            clearance=person.clearance,
            asked=issued,
            asked_as=self._read_as,
        )
        if before is None or before.rights != record.rights:
            detail = {
                "user": record.user,
                "groups": sorted(record.groups),
                "roles": sorted(record.roles),
                "clearance": record.clearance,
                "issuer": self._issuer,
            }
            now = datetime.now(UTC)
            self._audit.append(AuditEntry(now, "directory.person", record.tenant, "system", detail))
        self._people.put_newer(record)


def _issued(claims: Mapping[str, Any]) -> datetime | None:
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return None
    try:
        return datetime.fromtimestamp(issued, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _rights(person: Principal) -> tuple[object, ...]:
    return person.tenant, person.groups, person.roles, person.curates, person.clearance


def _is_more(person: Principal, newest: DirectoryRecord) -> bool:
    return not (
        person.groups <= newest.groups
        and person.roles <= newest.roles
        and person.curates <= newest.curates
        and person.clearance <= newest.clearance
    )
