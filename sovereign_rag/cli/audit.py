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
from sovereign_rag.cli.audit_search import Others
from sovereign_rag.cli.audit_search import app as search_app
from sovereign_rag.cli.output import print_json
from sovereign_rag.errors import AuditError, BadInput

if TYPE_CHECKING:
    from sovereign_rag.storage.audit_chain import ChainHead
    from sovereign_rag.storage.audit_walk import AuditReport

app = new_app("Show, search and verify the audit record.")
app.add_typer(search_app)


@command(
    app,
    "verify",
    examples=(
        "sovereign-rag audit verify",
        "sovereign-rag audit verify --noted notes-from-the-syslog.txt",
        "sovereign-rag audit verify --public-key auditor.pub",
        "sovereign-rag audit verify --other node-2=/mnt/node-2",
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
    other: Others = None,
    timestamp_authority: Annotated[
        Path | None,
        typer.Option(
            metavar="CERTIFICATE",
            help="Time stamps have to be of this authority (X.509, PEM), and there has to be one; "
            "else that of audit.timestamp, where it is set.",
        ),
    ] = None,
) -> None:
    """Follow the record from its beginning and find the first place that was tampered with.

    What is gone is missed by what the catalog notes of it, and the file or syslog of
    `audit.anchor`; have that on another machine: whoever can write the data folder and the catalog
    could forge all of it. Where several machines share the catalog, each has a record of its own:
    all are verified, the others by their copies in the catalog, or by their folders where `--other`
    names them. Exit code 3: a record is broken.
    """
    from sovereign_rag.storage.audit_opening import opened_audit, opened_catalog
    from sovereign_rag.storage.audit_others import OtherRecord, others_of

    others = [OtherRecord.of(text) for text in other or ()]
    notes, is_signed = [] if noted is None else _notes_of(noted), _checker(public_key)
    stamped_at = _stamps_of(timestamp_authority or run.settings.audit.timestamp.authority)
    with opened_audit(run.settings) as audit:
        reports = {
            run.settings.audit.writer: audit.verify(
                notes, is_signed=is_signed, stamped_at=stamped_at
            )
        }
    with opened_catalog(run.settings) as catalog:
        heads = None if catalog is None else catalog.audit_heads
        for one in others_of(catalog, own=run.settings.audit.writer, named=others):
            reports[one.writer] = one.verify(heads, is_signed=is_signed, stamped_at=stamped_at)
        left_out = sorted(set(heads.writers() if heads is not None else ()) - reports.keys())
    for writer in (run.settings.audit.writer, *(one.writer for one in others)):
        # Each machine signs its own: of those that nobody named, what is signed has to be good.
        if public_key is not None:
            reports[writer] = _signed(reports[writer])
        if timestamp_authority is not None:
            reports[writer] = _stamped(reports[writer])
    own = next(iter(reports.values()))
    if run.json:
        told = {writer: _to_dict(report) for writer, report in reports.items()}
        more = {"writers": told, "left_out": left_out} if len(told) > 1 or left_out else {}
        ok = all(report.ok for report in reports.values())
        print_json({**_to_dict(own), "ok": ok, **more})
    else:
        for writer, report in reports.items():
            _print_report(run, report, writer if len(reports) > 1 else None, public_key)
        if left_out:
            run.note(f"Not looked at: the records of {', '.join(left_out)}; see --other.")
    for writer, report in reports.items():
        if not report.ok:
            whose = f" of {writer}" if len(reports) > 1 else ""
            raise AuditError(
                f"The audit record{whose} is broken at number {report.broken_at}: "
                f"{report.problem}. Compare the folder audit/ with a backup."
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


@command(
    app,
    "drop-copy",
    examples=("sovereign-rag audit drop-copy node-3 --because 'kept for as long as is allowed'",),
)
def drop_copy(
    run: CommandRun,
    writer: Annotated[str, typer.Argument(metavar="MACHINE", help="Its audit.writer.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why; it goes on the record.")],
) -> None:
    """Remove the copy of the record of a machine that is gone for good; that is itself on record.

    `audit trim` on a machine removes old months from its copy as well.
    """
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.storage.audit_opening import opened_audit, opened_catalog

    if writer == run.settings.audit.writer:
        raise BadInput(f"{writer} is this machine; `audit trim` removes months of its record.")
    with opened_audit(run.settings) as audit, opened_catalog(run.settings) as catalog:
        if catalog is None or writer not in catalog.audit_copies.writers():
            raise BadInput(
                f"There is no copy of a record of {writer!r}; `audit verify` lists them."
            )
        told = {"machine": writer, "because": because}
        audit.append(entry("audit.copy_dropped", local_owner(), told))
        lines = catalog.audit_copies.drop(writer)
    if run.json:
        print_json({"machine": writer, "records": lines})
    else:
        run.out.print(f"{lines} records removed")


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
    shows when the record is cut to before it. Where audit.timestamp names a time-stamping
    authority, its stamp over the signature is on the record too; exit code 3: it gave none.
    """
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.storage.audit_opening import opened_audit
    from sovereign_rag.storage.audit_signing import private_key, signed
    from sovereign_rag.storage.audit_timestamp import stamped
    from sovereign_rag.storage.audit_walk import TIMESTAMPED

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
        stamp = run.settings.audit.timestamp
        try:
            if stamp.url is not None:
                detail = stamped(made, stamp)
                audit.append(entry(TIMESTAMPED, local_owner(), detail))
                made = {**made, "timestamp": detail["token"]}
        finally:
            print_json(dict(made), indent=None)


def _signed(report: "AuditReport") -> "AuditReport":
    if not report.ok or report.signed:
        return report
    return replace(report, broken_at=report.head.number, problem="nothing of it is signed")


def _stamped(report: "AuditReport") -> "AuditReport":
    if not report.ok or report.stamped:
        return report
    return replace(report, broken_at=report.head.number, problem="nothing of it is stamped")


def _to_dict(report: "AuditReport") -> dict[str, object]:
    return {
        "ok": report.ok,
        "first": report.first,
        "last": report.head.number,
        "hash": report.head.hash,
        "signed": report.signed,
        "stamped": report.stamped,
        "stamped_at": report.stamped_at and report.stamped_at.isoformat(),
        "erased": report.erased,
        "broken_at": report.broken_at,
        "problem": report.problem,
    }


def _print_report(
    run: CommandRun, report: "AuditReport", writer: str | None, public_key: Path | None
) -> None:
    if not report.ok:
        return
    run.out.print(Text("ok" if writer is None else f"{writer}: ok", "green"))
    run.out.print(f"{report.head.number} {report.head.hash}")
    if report.erased:
        run.note(f"{report.erased} records lost their words by erasures that are on it.")
    if public_key is not None:
        run.note(f"Signed up to record {report.signed}.")
    if report.stamped_at is not None:
        run.note(f"Time stamped up to record {report.stamped}, at {report.stamped_at}.")


def _stamps_of(authority: Path | None) -> Callable[[Mapping[str, Any]], datetime | None] | None:
    if authority is None:
        return None
    from sovereign_rag.storage.audit_timestamp import StampAuthority

    return StampAuthority.read(authority).stamped_at


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
