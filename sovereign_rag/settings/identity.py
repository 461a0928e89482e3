"""The organisation's directory: who somebody is, by a token that it signed."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, model_validator

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.settings.ldap import LdapSettings, check_rules
from sovereign_rag.settings.section import Section

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Signatures with a key pair alone: a public key must never pass for a shared secret."""

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class OidcSettings(Section):
    """An OpenID Connect provider, whose JWTs the API takes as bearer tokens. Off without issuer."""

    issuer: str | None = Field(None, description="The `iss` of its tokens, letter by letter.")
    audience: str | None = Field(
        None, description="The `aud` that a token must name: this service, as it knows it."
    )
    jwks_url: str | None = Field(
        None,
        description="Where its public keys are: the only address that is contacted for tokens, by HTTPS (on this machine by HTTP, too). No redirect and no proxy is followed.",
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for its addresses; unset: the system's."
    )
    client_id: str | None = Field(
        None,
        description="This service as the provider knows it, for sign-in on the page; unset: keys alone sign in there.",
    )
    client_secret_file: Path | None = Field(
        None, description="File with the client's secret; unset: a public client, by PKCE alone."
    )
    authorize_url: str | None = Field(
        None, description="Where a browser is sent to sign in; this service doesn't contact it."
    )
    token_url: str | None = Field(
        None, description="Where a sign-in's code is redeemed; contacted as jwks_url is."
    )
    scopes: tuple[str, ...] = Field(
        ("openid",), description="What is asked for at sign-in, so that its claims come."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256",), min_length=1, description="Signatures that are taken; none with a shared key."
    )
    clock_skew_s: int = Field(30, ge=0, le=300, description="How far its clock may be off.")
    keys_max_age_s: PositiveFloat = Field(
        300.0,
        description="How long its keys are kept; then they are fetched again, and where that fails no token is taken.",
    )
    timeout_s: PositiveFloat = Field(5.0, description="How long a fetch of its keys may take.")
    user_claim: str = Field("sub", description="The claim that names the person.")
    groups_claim: str = Field(
        "groups",
        description="The claim that lists their groups; whose token lacks it reads nothing.",
    )
    groups_rename: tuple[str, ...] = Field(
        (),
        description=r"Patterns of group names, each `PATTERN -> NAME`, e.g. `/departments/(.+) -> \1`: the first that fits a whole name says what the group is called here; a group that none fits is left out. Empty: names are taken as they are.",
    )
    roles_claim: str | None = Field(
        None,
        description="The claim that lists a person's roles; unset, or without a role that is known here: a reader.",
    )
    roles_rename: tuple[str, ...] = Field(
        (),
        description=r"Patterns of role names, each `PATTERN -> ROLE`, where ROLE is reader, curator of group:NAME, admin or auditor: `rag-curator-(.+) -> curator of group:\1`. What none fits is left out. Empty: names are taken as they are.",
    )
    tenant: str = Field(
        DEFAULT_TENANT, description="The tenant of everybody, where no claim says it."
    )
    tenant_claim: str | None = Field(
        None, description="The claim that names the tenant; whose token lacks it reads nothing."
    )
    clearance_claim: str = Field(
        "clearance", description="The claim with the clearance, a number; without it 0."
    )

    @model_validator(mode="after")
    def _whole_and_closed(self) -> Self:
        if self.issuer is None:
            return self
        if not self.audience or not self.jwks_url:
            raise ValueError("`issuer` needs `audience` and `jwks_url`")
        if self.client_id and not (self.authorize_url and self.token_url):
            raise ValueError("`client_id` needs `authorize_url` and `token_url`")
        for name in ("jwks_url", "authorize_url", "token_url"):
            address = urlsplit(getattr(self, name) or self.jwks_url)
            is_here = address.scheme == "http" and address.hostname in _HERE
            if not (address.hostname and (address.scheme == "https" or is_here)):
                raise ValueError(f"`{name}` begins with https://")
        check_rules(self.groups_rename, self.roles_rename)
        return self


class IdentitySettings(Section):
    """Who asks, as others than this service's own keys say it."""

    keys_beyond_own_rights: bool = Field(
        True,
        description="Whether an admin may make keys over the API with groups or a clearance that their own key has not. Every key is on the record with its maker; off, only the command line of the data folder makes such keys.",
    )
    oidc: OidcSettings = OidcSettings()
    ldap: LdapSettings = LdapSettings()
