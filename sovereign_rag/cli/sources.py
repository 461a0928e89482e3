"""`sources`: where documents come from, and when they last did."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import facts, print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.catalog.sources import SourceRecord
    from sovereign_rag.settings import AnySource

app = new_app("See where documents come from.")

SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="As `sources list` prints it.")
]


@command(app, "list", examples=("sovereign-rag sources list",))
def list_(run: CommandRun) -> None:
    """List the sources of the settings, and the folders that were synced."""
    from sovereign_rag.storage.audit import entry

    with run.open() as service:
        known = service.catalog.sources.all()
        shown = {"sources": sorted({*run.settings.sources, *(record.name for record in known)})}
        service.audit.append(entry("sources.list", local_owner(), shown))
    rows = _all(run, known)
    if run.json:
        print_json({"sources": [_to_dict(*row) for row in rows]})
        return
    told = (
        (
            name,
            section.kind if section is not None else record.kind if record else "",
            (section.schedule if section is not None else None) or "when asked",
            f"{record.finished:%Y-%m-%d %H:%M}" if record and record.finished else "never",
            _state(record),
        )
        for name, section, record in rows
    )
    run.out.print(table(("name", "kind", "schedule", "last synced (UTC)", "state"), told))


@command(app, "show", examples=("sovereign-rag sources show archive",))
def show(run: CommandRun, name: SourceArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Show a source: its section of the settings, and how its last sync went."""
    from sovereign_rag.storage.audit import entry

    with run.open() as service:
        source = service.sync.find(name, tenant)
        tenant = source.section.tenant
        record = service.catalog.sources.find(tenant, source.name)
        held = len(service.catalog.sources.items(record.id)) if record is not None else 0
        service.audit.append(entry("source", local_owner(tenant), {"source": source.name}))
    section = source.section if source.in_settings or record is not None else None
    if run.json:
        print_json(_to_dict(source.name, section, record) | {"items": held})
        return
    settings = source.section.model_dump(mode="json", exclude_none=True)
    run.out.print(Text(safe(source.name, one_line=True), "bold"))
    run.out.print(facts({key: value for key, value in settings.items() if value not in ({},)}))
    run.out.print(
        facts(
            {
                "last synced": record.finished if record else "never",
                "begun": record.started if record else None,
                "holds": f"{held} documents",
                "counts": _counts(record),
                "state": _state(record),
            }
        )
    )


@command(app, "forget", examples=("sovereign-rag sources forget /srv/old",))
def forget(run: CommandRun, name: SourceArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Forget what a source held and when; its documents stay in the index."""
    with (
        run.open() as service,
        service.operations.begun("source.forget", local_owner(tenant), {"source": name}),
    ):
        service.catalog.sources.forget(tenant, name)
    if run.json:
        print_json({"forgotten": name})
    else:
        run.note(f"Forgotten: {name}. Its documents are still there.")


def _all(
    run: CommandRun, known: "list[SourceRecord]"
) -> "list[tuple[str, AnySource | None, SourceRecord | None]]":
    by_name = {(record.tenant, record.name): record for record in known}
    rows: list[tuple[str, AnySource | None, SourceRecord | None]] = [
        (name, section, by_name.pop((section.tenant, name), None))
        for name, section in run.settings.sources.items()
    ]
    return [*rows, *((record.name, None, record) for record in by_name.values())]


def _to_dict(
    name: str, section: "AnySource | None", record: "SourceRecord | None"
) -> dict[str, object]:
    return {
        "name": name,
        "settings": None if section is None else section.model_dump(mode="json"),
        "kind": section.kind if section is not None else record.kind if record else None,
        "tenant": section.tenant if section is not None else record.tenant if record else None,
        "started": record.started.isoformat() if record and record.started else None,
        "finished": record.finished.isoformat() if record and record.finished else None,
        "counts": dict(record.counts) if record and record.counts else None,
        "error": record.error if record else None,
        "running": bool(record and record.holder),
    }


def _state(record: "SourceRecord | None") -> str:
    if record is None:
        return "never synced"
    if record.holder is not None:
        return "running"
    return f"failed: {record.error}" if record.error else "in order"


def _counts(record: "SourceRecord | None") -> str | None:
    if record is None or not record.counts:
        return None
    return ", ".join(f"{n} {name}" for name, n in record.counts.items() if n)
