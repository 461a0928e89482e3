"""`access`: why somebody can or can't read a document, and what they can read."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.access import (
        ExplanationOut,
        GivenOut,
        VerdictOut,
    )

app = new_app("Tell who can read what, and why.")

Groups = Annotated[str, typer.Option(metavar="A,B", help="The groups of the user.")]
Clearance = Annotated[int, typer.Option(min=0, help="The clearance, 0 unless said.")]


@command(
    app,
    "explain",
    examples=(
        "sovereign-rag access explain ana 6f1c…",
        "sovereign-rag access explain ana 6f1c… --groups finance,hr --clearance 2",
    ),
)
def explain(
    run: CommandRun,
    user: Annotated[str, typer.Argument(metavar="USER", help="A user's name: ana.")],
    document: Annotated[
        str, typer.Argument(metavar="DOCUMENT", help="Its id, as `documents list` prints it.")
    ],
    groups: Groups = "",
    clearance: Clearance = 0,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Tell why a user can or can't read a document: by which label, given by whom, since when.

    Without --groups and --clearance it is told for each valid key of the user; one without a key
    is taken to be in no group.
    """
    from sovereign_rag.services.serialization.access import ExplanationOut

    with run.open() as service:
        explainer = service.explainer
        people = explainer.people(user, tenant, groups=_names(groups), clearance=clearance)
        told = ExplanationOut.of(explainer.explain(document, people, local_owner(tenant)))
    if run.json:
        print_json(told.plain())
        return
    run.out.print(Text(safe(told.uri or told.document_id, one_line=True)))
    for verdict in told.verdicts:
        run.out.print(Text(f"  {_verdict(verdict, told)}"), soft_wrap=True)
    columns = ("who may read", "since (UTC)", "by", "action", "said by", "from")
    run.out.print(table(columns, ((label.label, *_given(label.since)) for label in told.labels)))
    if told.last_change is not None and not told.labels:
        run.note(f"Nobody but the owner reads it since {_moment(told.last_change)}.")
    if told.sources:
        run.note(f"Held by the source {', '.join(told.sources)}.")


@command(
    app,
    "of",
    examples=(
        "sovereign-rag access of ana",
        "sovereign-rag access of --group finance --clearance 2",
    ),
)
def of(
    run: CommandRun,
    user: Annotated[str | None, typer.Argument(metavar="USER", help="A user's name: ana.")] = None,
    *,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="What anybody of this group can read.")
    ] = None,
    groups: Groups = "",
    clearance: Clearance = 0,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """List what a user, or anybody of a group, can read; the groups are told as for `explain`."""
    if (user is None) == (group is None) or (group is not None and groups):
        raise BadInput("Say whose: a USER, with --groups if you like, or --group NAME alone.")
    with run.open() as service:
        explainer, owner = service.explainer, local_owner(tenant)
        if group is not None:
            name = group.removeprefix("group:")
            found = explainer.readable_by_group(name, clearance, owner)
        else:
            people = explainer.people(str(user), tenant, groups=_names(groups), clearance=clearance)
            found = explainer.readable_by(people, owner)
    rows = [
        {
            "document_id": record.id,
            "title": record.title,
            "uri": record.uri,
            "level": record.level,
            "readers": sorted(record.readers),
        }
        for record in found
    ]
    if run.json:
        print_json({"documents": rows, "count": len(rows)})
        return
    columns = ("id", ">level", "who may read", "title", "uri")
    run.out.print(
        table(
            columns, ((r.id, r.level, ", ".join(sorted(r.readers)), r.title, r.uri) for r in found)
        )
    )
    run.note(f"{len(rows)} documents", style="dim")


def _names(groups: str) -> list[str]:
    return [name.strip() for name in groups.split(",") if name.strip()]


def _verdict(verdict: "VerdictOut", told: "ExplanationOut") -> str:
    who = f"user:{told.user} ({verdict.known_by}; groups: {', '.join(verdict.groups) or 'none'})"
    if verdict.readable:
        return f"{who} can read it, by {', '.join(verdict.meets)}."
    reasons = []
    if not verdict.meets:
        reasons.append("none of its readers is one of their labels")
    if not verdict.cleared:
        reasons.append(f"its level {told.level} is above their clearance {verdict.clearance}")
    return f"{who} can't read it: {', and '.join(reasons)}."


def _given(given: "GivenOut | None") -> tuple[str, str, str, str, str]:
    if given is None:
        return ("before the record begins", "", "", "", "")
    return (
        _moment(given),
        given.by,
        f"{given.action} (record {given.number})",
        given.said_by or "",
        ", ".join(given.origin),
    )


def _moment(given: "GivenOut") -> str:
    return given.at[:16].replace("T", " ")
