"""The organisation's directory by LDAP: who is in which groups, asked of the directory itself."""

import re
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.roles import Role
from sovereign_rag.settings.section import Section

ARROW: Final = " -> "
OF: Final = " of "

Nesting = Literal["walk", "member_of", "matching_rule"]
"""How groups within groups are found: by their members, by `memberOf`, or by AD's own rule."""


class LdapSettings(Section):
    """An LDAP directory or Active Directory. Off without url."""

    url: str | None = Field(
        None,
        description="Address of the directory: ldaps://dc.example.org, or ldap:// with start_tls. The only address of it that is contacted: no referral is followed.",
    )
    start_tls: bool = Field(False, description="Whether an ldap:// address is asked for TLS first.")
    allow_plain: bool = Field(
        False,
        description="Whether passwords and groups may travel without TLS, which everybody on the way can read and change.",
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that vouch for its address; unset: the system's."
    )
    bind_dn: str | None = Field(
        None, description="Whom this service looks things up as; unset: nobody in particular."
    )
    bind_password_file: Path | None = Field(None, description="File with that one's password.")
    people_base: str = Field("", description="Below which entry people are looked for.")
    people_filter: str = Field(
        "(uid={user})",
        description="How a person is found by their name, {user}; for Active Directory `(&(sAMAccountName={user})(!(userAccountControl:1.2.840.113556.1.4.803:=2)))`, which leaves closed accounts out.",
    )
    user_attribute: str = Field("uid", description="The attribute that names a person here.")
    groups_base: str = Field("", description="Below which entry groups are looked for.")
    groups_filter: str = Field(
        "(objectClass=groupOfNames)",
        description="Which entries are groups; for Active Directory `(objectClass=group)`.",
    )
    group_attribute: str = Field(
        "cn", description="The attribute that names a group here; dn: its whole name there."
    )
    member_attribute: str = Field("member", description="The attribute that lists who is in one.")
    nested: Nesting = Field(
        "walk",
        description="How groups within groups are found: `walk` asks for the groups of each group, `member_of` follows the attribute memberOf, `matching_rule` lets Active Directory do it (1.2.840.113556.1.4.1941).",
    )
    groups_rename: tuple[str, ...] = Field(
        (), description="Patterns of group names, as identity.oidc.groups_rename."
    )
    roles_rename: tuple[str, ...] = Field(
        (),
        description="Patterns of group names that make somebody more than a reader, as identity.oidc.roles_rename: `rag-admins -> admin`. Empty: no group does.",
    )
    tenant: str = Field(DEFAULT_TENANT, description="The tenant of everybody of this directory.")
    clearance_attribute: str | None = Field(
        None, description="The attribute with a person's clearance, a number; unset or without: 0."
    )
    refresh_s: PositiveFloat = Field(
        300.0, description="Within which time a change there is known here."
    )
    max_age_s: PositiveFloat = Field(
        3_600.0,
        description="How long what was known of somebody counts while the directory can't be reached; after that they are refused.",
    )
    timeout_s: PositiveFloat = Field(5.0, description="How long it may take to answer.")
    page_size: PositiveInt = Field(500, description="Entries that are asked for at a time.")

    @model_validator(mode="after")
    def _whole_and_closed(self) -> Self:
        if self.url is None:
            return self
        address = urlsplit(self.url)
        if address.scheme not in {"ldap", "ldaps"} or not address.hostname or address.path:
            raise ValueError("`url` is ldaps://HOST or ldaps://HOST:PORT, and no more")
        if address.scheme == "ldaps" and self.start_tls:
            raise ValueError("`start_tls` is for ldap://; ldaps:// begins with TLS anyway")
        if address.scheme == "ldap" and not (self.start_tls or self.allow_plain):
            raise ValueError(
                "`url` begins with ldap://, where passwords could be read on the way: write "
                "ldaps://, or set `start_tls`; on a line that nobody else reads, `allow_plain`"
            )
        if not self.people_base or not self.groups_base:
            raise ValueError("`url` needs `people_base` and `groups_base`")
        if self.people_filter.count("{user}") != 1:
            raise ValueError("`people_filter` holds {user} once: (uid={user})")
        for name, text in (
            ("people_filter", self.people_filter),
            ("groups_filter", self.groups_filter),
        ):
            if not (text.startswith("(") and text.endswith(")")):
                raise ValueError(f"`{name}` is a filter in parentheses, got {text!r}")
        if (self.bind_dn is None) != (self.bind_password_file is None):
            raise ValueError("`bind_dn` and `bind_password_file` belong together")
        if self.max_age_s < self.refresh_s:
            raise ValueError("`max_age_s` is less than `refresh_s`")
        check_rules(self.groups_rename, self.roles_rename)
        return self


def check_rules(groups_rename: tuple[str, ...], roles_rename: tuple[str, ...]) -> None:
    """Raises ValueError: A pattern is none, or leads to a role that there is not."""
    for name, rules in (("groups_rename", groups_rename), ("roles_rename", roles_rename)):
        for rule in rules:
            pattern, arrow, _ = rule.rpartition(ARROW)
            if not arrow:
                raise ValueError(f"`{name}` holds {rule!r}: write PATTERN -> NAME")
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"`{name}` holds {rule!r}: {error}") from error
    for rule in roles_rename:
        role = rule.rpartition(ARROW)[2].partition(OF)[0]
        if role not in set(Role):
            raise ValueError(f"`roles_rename` holds {rule!r}: {role!r} is no role")
