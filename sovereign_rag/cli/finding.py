"""What the doctor finds of one thing, and what it finds of the directory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sovereign_rag.errors import SovereignError

if TYPE_CHECKING:
    from sovereign_rag.wiring import Application

State = Literal["ok", "missing", "limited"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State  # missing: something does not work; limited: it works without
    detail: str
    way_out: str = ""


def directory_found(service: "Application") -> Iterator[Finding]:
    """Whether the LDAP directory answers; where it doesn't, until when its people get in."""
    ldap = service.identities.ldap
    if ldap is None:
        return
    try:
        ldap.check()
    except SovereignError as error:
        way_out = f"who is known gets in until {ldap.lasts_until()}; see identity.ldap in the docs"
        yield Finding("directory", "missing", str(error), way_out)
        return
    yield Finding("directory", "ok", f"{ldap.issuer} answers")
