"""`erase`, `access-report`, `certificate`: what a person may ask of whoever keeps documents."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import facts, print_json, table
from sovereign_rag.errors import BadInput, EnvironmentFault

if TYPE_CHECKING:
    from sovereign_rag.privacy.erase import Erased
    from sovereign_rag.privacy.find import Plan

app = new_app("Erase documents and people, and tell people what is held of them.")

erased_app = new_app("What was erased for good, and is not taken in again.")

Key = Annotated[Path | None, typer.Option(help="Sign it with this key, as `audit key` makes one.")]


@command(
    app,
    "erase",
    examples=(
        "sovereign-rag erase --document 6f1c… --key dpo.pem --certificate erased.json",
        "sovereign-rag erase --mentioning 'Jean Dupont' --dry-run",
        "sovereign-rag erase --person ana --backups /mnt/backup/rag --yes",
    ),
)
def erase(
    run: CommandRun,
    *,
    document: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A document; more than once for more.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="All that a source brought.")
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Documents whose address matches, such as '*dupont*'."),
    ] = None,
    mentioning: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Documents whose text holds this.")
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="A user: keys, sessions, rights, words of their acts on the record, uploads "
            "that nobody else reads.",
        ),
    ] = None,
    key: Key = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the certificate.")
    ] = None,
    backups: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folders of backups: a restore from there erases again."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Erase for good: texts, vectors, images, caches, rows, and the words of the audit record.

    The record keeps its chain, with pseudonyms and without words. Then every file of the data
    folder is searched, byte by byte, for what was erased; a certificate tells what was found.
    Exit code 3: something was.
    """
    from sovereign_rag.privacy.erase import Eraser
    from sovereign_rag.privacy.find import Asked

    asked = Asked(tenant, document or (), source or (), pattern or (), mentioning or (), person)
    if asked == Asked(tenant):
        raise BadInput("Say what: --document, --source, --pattern, --mentioning or --person.")
    with run.open() as service:
        eraser = Eraser(service)
        plan = eraser.finder.plan(asked)
        if dry_run:
            _print_plan(run, plan)
            return
        if not run.json:
            _print_plan(run, plan)
        run.confirm("Erase this for good?", yes=yes)
        done = eraser.erase(plan, local_owner(tenant))
        written = _keep(run, done, key, certificate, backups or [])
    if run.json:
        print_json(done.facts)
    else:
        _print_done(run, done, written)
    if not done.scan.is_clean:
        raise EnvironmentFault(
            f"Words of it are still in {', '.join(done.scan.found[:5])}. Run the command again, "
            "with every service and worker stopped."
        )


@command(erased_app, "list", examples=("sovereign-rag erased list --json",))
def list_erased(run: CommandRun, *, tenant: Tenant = DEFAULT_TENANT) -> None:
    """List what was erased for good, by ids and hashes: it is not taken in again."""
    with run.open() as service:
        found = service.catalog.tombstones.all(tenant)
    if run.json:
        print_json([asdict(one) | {"at": one.at.isoformat()} for one in found])
        return
    rows = ((one.document, one.sha256[:12], one.erasure, one.at.date()) for one in found)
    run.out.print(table(("document", "sha256", "erasure", "at"), rows))


@command(erased_app, "allow", examples=("sovereign-rag erased allow 6f1c… --because 'case 12'",))
def allow_erased(
    run: CommandRun,
    document: Annotated[str, typer.Argument(metavar="ID", help="A document's id, or its sha256.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why; it goes on the record.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Let an erased document come in again; nothing of it comes back by that alone."""
    from sovereign_rag.storage.audit import entry

    with run.open() as service:
        detail = {"document": document, "because": because}
        service.audit.append(entry("erased.allow", local_owner(tenant), detail))
        lifted = service.catalog.tombstones.lift(tenant, document)
    if run.json:
        print_json({"document": lifted.document, "erasure": lifted.erasure})
    else:
        run.out.print(f"{lifted.document} may be taken in again")


@command(
    app,
    "certificate",
    examples=("sovereign-rag certificate erased.json --public-key dpo.pub",),
)
def certificate(
    run: CommandRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `erase` wrote it.")],
    public_key: Annotated[Path, typer.Option(help="Of whoever signed it.")],
) -> None:
    """Verify a certificate of erasure, and say what it certifies."""
    from sovereign_rag.privacy.erase import KIND
    from sovereign_rag.storage.audit_signing import public_key as read_key
    from sovereign_rag.storage.signed_statements import statement_in

    told = statement_in(file, KIND, read_key(public_key), what="The certificate")
    if run.json:
        print_json(told)
        return
    run.out.print(facts(_told(told)))


@command(
    app,
    "access-report",
    examples=("sovereign-rag access-report ana --to ana.zip --mentioning 'Ana Weber'",),
)
def access_report(
    run: CommandRun,
    person: Annotated[str, typer.Argument(metavar="USER", help="The user's name.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The archive, a new ZIP file.")],
    *,
    mentioning: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Tell as well which pages hold this."),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Write all that is held of a person into one archive: rows, acts on record, their uploads.

    It holds personal data in clear: hand it over as the person's letter would be.
    """
    from sovereign_rag.privacy.access_report import write_report

    with run.open() as service:
        counts = write_report(service, tenant, person, mentioning or (), to, local_owner(tenant))
    if run.json:
        print_json({"file": str(to), "held": counts})
    else:
        run.out.print(table(("what", ">number"), counts.items()))


def _keep(
    run: CommandRun, done: "Erased", key: Path | None, certificate: Path | None, backups: list[Path]
) -> list[Path]:
    from sovereign_rag.privacy.erase import FOLDER, KIND, write_tombstone
    from sovereign_rag.storage.audit_signing import private_key
    from sovereign_rag.storage.signed_statements import signed_statement

    signed = signed_statement(KIND, done.facts, None if key is None else private_key(key))
    try:
        folders = [run.settings.data_dir / FOLDER, *(folder / "erased" for folder in backups)]
        written = [write_tombstone(folder, signed, done.facts["erasure"]) for folder in folders]
        if certificate is not None:
            certificate.write_bytes(signed)
            written.append(certificate)
    except OSError as error:
        raise EnvironmentFault(
            f"It is erased, and the certificate can't be written: {error}. Run the command again "
            f"with --document of {len(done.facts['documents'])} ids that --json prints."
        ) from error
    return written


def _print_plan(run: CommandRun, plan: "Plan") -> None:
    if run.json:
        print_json(
            {
                "documents": [{"document": r.id, "uri": r.uri} for r in plan.documents],
                "gone": list(plan.gone),
                "kept_uploads": [{"document": r.id, "uri": r.uri} for r in plan.kept_uploads],
                "would_come_back": list(plan.listed_by),
                "person": plan.asked.person,
            }
        )
        return
    rows = [(r.id, r.title, r.uri) for r in plan.documents]
    run.out.print(table(("to be erased", "title", "uri"), rows))
    if plan.kept_uploads:
        run.note(f"{len(plan.kept_uploads)} uploads of theirs stay, since others read them.")
    if plan.listed_by:
        run.note(
            f"Some of it is still listed by {', '.join(plan.listed_by)}: a sync leaves it out, "
            "and it stays there until somebody removes it."
        )


def _print_done(run: CommandRun, done: "Erased", written: list[Path]) -> None:
    run.out.print(facts(_told(done.facts)))
    run.note(f"Certificate: {written[-1]}")
    for place in done.facts["not_looked_at"]:
        run.note(f"Not looked at: {place}.")


def _told(told: dict[str, Any]) -> dict[str, object]:
    searched = told["scan"]
    return {
        "erasure": told["erasure"],
        "at": told["at"],
        "documents": len(told["documents"]),
        "person": told["person"],
        "records": f"{told['records']} lost their words",
        "searched": f"{searched['files']:,} files, {searched['bytes']:,} bytes, "
        f"for {searched['needles']} traces",
        "found": ", ".join(searched["found"]) or "nothing",
        "kept": ", ".join(f"{one['document']}: {one['why']}" for one in told["kept"]) or None,
    }
