"""`config` and `version`: the settings in effect, what differs from the defaults, the version."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import print_json, safe
from sovereign_rag.version import VERSION

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sovereign_rag.settings import Settings

app = typer.Typer()

_HIDDEN = "(hidden)"


@command(
    app,
    "config",
    examples=("sovereign-rag config", "sovereign-rag config --json --data-dir /srv/rag"),
)
def config(run: CommandRun) -> None:
    """Print the settings in effect, as a settings file would say them; secrets are hidden.

    What differs from its default is marked. Every setting is also a variable: store.url is
    SOVEREIGN_RAG_STORE__URL.
    """
    from sovereign_rag.settings import Settings, names

    values, defaults = _values(run.settings), _values(Settings.model_construct())
    changed = [name for name in values if values[name] != defaults[name]]
    if run.json:
        print_json({"settings": values, "changed": changed})
        return
    _print(run, values, changed, names())


@command(app, "version", examples=("sovereign-rag version",))
def version(run: CommandRun) -> None:
    """Print the version."""
    if run.json:
        print_json({"version": VERSION})
    else:
        run.out.print(VERSION)


def _print(
    run: CommandRun, values: Mapping[str, object], changed: list[str], described: Mapping[str, str]
) -> None:
    section = ""
    for name, value in values.items():
        here, _, key = name.rpartition(".")
        if here != section:
            run.out.print(Text(f"\n[{here}]", "bold"))
            section = here
        line = Text(f"{key} = {_toml(value)}", "green" if name in changed else "")
        if name in changed:
            line.append("  # changed", "green")
        line.append(f"  # {safe(described[name], one_line=True)}", "dim")
        run.out.print(line, soft_wrap=True)


def _values(settings: "Settings") -> dict[str, object]:
    """Every setting by its dotted name, as plain JSON types."""
    from pydantic import BaseModel

    found: dict[str, object] = {}

    def walk(model: "BaseModel", prefix: str) -> None:
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                walk(value, f"{prefix}{name}.")
            else:
                found[prefix + name] = _plain(value)

    walk(settings, "")
    return found


def _plain(value: object) -> object:
    from pydantic import BaseModel, SecretStr

    if isinstance(value, SecretStr):
        return _HIDDEN
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _toml(value: object) -> str:
    """A value as TOML writes it; what is not set is a comment there."""
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{safe(value, one_line=True)}"'
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_toml(part)}" for key, part in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)
