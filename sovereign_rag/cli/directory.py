"""`directory`: what the organisation's LDAP directory says of people."""

from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import print_json, safe
from sovereign_rag.errors import NotFound, SettingsError

if TYPE_CHECKING:
    from sovereign_rag.services.ldap_directory import LdapDirectory
    from sovereign_rag.wiring import Application

app = new_app("Ask the organisation's LDAP directory about people.")


@command(
    app,
    "refresh",
    examples=("sovereign-rag directory refresh", "sovereign-rag directory refresh ana hugo"),
)
def refresh(
    run: CommandRun,
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[USER]...", help="Those alone; else everybody.")
    ] = None,
) -> None:
    """Ask about everybody who came in by the directory, so that changes there count at once."""
    with run.open() as service:
        done = _directory(service).refresh(users or ())
    if run.json:
        print_json({"people": done.people, "changed": done.changed, "gone": done.gone})
        return
    changed, gone = (", ".join(names) or "nobody" for names in (done.changed, done.gone))
    run.note(f"Asked about {done.people}. Changed: {changed}. Gone: {gone}.")


@command(app, "show", examples=("sovereign-rag directory show ana",))
def show(run: CommandRun, user: Annotated[str, typer.Argument(metavar="USER")]) -> None:
    """Show how the directory has somebody right now, and what that makes of them here."""
    with run.open() as service:
        looked = _directory(service).look(user)
    if looked is None:
        raise NotFound(f"The directory knows nobody who signs in as {user!r}.")
    person, principal = looked
    told = {
        "dn": person.dn,
        "user": principal.user,
        "groups_there": sorted(person.groups),
        "groups": sorted(principal.groups),
        "roles": sorted(principal.roles),
        "curates": sorted(principal.curates),
        "tenant": principal.tenant,
        "clearance": principal.clearance,
    }
    if run.json:
        print_json(told)
        return
    for name, value in told.items():
        listed = ", ".join(value) if isinstance(value, list) else value
        run.out.print(safe(f"{name}: {listed}", one_line=True))


def _directory(service: "Application") -> "LdapDirectory":
    if service.identities.ldap is None:
        raise SettingsError("No LDAP directory is named: set identity.ldap.url.")
    return service.identities.ldap
