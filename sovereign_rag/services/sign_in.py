"""Signing in and out of the page: a key becomes a session, on the record before it does."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sovereign_rag.access import DEFAULT_TENANT, Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.catalog.sessions import Vouched
from sovereign_rag.errors import Unauthenticated
from sovereign_rag.services.attempts import FailedAttempts
from sovereign_rag.storage.audit import AuditTrail, entry

if TYPE_CHECKING:
    from sovereign_rag.services.ldap_directory import LdapDirectory


class SignInService:
    """Sessions as people begin and end them."""

    def __init__(self, *, catalog: Catalog, audit: AuditTrail, attempts: FailedAttempts) -> None:
        self._catalog, self._audit, self._attempts = catalog, audit, attempts

    def sign_in(
        self, secret: str, *, hours: float, address: str | None, earlier: str | None = None
    ) -> str:
        """Begin a session with a key; returns its token.

        Args:
            address: Where the request came from.
            earlier: The token of whoever used this browser before, whose session ends.

        Raises:
            Unauthenticated: The key opens nothing; that is on the record.
            AuditError: It can't be recorded; nobody is signed in.
        """
        try:
            principal = self._catalog.keys.principal_for(secret)
        except Unauthenticated:
            self._attempts.note(address, "form", secret)
            raise
        return self._begin(principal, hours, address, earlier, key_id=key_id_of(secret))

    def sign_in_by_password(
        self,
        directory: "LdapDirectory",
        user: str,
        password: str,
        *,
        hours: float,
        address: str | None,
        earlier: str | None = None,
    ) -> str:
        """Begin a session with a name and a password of the directory; else as `sign_in`.

        Raises:
            Busy: Too many passwords were tried for this name.
            DirectoryLost: The directory can't be asked.
        """
        try:
            principal, vouched = directory.sign_in(user, password)
        except Unauthenticated:
            self._attempts.note(address, "form")
            raise
        return self._begin(principal, hours, address, earlier, vouched=vouched)

    def sign_in_vouched(
        self,
        principal: Principal,
        vouched: Vouched,
        *,
        hours: float,
        address: str | None,
        earlier: str | None = None,
    ) -> str:
        """Begin a session of somebody that a directory vouches for; else as `sign_in`."""
        return self._begin(principal, hours, address, earlier, vouched=vouched)

    def _begin(
        self,
        principal: Principal,
        hours: float,
        address: str | None,
        earlier: str | None,
        *,
        key_id: str | None = None,
        vouched: Vouched | None = None,
    ) -> str:
        self._audit.append(entry("sign_in", principal.from_address(address), {"hours": hours}))
        if earlier is not None:
            self.sign_out(earlier, address=address)
        return self._catalog.sessions.create(principal, hours, key_id=key_id, vouched=vouched)

    def end_vouched(self, vouched: Vouched, *, address: str | None) -> None:
        """End what a directory says is over; on the record before it is. Raises AuditError."""
        told = {"issuer": vouched.issuer, "subject": vouched.subject, "address": address}
        now = datetime.now(UTC)
        self._audit.append(AuditEntry(now, "sign_out.directory", DEFAULT_TENANT, "system", told))
        self._catalog.sessions.end_vouched(vouched)

    def sign_out(self, token: str, *, address: str | None) -> None:
        """End a session; one that is over already, or never was, is no error.

        Raises:
            AuditError: It can't be recorded; the session goes on.
        """
        try:
            principal = self._catalog.sessions.principal_for(token)
        except Unauthenticated:
            return
        self._audit.append(entry("sign_out", principal.from_address(address), {}))
        self._catalog.sessions.end(token)
