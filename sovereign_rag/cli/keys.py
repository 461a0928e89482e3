"""`keys`: who may use the API, as whom, for what."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput
from sovereign_rag.roles import Role

if TYPE_CHECKING:
    from sovereign_rag.catalog.records import KeyRecord

app = new_app("Create, list, rotate and revoke API keys.")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` prints it.")]


@command(
    app,
    "create",
    examples=(
        "sovereign-rag keys create --user ana --groups finance,hr --days 90",
        "sovereign-rag keys create --user loader --role admin --scopes ingest",
        "sovereign-rag keys create --user hugo --groups hr --role curator --curates group:hr",
        "sovereign-rag keys create --user webui --front-end openwebui --groups finance,hr",
    ),
)
def create(
    run: CommandRun,
    user: Annotated[str, typer.Option(help="Whom the key speaks for.")],
    groups: Annotated[str, typer.Option(metavar="A,B", help="The user's groups.")] = "",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    clearance: Annotated[int, typer.Option(min=0, help="Highest level to be read.")] = 0,
    role: Annotated[
        Role | None,
        typer.Option(help="What it may do; reader unless said. It reads no more for it."),
    ] = None,
    scopes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Those of the role's scopes that it opens; else all."),
    ] = None,
    curates: Annotated[
        str,
        typer.Option(metavar="A,B", help="What a curator looks after: group:NAME, source:NAME."),
    ] = "",
    admin: Annotated[bool, typer.Option("--admin", help="The same as --role admin.")] = False,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it ends; unless said, never.")
    ] = None,
    front_end: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The key speaks for the people of the front end [front_ends.NAME], who come in "
            "signed tokens; --groups and --clearance are the most that they have by it.",
        ),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Create a key. Its secret is printed once, on stdout, and stored as a hash alone."""
    from sovereign_rag.services.keys import NewKey

    if admin and role not in {None, Role.ADMIN}:
        raise BadInput(f"--admin is --role admin, and --role says {role}: leave one of them out.")
    wanted = NewKey(
        user=user,
        name=name,
        groups=_names(groups),
        clearance=clearance,
        role=Role.ADMIN if admin else role or Role.READER,
        scopes=None if scopes is None else _names(scopes),
        curates=_names(curates),
        expires=datetime.now(UTC) + timedelta(days=days) if days else None,
        front_end=front_end,
    )
    with run.open() as service:
        record, secret = service.keys.create(wanted, local_owner(tenant))
    _show_secret(run, record, secret)


@command(app, "list", examples=("sovereign-rag keys list",))
def list_(run: CommandRun, tenant: Tenant = DEFAULT_TENANT) -> None:
    """List the keys, without their secrets."""
    from sovereign_rag.services.serialization.keys import KeyOut

    with run.open() as service:
        keys = [KeyOut.of(record) for record in service.keys.list(local_owner(tenant))]
    if run.json:
        print_json({"keys": [key.plain() for key in keys]})
        return
    columns = ("id", "state", "name", "speaks for", "groups", ">clearance", "role", "last used")
    rows = (
        (
            key.id,
            key.state,
            key.name,
            _whom(key.user, key.front_end),
            ", ".join(key.groups),
            key.clearance,
            ", ".join((key.role, *key.curates)),
            key.last_used[:10] if key.last_used else "never",
        )
        for key in keys
    )
    run.out.print(table(columns, rows))


@command(app, "rotate", examples=("sovereign-rag keys rotate 8d21… --overlap-hours 24",))
def rotate(
    run: CommandRun,
    key_id: KeyId,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How long the old one still opens.")
    ] = 0,
) -> None:
    """Make a key in the place of another, with the same rights; the old one ends.

    The secret is printed once, on stdout.
    """
    with run.open() as service:
        overlap = timedelta(hours=overlap_hours)
        record, secret = service.keys.rotate(key_id, local_owner(), overlap=overlap)
    _show_secret(run, record, secret)


@command(app, "revoke", examples=("sovereign-rag keys revoke 8d21…",))
def revoke(run: CommandRun, key_id: KeyId) -> None:
    """Revoke a key: from now on it opens nothing."""
    with run.open() as service:
        service.keys.revoke(key_id, local_owner())
    if run.json:
        print_json({"revoked": key_id})
    else:
        run.note(f"Revoked: {safe(key_id, one_line=True)}")


def _show_secret(run: CommandRun, record: "KeyRecord", secret: str) -> None:
    from sovereign_rag.services.serialization.keys import KeyOut

    if run.json:
        print_json({"key": KeyOut.of(record).plain(), "secret": secret})
        return
    run.out.print(Text(secret))
    run.note(
        f"Key {record.id} for {_whom(record.user, record.front_end)}, {record.role}. Keep the "
        "secret: it can't be shown again. It goes into the header: Authorization: Bearer SECRET"
    )


def _names(listed: str) -> frozenset[str]:
    return frozenset(name.strip() for name in listed.split(",") if name.strip())


def _whom(user: str, front_end: str | None) -> str:
    return f"the people of {front_end}" if front_end else f"user:{user}"
