"""Roles granted to people without a key: given, taken back and listed; on the record first.

They count for whoever a directory vouches for, by a token or a session, from the next request on.
A key keeps to its own role, whoever it stands for: it was made for one purpose.
"""

from collections.abc import Iterable
from dataclasses import replace

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.granted_roles import GrantedRole
from sovereign_rag.errors import Forbidden
from sovereign_rag.roles import Role, reaches_named
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry


class RoleGrants:
    """What an admin may do with the roles of their tenant's people."""

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, operations: OperationRecorder
    ) -> None:
        self._catalog, self._audit, self._operations = catalog, audit, operations

    def grant(
        self, user: str, role: Role, curates: Iterable[str], principal: Principal
    ) -> list[GrantedRole]:
        """Grant a role in the principal's tenant; gives all that the person was granted.

        Raises:
            Forbidden: The principal is no admin.
            BadInput: An impossible name; a curator of nothing, or another role with `curates`.
            AuditError: It can't be recorded; nothing is granted.
        """
        _require_admin(principal)
        tenant, reaches = principal.tenant, reaches_named(curates, {role})
        person = Principal(user.removeprefix("user:"), tenant=tenant)
        with self._operations.begun("role.grant", principal, _told(person, role, reaches)):
            grants = self._catalog.granted_roles
            grants.grant(tenant, person.user, role, reaches, principal.label)
        return self._catalog.granted_roles.of_person(tenant, person.user)

    def revoke(
        self, user: str, role: Role, curates: Iterable[str], principal: Principal
    ) -> list[GrantedRole]:
        """Take a role back, of a curator perhaps `curates` alone; gives what is left to them.

        Raises:
            NotFound: It was not granted here.
            Forbidden: The principal is no admin.
            BadInput: Another role with `curates`.
            AuditError: It can't be recorded; they keep it.
        """
        _require_admin(principal)
        named = [word for word in curates if word.strip()]
        reaches = reaches_named(named, {role}) if named else frozenset[str]()
        tenant, person = principal.tenant, Principal(user.removeprefix("user:"))
        with self._operations.begun("role.revoke", principal, _told(person, role, reaches)):
            self._catalog.granted_roles.revoke(tenant, person.user, role, reaches)
        return self._catalog.granted_roles.of_person(tenant, person.user)

    def list(self, principal: Principal) -> list[GrantedRole]:
        """The grants of the principal's tenant, by person; on the record. Raises Forbidden."""
        _require_admin(principal)
        grants = self._catalog.granted_roles.in_tenant(principal.tenant)
        shown = {"people": sorted({one.user for one in grants})}
        self._audit.append(entry("roles.list", principal, shown))
        return grants

    def added_to(self, principal: Principal) -> Principal:
        """Somebody whom a directory vouches for, with the roles that they were granted here."""
        if principal.caller.issuer is None:
            return principal
        grants = self._catalog.granted_roles.of_person(principal.tenant, principal.user)
        if not grants:
            return principal
        return replace(
            principal,
            roles=principal.roles.union(one.role for one in grants),
            curates=principal.curates.union(*(one.curates for one in grants)),
        )


def _require_admin(principal: Principal) -> None:
    if not principal.is_admin:
        raise Forbidden("Only an admin may see, grant and revoke roles; ask one.")


def _told(person: Principal, role: Role, curates: frozenset[str]) -> dict[str, object]:
    told: dict[str, object] = {"user": person.user, "role": role.value}
    return told | ({"curates": sorted(curates)} if curates else {})
