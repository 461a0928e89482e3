"""`usage`: how much was asked, by whom."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, table

app = typer.Typer()


@command(
    app,
    "usage",
    examples=("sovereign-rag usage --days 7", "sovereign-rag usage --by person --by key --json"),
)
def usage(
    run: CommandRun,
    days: Annotated[int, typer.Option(min=1, max=3_660, help="How many, up to today.")] = 30,
    by: Annotated[
        list[str] | None, typer.Option(help="What is told apart: day, person, key; else the day.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Tell how much was asked: questions, refusals, written tokens, joules. No texts are kept."""
    from sovereign_rag.catalog.usage import DIMENSIONS
    from sovereign_rag.errors import BadInput
    from sovereign_rag.services.serialization.usage import UsageOut

    wanted = [name for name in DIMENSIONS if name in (by or ["day"])]
    if unknown := sorted(set(by or ()) - set(DIMENSIONS)):
        raise BadInput(f"--by {unknown[0]}: tell apart by {', '.join(DIMENSIONS)}.")
    until = datetime.now(UTC).date()
    since = until - timedelta(days=days - 1)
    with run.open() as service:
        rows = service.oversight.usage.read(
            local_owner(tenant), since=since, until=until, by=wanted
        )
    told = UsageOut.of(rows, tenant=tenant, since=since, until=until)
    if run.json:
        print_json(told.plain())
        return
    columns = (*wanted, ">questions", ">refusals", ">tokens", ">joules")
    lines = (
        (
            *(str(getattr(r, name) or "-") for name in wanted),
            r.questions,
            r.refusals,
            r.tokens,
            r.joules,
        )
        for r in told.rows
    )
    run.out.print(table(columns, lines))
