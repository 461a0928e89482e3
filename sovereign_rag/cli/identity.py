"""Whose eyes a command looks through: the owner of the data folder, or somebody named."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Asker:
    """The options that say who asks."""

    as_: As = None
    groups: Groups = None
    clearance: Clearance = None
    tenant: Tenant = DEFAULT_TENANT

    def principal(self) -> Principal:
        """Who asks: without `--as` the owner of the data folder.

        Raises:
            BadInput: `--groups` or `--clearance` without `--as`, or an impossible name.
        """
        if self.as_ is None:
            if self.groups is not None or self.clearance is not None:
                raise BadInput(
                    "--groups and --clearance describe a user: add --as user:NAME. Without it the "
                    "command acts as the owner of the data folder."
                )
            return local_owner(self.tenant)
        kind, _, name = self.as_.partition(":")
        if kind != "user":
            raise BadInput(f"--as {self.as_} names no user; write --as user:NAME.")
        return Principal(
            user=name,
            groups=frozenset(g.strip() for g in (self.groups or "").split(",") if g.strip()),
            tenant=self.tenant,
            clearance=self.clearance or 0,
            is_view=True,
        )
