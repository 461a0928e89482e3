"""Whose eyes a command looks through: the owner of the data folder, or somebody named."""

from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT, Principal, local_owner
from sovereign_rag.errors import BadInput

As = Annotated[
    str | None,
    typer.Option("--as", metavar="user:NAME", help="See what this user sees, not the owner."),
]
Groups = Annotated[str | None, typer.Option(metavar="A,B", help="The groups of the user in --as.")]
Clearance = Annotated[
    int | None, typer.Option(min=0, help="The clearance of the user in --as, 0 unless said.")
]
Tenant = Annotated[str, typer.Option(help="Whose documents: tenants see nothing of each other.")]


def principal(
    as_: str | None, groups: str | None, clearance: int | None, tenant: str = DEFAULT_TENANT
) -> Principal:
    """Who asks: without `--as` the owner of the data folder.

    Raises:
        BadInput: `--groups` or `--clearance` without `--as`, or an impossible name.
    """
    if as_ is None:
        if groups is not None or clearance is not None:
            raise BadInput(
                "--groups and --clearance describe a user: add --as user:NAME. Without it the "
                "command acts as the owner of the data folder."
            )
        return local_owner(tenant)
    kind, _, name = as_.partition(":")
    if kind != "user":
        raise BadInput(f"--as {as_} names no user; write --as user:NAME.")
    return Principal(
        user=name,
        groups=frozenset(part.strip() for part in (groups or "").split(",") if part.strip()),
        tenant=tenant,
        clearance=clearance or 0,
    )
