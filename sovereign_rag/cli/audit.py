"""`audit`: what was asked and shown, and whether the record of it is whole."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import AuditError

if TYPE_CHECKING:
    from sovereign_rag.storage.audit import AuditLog
    from sovereign_rag.storage.audit_chain import AuditRecord

app = new_app("Show and verify the audit record.")


@command(app, "verify", examples=("sovereign-rag audit verify",))
def verify(run: CommandRun) -> None:
    """Follow the record from its beginning and find the first place that was tampered with.

    What is gone is missed by what the catalog notes of it, and the file of `audit.anchor`; lay that
    on another machine: whoever can write the data folder and the catalog could forge all of it.
    Exit code 3: the record is broken.
    """
    with _opened(run) as audit:
        report = audit.verify()
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


@command(app, "trim", examples=("sovereign-rag audit trim --before 2026-01-01",))
def trim(
    run: CommandRun,
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Months that ended before this day.")
    ],
) -> None:
    """Remove the record of old months, which is itself on the record.

    `verify` takes what is left as whole; files that are removed by hand are missed.
    """
    from sovereign_rag.storage.audit import entry

    with _opened(run) as audit:
        removed = audit.trim(before.date(), entry("audit.trimmed", local_owner(), {}))
    if run.json:
        print_json({"files": removed})
    else:
        run.out.print(f"{removed} files removed")


@contextmanager
def _opened(run: CommandRun) -> Iterator["AuditLog"]:
    from sovereign_rag.catalog.catalog import Catalog
    from sovereign_rag.catalog.database import FILE_NAME
    from sovereign_rag.storage.audit import AuditLog
    from sovereign_rag.storage.audit_anchor import anchors_of

    settings = run.settings
    with ExitStack() as stack:
        # A folder without a catalog, such as a copy of the record alone, is not given one.
        is_there = settings.catalog.url is not None or (settings.data_dir / FILE_NAME).exists()
        catalog = stack.enter_context(Catalog.open(settings)) if is_there else None
        audit = AuditLog(settings.data_dir, anchors=anchors_of(settings, catalog))
        stack.callback(audit.close)
        yield audit


def _to_dict(record: "AuditRecord") -> dict[str, object]:
    return {
        "number": record.number,
        "at": record.entry.at.isoformat(),
        "action": record.entry.action,
        "tenant": record.entry.tenant,
        "principal": record.entry.principal,
        "detail": dict(record.entry.detail),
    }
