"""Write docs/settings.md from the settings themselves: `.venv/bin/python tools/settings_table.py`.

A test holds the file against the code.
"""

import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sovereign_rag.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

Made by `tools/settings_table.py` from `sovereign_rag/settings/`; don't edit it by hand.

Every setting has a default. To change one, write it into `sovereign-rag.toml`:

```toml
log_level = "info"

[server]
port = 8090
```

or into a variable, whose name is the setting's with `SOVEREIGN_RAG_` before it, in capitals, and
two underscores for the dot: `SOVEREIGN_RAG_SERVER__PORT=8090`. A list is written as JSON there:
`SOVEREIGN_RAG_SERVER__ALLOWED_HOSTS='["rag.example.org"]'`.

The strongest wins: an option of the command line, the variable, the file, the default. The file is
the one that `--config` or `SOVEREIGN_RAG_CONFIG` names, else `sovereign-rag.toml` in the working
folder, else in the data folder where `--data-dir` or `SOVEREIGN_RAG_DATA_DIR` names one. A name
that no setting has is refused, with the nearest right one. `sovereign-rag config` prints what is in
effect.
"""

INTRODUCTION = "General"
COMPUTED = {
    "data_dir": "per-user data folder, e.g. `~/.local/share/sovereign-rag`",
    "models_dir": "`models` in the per-user data folder",
}


def main() -> None:
    TARGET.write_text(document(), encoding="utf-8")
    print(f"{TARGET}: {sum(1 for _ in _fields(Settings, ''))} settings")


def document() -> str:
    """docs/settings.md, whole."""
    parts = [HEAD, f"## {INTRODUCTION}\n", _table("", Settings)]
    for name, section in _sections(Settings, ""):
        parts += [f"## {name}\n", f"{section.__doc__}\n", _table(f"{name}.", section)]
    return "\n".join(parts)


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections with their dotted names, each followed by those inside it."""
    for name, info in model.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield prefix + name, section
            yield from _sections(section, f"{prefix}{name}.")


def _table(prefix: str, section: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_default(name, info)} | {_values(info)} | {_cell(info.description or '')} |"
        for name, info in _fields(section, prefix)
        if "." not in name.removeprefix(prefix)
    ]
    head = ["| setting | default | values | what it does |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _fields(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _fields(info.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, info


def _default(name: str, info: FieldInfo) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    value = info.default
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == {}:
        return "none"
    if isinstance(value, tuple | str):
        return f"`{json.dumps(value)}`"
    return f"`{value}`"


def _values(info: FieldInfo) -> str:
    kind = info.annotation
    choices = [a for a in typing.get_args(kind) if a is not type(None)]
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in choices)
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        (kind,) = choices
        if typing.get_origin(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
    name = "sections" if typing.get_origin(kind) is dict else _KINDS.get(kind, "list of texts")
    bounds = [f"{sign} {bound:g}" for sign, bound in _bounds(info)]
    return " ".join([name, " and ".join(bounds)]).strip()


_KINDS: dict[object, str] = {
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret",
}


def _bounds(info: FieldInfo) -> Iterator[tuple[str, float]]:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    metadata = list(info.metadata)
    for annotation in typing.get_args(info.annotation):  # int | None with bounds inside
        metadata += getattr(annotation, "__metadata__", ())
    for constraint in metadata:
        for attribute, sign in signs.items():
            bound = getattr(constraint, attribute, None)
            if isinstance(bound, int | float):
                yield sign, bound


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
