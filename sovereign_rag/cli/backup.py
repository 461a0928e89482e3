"""`backup`: the data folder copied elsewhere while it is used, verified, and put back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app, secret_line
from sovereign_rag.cli.output import facts, moment, print_json, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sovereign_rag.backup.create import BackupReport
    from sovereign_rag.backup.envelope import Opener
    from sovereign_rag.backup.restore import Restored
    from sovereign_rag.services.container import Service

app = new_app("Back the data folder up while it is used; verify and restore.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backups.")]
Which = Annotated[
    str | None, typer.Option(metavar="NAME", help="As `backup list` prints it; else the newest.")
]
PublicKey = Annotated[
    Path | None, typer.Option(help="The backup has to be signed with the key that this belongs to.")
]
Unsigned = Annotated[
    bool, typer.Option("--unsigned", help="Do without a signature: nobody can tell what changed.")
]
WithoutVectors = Annotated[
    bool,
    typer.Option("--without-vectors", help="Leave them to `reindex --force` after a restore."),
]


@command(
    app,
    "create",
    examples=(
        "sovereign-rag backup create /mnt/backup/rag --key /etc/sovereign-rag/backup.pem",
        "sovereign-rag backup create /mnt/backup/rag --key backup.pem --for rescue-team.crt",
    ),
)
def create(
    run: CommandRun,
    folder: Folder,
    key: Annotated[
        Path | None, typer.Option(help="Sign it with this key, as `audit key` makes one.")
    ] = None,
    recipient: Annotated[
        Path | None,
        typer.Option(
            "--for",
            metavar="CERTIFICATE",
            help="Close it for the holder of this certificate (X.509, RSA), and nobody else.",
        ),
    ] = None,
    unsigned: Unsigned = False,
    without_vectors: WithoutVectors = False,
) -> None:
    """Copy catalog, documents, vectors and the audit record, as they are at this moment.

    Documents are those of the data folder, or of the bucket that content.url names. Questions and
    ingestion go on. What earlier backups in the folder hold is not written again. A Qdrant server
    makes a snapshot on each node that store.url names, which is fetched, and deleted there.
    """
    from sovereign_rag.backup import create as making
    from sovereign_rag.backup.envelope import Recipient
    from sovereign_rag.backup.repository import Repository
    from sovereign_rag.catalog.catalog import Catalog
    from sovereign_rag.storage.audit_opening import opened_audit
    from sovereign_rag.storage.audit_signing import private_key
    from sovereign_rag.storage.audit_steps import on_record

    if (key is None) != unsigned:
        raise BadInput("Say how it is signed: --key FILE, or --unsigned.")
    signing = None if key is None else private_key(key)
    closing = None if recipient is None else Recipient.read(recipient)
    told = {"folder": str(folder), "encrypted": closing is not None, "signed": key is not None}
    with (
        Catalog.open(run.settings) as catalog,
        opened_audit(run.settings) as audit,
        on_record(audit, "backup.create", local_owner(), told) as outcome,
    ):
        origin = making.Origin(run.settings, catalog, audit)
        report = making.create(
            origin,
            Repository(folder),
            key=signing,
            recipient=closing,
            with_vectors=not without_vectors,
        )
        outcome.update(name=report.name, documents=report.documents)
    if run.json:
        print_json(making.plain(report))
        return
    run.out.print(
        facts(
            {
                "backup": report.name,
                "documents": f"{report.documents:,}",
                "vectors": _vectors(report),
                "written": f"{report.new_bytes / (1 << 20):,.1f} MiB",
                "in all": f"{report.all_bytes / (1 << 20):,.1f} MiB, {report.pieces:,} pieces",
            }
        )
    )
    if report.without_vectors is not None:
        run.note(
            f"Without vectors: {report.without_vectors} After a restore, `sovereign-rag reindex "
            "--force` makes them from what is kept."
        )


def _vectors(report: "BackupReport") -> str:
    if not report.vectors:
        return "none"
    if not report.snapshots:
        return "of the embedded engine"
    size = f"{report.snapshot_bytes / (1 << 20):,.1f} MiB"
    return f"{report.snapshots} snapshots of the Qdrant server, {size}"


@command(app, "list", examples=("sovereign-rag backup list /mnt/backup/rag",))
def list_(run: CommandRun, folder: Folder) -> None:
    """List the backups of a folder, as they say of themselves."""
    from sovereign_rag.backup.repository import Repository

    repository = Repository(folder)
    found = [(name, repository.manifest(name, None)) for name in repository.names()]
    if run.json:
        kept = ("made", "version", "documents", "vectors", "sealed_for")
        print_json([{"name": name, **{k: told[k] for k in kept}} for name, told in found])
        return
    rows = (
        (
            name,
            moment(told["made"]),
            told["documents"],
            "yes" if told["vectors"] else "no",
            "no" if told["sealed_for"] is None else "yes",
        )
        for name, told in found
    )
    run.out.print(table(("name", "made", ">documents", "vectors", "encrypted"), rows))


@command(
    app, "verify", examples=("sovereign-rag backup verify /mnt/backup/rag --public-key backup.pub",)
)
def verify(
    run: CommandRun,
    folder: Folder,
    *,
    backup: Which = None,
    public_key: PublicKey = None,
    unsigned: Unsigned = False,
) -> None:
    """Hold a backup against its signature and every piece of it against its hash.

    No data folder and no recipient's key is needed. Exit code 2: it is not what was made.
    """
    from sovereign_rag.backup import restore as restoring
    from sovereign_rag.backup.repository import Repository

    key = _public_key(public_key, unsigned=unsigned)
    found = restoring.verify(Repository(folder), backup, key)
    if run.json:
        print_json(asdict(found))
    elif not found.damages:
        run.out.print(f"ok: {found.name}, {found.documents:,} documents, {found.pieces:,} pieces")
    if found.damages:
        pieces = ", ".join(damage.piece for damage in found.damages[:3])
        raise BadInput(
            f"The backup {found.name} is damaged: {len(found.damages)} of {found.pieces} pieces "
            f"are not what was stored, such as {pieces}. Remove them and make a new backup."
        )


@command(
    app,
    "restore",
    examples=(
        "sovereign-rag backup restore /mnt/backup/rag --public-key backup.pub --data-dir /srv/rag",
        "sovereign-rag backup restore DIR --public-key backup.pub --certificate rescue.crt "
        "--private-key rescue.pem",
    ),
)
def restore(
    run: CommandRun,
    folder: Folder,
    *,
    backup: Which = None,
    public_key: PublicKey = None,
    unsigned: Unsigned = False,
    certificate: Annotated[
        Path | None, typer.Option(help="The certificate that it was closed for.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option(help="Its key; --passphrase-file where one opens it.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="The key's passphrase, on the first line; - is stdin.")
    ] = None,
    without_vectors: WithoutVectors = False,
) -> None:
    """Put a backup into an empty data folder, and into an empty database and bucket where named.

    Snapshots of a Qdrant server go to the nodes that store.url names, as many as there were.

    What the record tells was deleted while the backup was made is deleted again. Sessions have
    ended, keys that a later backup of the folder knows as revoked are revoked, and what was erased
    since is erased again.
    """
    from sovereign_rag.backup import restore as restoring
    from sovereign_rag.backup.repository import Repository

    key = _public_key(public_key, unsigned=unsigned)
    opener = _opener(certificate, private_key, passphrase_file)
    repository = Repository(folder)
    done = restoring.restore(
        run.settings, repository, backup, key=key, opener=opener, with_vectors=not without_vectors
    )
    with run.open() as service:
        _settle(run, service, done)
        documents = service.catalog.traces.count()
    if run.json:
        told = {"restored": done.name, "made": done.made, "documents": documents}
        held = done.without_vectors is None
        print_json({**told, "vectors": held, "without_vectors": done.without_vectors})
        return
    run.out.print(
        facts({"restored": done.name, "as of": moment(done.made), "documents": documents})
    )
    if done.without_vectors is not None:
        run.note(
            f"Without vectors: {done.without_vectors} Run `sovereign-rag reindex --force` before "
            "anybody searches; it makes them from what is kept."
        )


def _settle(run: CommandRun, service: "Service", done: "Restored") -> None:
    """Do again what was done since, on the restored record."""
    from sovereign_rag.backup.redo import redo
    from sovereign_rag.storage.audit_steps import on_record

    told = {"backup": done.name, "made": done.made, "documents": done.documents}
    with on_record(service.audit, "backup.restore", local_owner(), told) as outcome:
        outcome.update(redo(service, done.to_redo, done.erased))


@command(app, "forget", examples=("sovereign-rag backup forget /mnt/backup/rag --keep 30",))
def forget(
    run: CommandRun,
    folder: Folder,
    keep: Annotated[int, typer.Option(min=1, help="How many stay, the newest ones.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove old backups, and what none that stays needs."""
    from sovereign_rag.backup.repository import Repository
    from sovereign_rag.cli.on_record import audited

    repository = Repository(folder)
    doomed = len(repository.names()) - keep
    if doomed > 0:
        run.confirm(f"Remove {doomed} backups?", yes=yes)
    with audited(run, "backup.forget", {"folder": str(folder), "keep": keep}) as outcome:
        with repository.writing():
            gone, freed = repository.forget(keep)
        outcome["backups"] = gone
    if run.json:
        print_json({"removed": gone, "freed_bytes": freed})
    else:
        run.out.print(f"{len(gone)} backups removed, {freed / (1 << 20):,.1f} MiB freed")


def _public_key(file: Path | None, *, unsigned: bool) -> "Ed25519PublicKey | None":
    from sovereign_rag.storage.audit_signing import public_key

    if (file is None) != unsigned:
        raise BadInput("Say what is to be trusted: --public-key FILE, or --unsigned.")
    return None if file is None else public_key(file)


def _opener(
    certificate: Path | None, key: Path | None, passphrase_file: Path | None
) -> "Opener | None":
    from sovereign_rag.backup.envelope import Opener

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadInput("--certificate and --private-key go together.")
    passphrase = None if passphrase_file is None else secret_line(passphrase_file, "a passphrase")
    return Opener.read(certificate, key, passphrase)
