"""Keys as admins make, list, rotate and end them; on the record before anything happens."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.errors import BadInput, Forbidden
from sovereign_rag.roles import Role
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is wanted; what it would open is checked when it is made."""

    user: str
    name: str = ""  # the user's, where nothing is said
    groups: frozenset[str] = frozenset()
    clearance: int = 0
    role: Role = Role.READER
    scopes: frozenset[str] | None = None  # None: all of the role's
    curates: frozenset[str] = frozenset()
    expires: datetime | None = None
    front_end: str | None = None  # whose people it speaks for
    once: str = ""  # a form's own word: sent again with the same content it makes no other key


class KeyService:
    """What an admin may do with the keys of their tenant, and the owner with everybody's."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        audit: AuditTrail,
        operations: OperationRecorder,
        front_ends: Collection[str],
        beyond_own_rights: bool,
    ) -> None:
        """
        Args:
            front_ends: Those that the settings name.
            beyond_own_rights: Whether an admin's key may have groups or a clearance made that
                it has not itself.
        """
        self._catalog, self._audit, self._operations = catalog, audit, operations
        self._front_ends, self._beyond_own_rights = front_ends, beyond_own_rights

    def create(self, wanted: NewKey, principal: Principal) -> tuple[KeyRecord, str]:
        """Make a key in the principal's tenant.

        Returns:
            Its record, and the secret, which can't be had again.

        Raises:
            Forbidden: The principal is no admin, or it goes beyond what the principal may give.
            BadInput: It could never be right; see `Keys.create`.
            KeyReused: The same was sent before with the same `once`.
            AuditError: It can't be recorded; no key is made.
        """
        _require_admin(principal)
        if wanted.front_end is not None and wanted.front_end not in self._front_ends:
            raise BadInput(
                f"The settings name no front end {wanted.front_end!r}: see [front_ends.NAME]."
            )
        self._require_within(wanted.groups, wanted.clearance, principal)
        id_ = self._unused_id(wanted.once, _told(wanted), wanted.name)
        with self._operations.begun("key.create", principal, _told(wanted)) as act:
            record, secret = self._made(wanted, principal.tenant, id_)
            act.outcome["key"] = record.id
        return record, secret

    def list(self, principal: Principal) -> list[KeyRecord]:
        """The keys of the principal's tenant, oldest first; on the record. Raises Forbidden."""
        _require_admin(principal)
        records = self._catalog.keys.in_tenant(principal.tenant)
        shown = {"keys": [record.id for record in records]}
        self._audit.append(entry("keys.list", principal, shown))
        return records

    def rotate(
        self, key_id: str, principal: Principal, *, overlap: timedelta = timedelta(), once: str = ""
    ) -> tuple[KeyRecord, str]:
        """Make a key in the place of another, which ends at once or after `overlap`.

        Returns:
            The new record, which opens what the other did and ends when that would have; and the
            secret.

        Raises:
            NotFound: The principal's tenant has no such key.
            BadInput: It is over already.
            Forbidden: As `create`.
            KeyReused: The same was sent before with the same `once`.
            AuditError: It can't be recorded; both stay as they are.
        """
        _require_admin(principal)
        old = self._catalog.keys.get(key_id, tenant=_reach(principal))
        now = datetime.now(UTC)
        # Before anything else: whoever sends it again finds the old one at its end.
        id_ = self._unused_id(once, old.id, overlap)
        if old.revoked is not None or (old.expires is not None and old.expires <= now):
            raise BadInput(f"Key {key_id!r} is over already; make a new one instead.")
        self._require_within(old.groups, old.clearance, principal)
        told = {"key": old.id, "user": old.user, "of": old.tenant}
        told["overlap_s"] = str(int(overlap.total_seconds()))
        with self._operations.begun("key.rotate", principal, told) as act:
            record, secret = self._made(_again(old), old.tenant, id_)
            act.outcome["new_key"] = record.id
            if overlap:
                self._catalog.keys.end_by(old.id, now + overlap)
            else:
                self._catalog.keys.revoke(old.id)
        return record, secret

    def revoke(self, key_id: str, principal: Principal) -> KeyRecord:
        """End a key: from now on it opens nothing, nor do the sessions that it began.

        Raises:
            NotFound: The principal's tenant has no such key.
            Forbidden: The principal is no admin.
            AuditError: It can't be recorded; the key stays.
        """
        _require_admin(principal)
        with self._operations.begun("key.revoke", principal, {"key": key_id}) as act:
            record = self._catalog.keys.revoke(key_id, tenant=_reach(principal))
            act.outcome |= {"user": record.user, "of": record.tenant}
        return record

    def _unused_id(self, once: str, *wanted: object) -> str | None:
        """The id that only this form with this content gets; None, any, where it says no word.

        Raises:
            KeyReused: It was sent before. Of two at the same time the catalog takes one.
        """
        if not once:
            return None
        id_ = hashlib.sha256(repr((once, wanted)).encode()).hexdigest()[:12]
        self._catalog.keys.require_unused(id_)
        return id_

    def _made(self, wanted: NewKey, tenant: str, id_: str | None) -> tuple[KeyRecord, str]:
        return self._catalog.keys.create(
            name=wanted.name or wanted.user,
            user=wanted.user,
            groups=wanted.groups,
            tenant=tenant,
            clearance=wanted.clearance,
            role=wanted.role,
            scopes=wanted.scopes,
            curates=wanted.curates,
            expires=wanted.expires,
            front_end=wanted.front_end,
            id_=id_,
        )

    def _require_within(self, groups: frozenset[str], clearance: int, principal: Principal) -> None:
        if principal.is_owner or self._beyond_own_rights:
            return
        if not groups <= principal.groups or clearance > principal.clearance:
            raise Forbidden(
                "identity.keys_beyond_own_rights is off: a key made here has no group and no "
                "clearance that its maker has not. The owner of the data folder makes others: "
                "`sovereign-rag keys create`."
            )


def _reach(principal: Principal) -> str | None:
    """In which tenant keys are looked for; None: in all."""
    return None if principal.is_owner else principal.tenant


def _require_admin(principal: Principal) -> None:
    if not principal.is_admin:
        raise Forbidden("Only an admin may see, make and end keys; ask for an admin key.")


def _again(old: KeyRecord) -> NewKey:
    return NewKey(
        user=old.user,
        name=old.name,
        groups=old.groups,
        clearance=old.clearance,
        role=old.role,
        scopes=old.held_to,
        curates=old.curates,
        expires=old.expires,
        front_end=old.front_end,
    )


def _told(wanted: NewKey) -> dict[str, Any]:
    told: dict[str, Any] = {
        "user": wanted.user,
        "groups": sorted(wanted.groups),
        "clearance": wanted.clearance,
        "admin": wanted.role is Role.ADMIN,
        "role": wanted.role,
        "expires": wanted.expires.isoformat() if wanted.expires else None,
    }
    if wanted.scopes is not None:
        told["scopes"] = sorted(wanted.scopes)
    if wanted.curates:
        told["curates"] = sorted(wanted.curates)
    return told | ({"front_end": wanted.front_end} if wanted.front_end else {})
