"""`retention`: what the rules of the settings would remove, and its removal."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import print_json, table

app = new_app("Keep documents and the record as long as the rules say, and no longer.")


@command(app, "report", examples=("sovereign-rag retention report --json",))
def report(run: CommandRun) -> None:
    """List the documents whose time is over, with the rule, and those that a legal hold keeps."""
    from sovereign_rag.privacy.retention import due

    with run.open() as service:
        found = list(due(service.catalog, run.settings.retention, datetime.now(UTC)))
    if run.json:
        print_json(
            [
                {
                    "document": one.record.id,
                    "uri": one.record.uri,
                    "rule": one.rule,
                    "over_since": one.over_since.isoformat(),
                    "held": one.held,
                }
                for one in found
            ]
        )
        return
    rows = (
        (one.record.id, one.rule, one.over_since.date(), "held" if one.held else "", one.record.uri)
        for one in found
    )
    run.out.print(table(("id", ">rule", "over since", "", "uri"), rows))
    kept = sum(one.held for one in found)
    run.note(f"{len(found) - kept} documents are due; {kept} are held.")


@command(app, "apply", examples=("sovereign-rag retention apply --yes",))
def apply(
    run: CommandRun,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: for a timer.")] = False,
) -> None:
    """Delete what `retention report` lists, and months of the record that are over.

    Each deletion is on the record with its rule. A source that still holds a document brings it
    again: have it removed there, or leave it out of the source.
    """
    from sovereign_rag.privacy import retention

    rules, now, owner = run.settings.retention, datetime.now(UTC), local_owner()
    with run.open() as service:
        if not yes:
            found = [one for one in retention.due(service.catalog, rules, now) if not one.held]
            run.confirm(f"Delete {len(found)} documents?", yes=yes)
        gone = retention.apply(service, rules, owner, now)
        months = retention.trim_record(service, rules, owner, now)
    if run.json:
        print_json({"deleted": gone, "record_files": months})
    else:
        run.out.print(f"{gone} documents deleted, {months} files of the record removed")
