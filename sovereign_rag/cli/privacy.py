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
    from sovereign_rag.catalog.erasures import ErasureState, MachineState
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
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="For other machines to have followed."),
    ] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Erase for good: texts, vectors, images, caches, rows, and the words of the audit record.

    The record keeps its chain, with pseudonyms and without words. Then every file of the data
    folder is searched, byte by byte, for what was erased; a certificate tells what was found, and
    which other machines have done the same to theirs. Exit code 3: something was found.
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
        done = eraser.erase(plan, local_owner(tenant), wait_s=wait)
        written = _keep(run, done, key, certificate, backups or [])
    if run.json:
        print_json(done.facts)
    else:
        _print_done(run, done, written, is_signed=key is not None)
    if not done.scan.is_clean:
        way_out = "Run the command again, with every service and worker stopped."
        if done.facts["outstanding"]:
            way_out = (
                f"The catalog has copies of the record of {', '.join(done.facts['outstanding'])}: "
                "start that machine, or see `sovereign-rag erased status`; then run it again."
            )
        raise EnvironmentFault(
            f"Words of it are still in {', '.join(done.scan.found[:5])}. {way_out}"
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


@command(
    erased_app,
    "status",
    examples=("sovereign-rag erased status", "sovereign-rag erased status --json"),
)
def erased_status(run: CommandRun, *, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Tell which machines have taken erased words out of their record, and who is waited for."""
    with run.open() as service:
        found = service.catalog.erasures.all(tenant)
    if run.json:
        print_json([_machines_of(one) for one in found])
        return
    rows = [
        (one.id, f"{one.at:%Y-%m-%d %H:%M}", machine.writer, _progress(machine))
        for one in found
        for machine in one.machines
    ]
    run.out.print(table(("erasure", "at (UTC)", "machine", "state"), rows))


@command(erased_app, "follow", examples=("sovereign-rag erased follow",))
def erased_follow(run: CommandRun) -> None:
    """Do now what was erased on other machines; services and workers do it by themselves."""
    from sovereign_rag.privacy.follow import ErasureFollower

    with run.open() as service:
        done = ErasureFollower(service).follow()
        left = len(service.catalog.erasures.awaited_of(service.settings.audit.writer))
    if run.json:
        print_json({"followed": done, "outstanding": left})
    else:
        run.out.print(f"{done} erasures followed, {left} outstanding here")


@command(
    erased_app,
    "write-off",
    examples=("sovereign-rag erased write-off node-3 --because 'its disk was destroyed'",),
)
def erased_write_off(
    run: CommandRun,
    writer: Annotated[str, typer.Argument(metavar="MACHINE", help="Its audit.writer.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why; it goes on the record.")],
) -> None:
    """Wait no more for a machine that is gone for good, with its record; certificates say so."""
    from sovereign_rag.storage.audit import entry

    with run.open() as service:
        detail = {"machine": writer, "because": because}
        service.audit.append(entry("erased.write_off", local_owner(), detail))
        count = service.catalog.erasures.write_off(writer, because)
    if run.json:
        print_json({"machine": writer, "erasures": count})
    else:
        run.out.print(f"{count} erasures wait for {writer} no more")


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


def _machines_of(state: "ErasureState") -> dict[str, object]:
    return {
        "erasure": state.id,
        "at": state.at.isoformat(),
        "outstanding": state.outstanding,
        "machines": {
            one.writer: {"at": one.confirmed_at and one.confirmed_at.isoformat(), **one.told}
            for one in state.machines
        },
    }


def _progress(machine: "MachineState") -> str:
    if machine.confirmed_at is None:
        return f"outstanding{': ' if 'why' in machine.told else ''}{machine.told.get('why', '')}"
    if "written_off" in machine.told:
        return f"written off: {machine.told['written_off']}"
    return (
        f"{machine.told['records']} records lost their words, {machine.confirmed_at:%Y-%m-%d %H:%M}"
    )


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
    if rows or plan.asked.person is None:
        run.out.print(table(("to be erased", "title", "uri"), rows))
    if plan.asked.person is not None:
        run.out.print(
            f"Of {plan.asked.person} go: keys, sessions, conversations, rights to read and to "
            "act, rows of jobs and usage, and the name on the record."
        )
    if plan.gone:
        run.note(f"{len(plan.gone)} are gone already: what is left of them on the record goes.")
    if plan.kept_uploads:
        run.note(f"{len(plan.kept_uploads)} uploads of theirs stay, since others read them.")
    if plan.listed_by:
        run.note(
            f"Some of it is still listed by {', '.join(plan.listed_by)}: a sync leaves it out, "
            "and it stays there until somebody removes it."
        )


def _print_done(run: CommandRun, done: "Erased", written: list[Path], *, is_signed: bool) -> None:
    run.out.print(facts(_told(done.facts)))
    run.note(f"Certificate: {written[-1]}")
    if not is_signed:
        run.note("It is not signed, so nobody else can tell whether it was changed: give --key.")
    for place in done.facts["not_looked_at"]:
        run.note(f"Not looked at: {place}.")


def _others(told: dict[str, Any]) -> str | None:
    """Certificates from before other machines followed say nothing of them."""
    done = [f"{writer} has followed" for writer in told.get("machines", ())]
    waited = [f"{writer} is outstanding" for writer in told.get("outstanding", ())]
    return ", ".join(done + waited) or None


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
        "machines": _others(told),
        "kept": ", ".join(f"{one['document']}: {one['why']}" for one in told["kept"]) or None,
    }
