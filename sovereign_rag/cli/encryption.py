"""`encryption`: the keys that what is stored is encrypted with, and what is in clear still."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import facts, print_json

if TYPE_CHECKING:
    from sovereign_rag.settings import Settings

app = new_app("Encrypt what is stored: originals, texts, images, kept vectors, conversations.")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command(app, "key", examples=("sovereign-rag encryption key /media/usb/master.key",))
def key(
    run: CommandRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Not there yet.")],
) -> None:
    """Make a master key. Name its file in encryption.key_file, and keep a copy in a safe.

    Without it what is encrypted is lost, for you as well.
    """
    from sovereign_rag.storage.encryption.master_key import write_new

    made = write_new(file)
    if run.json:
        print_json({"file": str(file), "key": made.id})
    else:
        run.out.print(facts({"key": made.id, "file": str(file)}))


@command(app, "status", examples=("sovereign-rag encryption status --json",))
def status(run: CommandRun) -> None:
    """Say what is encrypted, with whose keys, and what lies in clear."""
    from sovereign_rag.privacy.encryption import EncryptionDesk

    with run.open() as service:
        state = EncryptionDesk(service).state()
    if run.json:
        print_json(asdict(state))
        return
    tenants = ", ".join(f"{name} ({keys})" for name, keys in sorted(state.tenants.items()))
    run.out.print(
        facts(
            {
                "encryption": "on" if state.is_on else "off",
                "master key": state.master_key,
                "tenants (keys)": tenants or None,
                "files encrypted": state.files_encrypted,
                "files in clear": state.files_clear,
                "values under the folder's key": state.rows_clear,
                "files in clear are": "read" if state.takes_clear else "refused",
            }
        )
    )


@command(
    app,
    "convert",
    examples=("sovereign-rag encryption convert", "sovereign-rag encryption convert --renew"),
)
def convert(
    run: CommandRun,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="With new keys for each tenant; the older are destroyed."),
    ] = False,
) -> None:
    """Encrypt what was stored in clear, with services and workers stopped.

    Broken off or killed, it goes on where it was when it is run again. With contents in a bucket,
    run it once on each machine: it drops that machine's copies.
    """
    from sovereign_rag.privacy.encryption import EncryptionDesk

    def tell(done: int, all_: int) -> None:
        if done % 100 == 0 or done == all_:
            run.note(f"{done:,} of {all_:,} contents")

    with run.open() as service:
        done = EncryptionDesk(service).convert(local_owner(), tell, renew=renew)
    if run.json:
        print_json(asdict(done))
    else:
        run.out.print(
            f"{done.contents} contents are encrypted; {done.files} files, {done.chunks} passages "
            f"and {done.rows} values of the catalog were written anew, {done.removed} contents "
            "that nobody had were removed"
        )


@command(
    app,
    "rotate",
    examples=(
        "sovereign-rag encryption rotate --to /media/new/master.key",
        "sovereign-rag encryption rotate --finish",
    ),
)
def rotate(
    run: CommandRun,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new master key, which opens all as well.")
    ] = None,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Then: no other key than that of the settings opens it."),
    ] = False,
) -> None:
    """Change the master key while everything runs: --to, then the settings, then --finish.

    Backups of before open with the key of before: keep it as long as them, or destroy it with them.
    """
    from sovereign_rag.errors import BadInput
    from sovereign_rag.privacy.encryption import EncryptionDesk
    from sovereign_rag.storage.encryption.master_key import MasterKey

    if (to is None) != finish:
        raise BadInput("Say one of both: --to FILE, or --finish.")
    with run.open() as service:
        desk = EncryptionDesk(service)
        if to is not None:
            new = MasterKey.read(to)
            changed = desk.add_master(new, local_owner())
        else:
            changed = desk.drop_masters(local_owner())
    if run.json:
        print_json({"keys": changed})
    elif to is not None:
        run.out.print(f"{changed} keys open with {new.id} as well")
        run.note(
            f"Now set encryption.key_file to {to}, restart services and workers, and run "
            "`sovereign-rag encryption rotate --finish`."
        )
    else:
        run.out.print(f"{changed} keys open with the key of the settings alone")


@command(app, "forget", examples=("sovereign-rag encryption forget acme --yes",))
def forget(
    run: CommandRun,
    tenant: Annotated[str, typer.Argument(help="Whose keys are destroyed.")],
    yes: Yes = False,
) -> None:
    """Destroy a tenant's keys, then remove its documents: what is left of them opens for nobody.

    Backups hold its keys too, wrapped by the master key. Once they are to be unreadable as well,
    rotate the master key and destroy the old one.
    """
    from sovereign_rag.privacy.encryption import EncryptionDesk

    run.confirm(f"Destroy the keys of {tenant} and remove its documents, for good?", yes=yes)
    with run.open() as service:
        done = EncryptionDesk(service).forget(tenant, local_owner())
    if run.json:
        print_json(done)
    else:
        run.out.print(f"{done['keys']} keys destroyed, {done['documents']} documents removed")


def looked_at(
    settings: "Settings",
) -> tuple[Literal["ok", "missing", "limited"], str, str]:
    """For `doctor`: state, what was found, and the way out."""
    import tempfile

    from sovereign_rag.errors import SovereignError
    from sovereign_rag.storage.encryption.memory_file import is_in_memory
    from sovereign_rag.storage.shared_content import open_content

    content = open_content(settings)
    try:
        if not content.vault.is_on:
            how = "sovereign-rag encryption key FILE, then encryption.key_file"
            return "ok", "off: documents are stored as they came", how
        keys = content.vault.tenant_keys
    except (SovereignError, OSError) as error:
        return "missing", "what is stored can't be opened", str(error)
    finally:
        content.close()
    told = f"on, master key {keys.master.id}"
    if keys.takes_clear:
        how = "sovereign-rag encryption convert, with services and workers stopped"
        return "limited", f"{told}; what was stored before may be in clear", how
    scratch = settings.parse.scratch_dir or Path(tempfile.gettempdir())
    if not is_in_memory(scratch):
        how = "parse.scratch_dir = /dev/shm, or encrypt that disk"
        return "limited", f"{told}; documents are in clear in {scratch} while they are read", how
    return "ok", told, ""
