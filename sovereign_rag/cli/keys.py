"""`keys`: who may use the API, as whom."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.catalog.records import KeyRecord

app = new_app("Create, list and revoke API keys.")


@command(
    app,
    "create",
    examples=(
        "sovereign-rag keys create --user ana --groups finance,hr --days 90",
        "sovereign-rag keys create --user loader --admin --name 'nightly upload'",
    ),
)
def create(
    run: CommandRun,
    user: Annotated[str, typer.Option(help="Whom the key speaks for.")],
    groups: Annotated[str, typer.Option(metavar="A,B", help="The user's groups.")] = "",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    clearance: Annotated[int, typer.Option(min=0, help="Highest level to be read.")] = 0,
    admin: Annotated[
        bool, typer.Option("--admin", help="May add and delete documents; reads no more.")
    ] = False,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it ends; unless said, never.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Create a key. Its secret is printed once, on stdout, and stored as a hash alone."""
    from sovereign_rag.storage.audit import entry

    owner, its_groups = local_owner(tenant), [g.strip() for g in groups.split(",") if g.strip()]
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    with run.open() as service:
        wanted = {"user": user, "groups": sorted(its_groups), "clearance": clearance}
        wanted |= {"admin": admin, "expires": expires.isoformat() if expires else None}
        service.audit.append(entry("key.create", owner, wanted))
        record, secret = service.catalog.keys.create(
            name=name or user,
            user=user,
            groups=frozenset(its_groups),
            tenant=tenant,
            clearance=clearance,
            is_admin=admin,
            expires=expires,
        )
        service.audit.append(entry("key.created", owner, {"key": record.id, "user": user}))
    if run.json:
        print_json({"key": _to_dict(record), "secret": secret})
    else:
        run.out.print(Text(secret))
        run.note(
            f"Key {record.id} for user:{user}. Keep the secret: it can't be shown again. "
            "It goes into the header: Authorization: Bearer SECRET"
        )


@command(app, "list", examples=("sovereign-rag keys list",))
def list_(run: CommandRun, tenant: Tenant = DEFAULT_TENANT) -> None:
    """List the keys, without their secrets."""
    with run.open() as service:
        records = service.catalog.keys.in_tenant(tenant)
    if run.json:
        print_json({"keys": [_to_dict(record) for record in records]})
        return
    columns = ("id", "state", "name", "user", "groups", ">clearance", "admin", "last used")
    rows = (
        (
            r.id,
            _state(r),
            r.name,
            r.user,
            ", ".join(sorted(r.groups)),
            r.clearance,
            "yes" if r.is_admin else "",
            f"{r.last_used:%Y-%m-%d}" if r.last_used else "never",
        )
        for r in records
    )
    run.out.print(table(columns, rows))


@command(app, "revoke", examples=("sovereign-rag keys revoke 8d21…",))
def revoke(
    run: CommandRun,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` prints it.")],
) -> None:
    """Revoke a key: from now on it opens nothing."""
    from sovereign_rag.storage.audit import entry

    with run.open() as service:
        service.audit.append(entry("key.revoke", local_owner(), {"key": key_id}))
        service.catalog.keys.revoke(key_id)
    if run.json:
        print_json({"revoked": key_id})
    else:
        run.note(f"Revoked: {safe(key_id, one_line=True)}")


def _state(record: "KeyRecord") -> str:
    if record.revoked is not None:
        return "revoked"
    return "expired" if record.expires and record.expires <= datetime.now(UTC) else "valid"


def _to_dict(record: "KeyRecord") -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "tenant": record.tenant,
        "user": record.user,
        "groups": sorted(record.groups),
        "clearance": record.clearance,
        "admin": record.is_admin,
        "state": _state(record),
        "created": record.created.isoformat(),
        "expires": record.expires.isoformat() if record.expires else None,
        "revoked": record.revoked.isoformat() if record.revoked else None,
        "last_used": record.last_used.isoformat() if record.last_used else None,
    }
