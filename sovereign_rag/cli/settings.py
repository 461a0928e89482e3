"""`settings`: those that change while the service runs, seen, changed and undone."""

from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.wiring import Application

app = new_app("See settings, and change those that may change while the service runs.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Dotted: history.keep_days.")]


@command(
    app,
    "list",
    examples=("sovereign-rag settings list", "sovereign-rag settings list --all --json"),
)
def list_(
    run: CommandRun,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that take a start anew to change.")
    ] = False,
) -> None:
    """List the settings that may change while the service runs, with where each was said."""
    from sovereign_rag.services.serialization.settings import SettingOut, SettingsOut

    with run.open() as service:
        views = service.console.settings.all(local_owner())
    told = SettingsOut(settings=[SettingOut.of(v) for v in views if all_ or v.can_change])
    if run.json:
        print_json(told.plain())
        return
    rows = (
        (
            one.name,
            "(hidden)" if one.secret else safe(one.value or "-", one_line=True),
            one.origin,
            one.changed_by or "",
            safe(one.before or "", one_line=True),
        )
        for one in told.settings
    )
    run.out.print(table(("setting", "value", "said by", "changed by", "before"), rows))


@command(
    app,
    "set",
    examples=(
        "sovereign-rag settings set history.keep_days 30",
        "sovereign-rag settings set limits.key_requests '10/minute, 1000/day'",
    ),
)
def set_(
    run: CommandRun,
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Lists by commas; '' for none.")],
) -> None:
    """Give a setting another value; running processes follow within seconds."""
    with run.open() as service:
        service.console.settings.change(name, value, local_owner())
        _tell(run, service, name)


@command(app, "undo", examples=("sovereign-rag settings undo history.keep_days",))
def undo(run: CommandRun, name: Name) -> None:
    """Give a setting the value that it had before; done twice, it is as it was."""
    with run.open() as service:
        service.console.settings.undo(name, local_owner())
        _tell(run, service, name)


def _tell(run: CommandRun, service: "Application", name: str) -> None:
    from sovereign_rag.services.serialization.settings import SettingOut

    views = service.console.settings.all(local_owner())
    now = SettingOut.of(next(view for view in views if view.name == name))
    if run.json:
        print_json(now.plain())
    else:
        run.note(f"{name} is {now.value or 'not said'} now; before, {now.before or 'not said'}.")
