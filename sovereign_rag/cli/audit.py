"""`audit`: what was asked and shown, and whether the record of it is whole."""

import json
from collections import deque
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import AuditError

if TYPE_CHECKING:
    from sovereign_rag.storage.audit import AuditRecord

app = new_app("Show and verify the audit record.")


@command(app, "verify", examples=("sovereign-rag audit verify",))
def verify(run: CommandRun) -> None:
    """Follow the record from its beginning and find the first place that was tampered with.

    Note the hash it prints in another place now and then: whoever can write the data folder
    could forge the whole record. Exit code 3: the record is broken.
    """
    from sovereign_rag.storage.audit import AuditLog

    report = AuditLog(run.settings.data_dir).verify()
    if run.json:
        print_json(
            {
                "ok": report.ok,
                "first": report.first,
                "last": report.head.number,
                "hash": report.head.hash,
                "broken_at": report.broken_at,
                "problem": report.problem,
            }
        )
    elif report.ok:
        run.out.print(Text("ok", "green"))
        run.out.print(f"{report.head.number} {report.head.hash}")
    if not report.ok:
        raise AuditError(
            f"The audit record is broken at number {report.broken_at}: {report.problem}. "
            "Compare the folder audit/ with a backup."
        )


@command(
    app,
    "show",
    examples=("sovereign-rag audit show --last 20", "sovereign-rag audit show --after 100"),
)
def show(
    run: CommandRun,
    last: Annotated[int, typer.Option(min=1, help="Only so many, the latest ones.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only those above this number.")] = 0,
) -> None:
    """Show the latest entries, oldest first: who did what, and what they were shown."""
    from sovereign_rag.storage.audit import AuditLog

    records = deque(AuditLog(run.settings.data_dir).read(after=after), maxlen=last)
    if run.json:
        print_json({"entries": [_to_dict(record) for record in records]})
        return
    rows = (
        (
            record.number,
            f"{record.entry.at:%Y-%m-%d %H:%M:%S}",
            record.entry.tenant,
            record.entry.principal,
            record.entry.action,
            json.dumps(record.entry.detail, ensure_ascii=False),
        )
        for record in records
    )
    columns = (">number", "at (UTC)", "tenant", "who", "action", "detail")
    run.out.print(table(columns, rows))


def _to_dict(record: "AuditRecord") -> dict[str, object]:
    return {
        "number": record.number,
        "at": record.entry.at.isoformat(),
        "action": record.entry.action,
        "tenant": record.entry.tenant,
        "principal": record.entry.principal,
        "detail": dict(record.entry.detail),
    }
