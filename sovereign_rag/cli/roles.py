"""`roles`: what people are for, without a key."""

from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.roles import Role

app = new_app("Grant, revoke and list the roles of people who come by the directory.")

User = Annotated[str, typer.Argument(metavar="USER", help="Whom it is about: ana.")]
Which = Annotated[Role, typer.Argument(metavar="ROLE", help="reader, curator, admin or auditor.")]


@command(
    app,
    "grant",
    examples=(
        "sovereign-rag roles grant ana auditor",
        "sovereign-rag roles grant hugo curator --curates group:hr,source:contracts",
    ),
)
def grant(
    run: CommandRun,
    user: User,
    role: Which,
    curates: Annotated[
        str,
        typer.Option(metavar="A,B", help="What a curator looks after: group:NAME, source:NAME."),
    ] = "",
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Grant a role, effective at the person's next request. They read no more for it."""
    with run.open() as service:
        service.identities.roles.grant(user, role, curates.split(","), local_owner(tenant))
    _told(run, "granted", user, role)


@command(app, "revoke", examples=("sovereign-rag roles revoke ana auditor",))
def revoke(
    run: CommandRun,
    user: User,
    role: Which,
    curates: Annotated[
        str, typer.Option(metavar="A,B", help="Of a curator: these alone, and the rest stays.")
    ] = "",
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Take a granted role back, effective at the person's next request."""
    with run.open() as service:
        service.identities.roles.revoke(user, role, curates.split(","), local_owner(tenant))
    _told(run, "revoked", user, role)


@command(app, "list", examples=("sovereign-rag roles list",))
def list_(run: CommandRun, tenant: Tenant = DEFAULT_TENANT) -> None:
    """List the roles that were granted here, beside those of keys and of the directory."""
    from sovereign_rag.services.serialization.roles import GrantOut

    with run.open() as service:
        grants = [GrantOut.of(one) for one in service.identities.roles.list(local_owner(tenant))]
    if run.json:
        print_json({"roles": [one.plain() for one in grants]})
        return
    columns = ("person", "role", "looks after", "since", "granted by")
    rows = ((g.user, g.role, ", ".join(g.curates), g.granted[:10], g.granted_by) for g in grants)
    run.out.print(table(columns, rows))


def _told(run: CommandRun, what: str, user: str, role: Role) -> None:
    if run.json:
        print_json({what: {"user": user.removeprefix("user:"), "role": role}})
    else:
        run.note(f"{what.capitalize()}: {safe(user, one_line=True)}, {role}")
