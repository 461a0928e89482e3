"""`audit`: what was asked and shown, and whether the record of it is whole."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.audit_search import app as search_app
from sovereign_rag.cli.output import print_json
from sovereign_rag.errors import AuditError, BadInput

if TYPE_CHECKING:
    from sovereign_rag.storage.audit_chain import ChainHead

app = new_app("Show, search and verify the audit record.")
app.add_typer(search_app)


@command(
    app,
    "verify",
    examples=(
        "sovereign-rag audit verify",
        "sovereign-rag audit verify --noted notes-from-the-syslog.txt",
        "sovereign-rag audit verify --public-key auditor.pub",
    ),
)
def verify(
    run: CommandRun,
    noted: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Lines of a syslog that was told how far the record had come, or what earlier "
            "runs of this command printed.",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(help="Checkpoints have to be signed with this key, and there has to be one."),
    ] = None,
) -> None:
    """Follow the record from its beginning and find the first place that was tampered with.

    What is gone is missed by what the catalog notes of it, and the file or syslog of
    `audit.anchor`; have that on another machine: whoever can write the data folder and the catalog
    could forge all of it. Exit code 3: the record is broken.
    """
    from sovereign_rag.storage.audit_opening import opened_audit

    notes = [] if noted is None else _notes_of(noted)
    with opened_audit(run.settings) as audit:
        report = audit.verify(notes, is_signed=_checker(public_key))
    if report.ok and public_key is not None and not report.signed:
        report = replace(report, broken_at=report.head.number, problem="nothing of it is signed")
    if run.json:
        print_json(
            {
                "ok": report.ok,
                "first": report.first,
                "last": report.head.number,
                "hash": report.head.hash,
                "signed": report.signed,
                "erased": report.erased,
                "broken_at": report.broken_at,
                "problem": report.problem,
            }
        )
    elif report.ok:
        run.out.print(Text("ok", "green"))
        run.out.print(f"{report.head.number} {report.head.hash}")
        if report.erased:
            run.note(f"{report.erased} records lost their words by erasures that are on it.")
        if public_key is not None:
            run.note(f"Signed up to record {report.signed}.")
    if not report.ok:
        raise AuditError(
            f"The audit record is broken at number {report.broken_at}: {report.problem}. "
            "Compare the folder audit/ with a backup."
        )


@command(app, "trim", examples=("sovereign-rag audit trim --before 2026-01-01",))
def trim(
    run: CommandRun,
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Months that ended before this day.")
    ],
    key: Annotated[
        Path | None,
        typer.Option(help="Sign where the record then begins, with this private key."),
    ] = None,
) -> None:
    """Remove the record of old months, which is itself on the record.

    `verify` takes what is left as whole; files that are removed by hand are missed.
    """
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.storage.audit_opening import opened_audit
    from sovereign_rag.storage.audit_signing import private_key, signed

    sign = None if key is None else partial(signed, key=private_key(key))
    with opened_audit(run.settings) as audit:
        removed = audit.trim(before.date(), entry("audit.trimmed", local_owner(), {}), sign)
    if run.json:
        print_json({"files": removed})
    else:
        run.out.print(f"{removed} files removed")


@command(app, "key", examples=("sovereign-rag audit key /media/admin/audit.pem",))
def key_(
    run: CommandRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The private key, a new file.")],
) -> None:
    """Make a key to sign checkpoints with. The public key is printed, for whoever is to verify.

    Keep the private one off this machine, and bring it for `audit checkpoint` alone.
    """
    from sovereign_rag.storage.audit_signing import make_key

    public = make_key(file).decode("ascii")
    if run.json:
        print_json({"private_key": str(file), "public_key": public})
    else:
        run.out.print(public, end="")


@command(
    app, "checkpoint", examples=("sovereign-rag audit checkpoint --key /media/admin/audit.pem",)
)
def checkpoint(
    run: CommandRun,
    key: Annotated[Path, typer.Option(help="The private key, as `audit key` made it.")],
) -> None:
    """Verify the record, then sign how far it has come; the signature is on the record itself.

    With the public key alone `audit verify --public-key`, or `tools/verify_audit.py` on another
    machine, tells that nothing up to there was changed. Keep what is printed elsewhere: so it
    shows when the record is cut to before it.
    """
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.storage.audit_opening import opened_audit
    from sovereign_rag.storage.audit_signing import private_key, signed

    own = private_key(key)
    with opened_audit(run.settings) as audit:
        report = audit.verify()
        if not report.ok:
            raise AuditError(
                f"The audit record is broken at number {report.broken_at}: {report.problem}. "
                "Nothing was signed."
            )
        owner = entry("audit.checkpoint", local_owner(), {})
        made = audit.checkpoint(owner, partial(signed, key=own))
    print_json(dict(made), indent=None)


def _checker(public: Path | None) -> Callable[[Mapping[str, Any]], bool] | None:
    if public is None:
        return None
    from sovereign_rag.storage.audit_signing import is_signed, public_key

    return partial(is_signed, key=public_key(public))


def _notes_of(file: Path) -> "list[tuple[str, ChainHead]]":
    from sovereign_rag.storage.audit_syslog import notes_in

    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            notes = [(str(file), head) for head in notes_in(lines)]
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}.") from error
    if not notes:
        raise BadInput(f"{file} holds no note of the audit record: number=... hash=...")
    return notes
