"""Who people are by others' word than a key's, and what they were granted beside it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import Unauthenticated
from sovereign_rag.services.newest_claims import NewestClaims
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.role_grants import RoleGrants
from sovereign_rag.settings.identity import IdentitySettings
from sovereign_rag.storage.audit import AuditTrail

if TYPE_CHECKING:  # a tenth of a second of libraries that an installation without them never needs
    from sovereign_rag.services.directory_sign_in import DirectorySignIn
    from sovereign_rag.services.ldap_directory import LdapDirectory
    from sovereign_rag.services.oidc import TokenDirectory


@dataclass(frozen=True, slots=True)
class Identities:
    """The organisation's directory as far as the settings name one, and granted roles."""

    tokens: "TokenDirectory | None"  # says whom a token names
    token_sign_in: "DirectorySignIn | None"  # signs people in on the page by that directory
    ldap: "LdapDirectory | None"  # says who is in which groups, and takes passwords on the page
    roles: RoleGrants
    newest_claims: NewestClaims | None  # what the newest token of each person says
    token_issuer: str | None

    @classmethod
    def over(
        cls,
        settings: IdentitySettings,
        *,
        catalog: Catalog,
        audit: AuditTrail,
        operations: OperationRecorder,
    ) -> Self:
        oidc = settings.oidc
        newest = tokens = token_sign_in = ldap = None
        if oidc.issuer is not None:
            from sovereign_rag.services.directory_sign_in import DirectorySignIn
            from sovereign_rag.services.oidc import TokenDirectory

            newest = NewestClaims(oidc, catalog=catalog, audit=audit)
            tokens = TokenDirectory(oidc, newest=newest)
            token_sign_in = None if oidc.client_id is None else DirectorySignIn(oidc, tokens)
        if settings.ldap.url is not None:
            from sovereign_rag.services.ldap_directory import LdapDirectory

            ldap = LdapDirectory(settings.ldap, catalog=catalog, audit=audit)
        return cls(
            tokens=tokens,
            token_sign_in=token_sign_in,
            ldap=ldap,
            roles=RoleGrants(catalog=catalog, audit=audit, operations=operations),
            newest_claims=newest,
            token_issuer=oidc.issuer,
        )

    def current(self, known: Principal) -> Principal:
        """Somebody as they are at this moment, whatever they were when they came in.

        Raises:
            Unauthenticated: Their directory doesn't know them any more, or is none of ours now.
            DirectoryLost: Nobody knows what they may do, for now.
        """
        issuer = known.caller.issuer
        if self.ldap is not None and issuer == self.ldap.issuer:
            known = self.ldap.current(known)
        elif self.newest_claims is not None and issuer == self.token_issuer:
            known = self.newest_claims.current(known)
        elif issuer is not None:
            raise Unauthenticated("The directory that vouched for this is no longer asked.")
        return self.roles.added_to(known)
