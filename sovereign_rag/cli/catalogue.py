"""`models catalogue`: the models that suit, and what this machine makes of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import print_json, table

if TYPE_CHECKING:
    from sovereign_rag.models.catalogue import CatalogueModel

app = typer.Typer()


@command(app, "catalogue", examples=("sovereign-rag models catalogue",))
def catalogue_(run: CommandRun) -> None:
    """Show Mistral's open models that suit, and which fit into this machine's memory.

    Memory is for the context of the setting generation.context_tokens. Speeds are what to
    expect on this machine's cores: reasoned from two models measured on another machine,
    unless marked as measured; half or double is no surprise.
    """
    from sovereign_rag.models.catalogue import catalogue
    from sovereign_rag.models.registry import Registry
    from sovereign_rag.system.cpu import memory_bytes, physical_cores

    cores, memory = physical_cores(), memory_bytes()
    context = run.settings.generation.context_tokens
    present = {model.sha256 for model in Registry(run.settings.models_dir).all()}
    rows = [_row(m, context, cores, memory, m.sha256 in present) for m in catalogue()]
    if run.json:
        print_json(
            {
                "machine": {"cores": cores, "memory": memory},
                "context_tokens": context,
                "models": rows,
            }
        )
        return
    columns = (
        *("name", "fits", ">file GB", f">memory GB at {context:,} tokens", ">reads tokens/s"),
        *(">writes tokens/s", ">longest context", "licence", "for"),
    )
    run.out.print(table(columns, (_cells(row) for row in rows)))
    run.note(
        f"\nThis machine: {cores} cores, {memory / 1e9:.1f} GB. `sovereign-rag models fetch "
        "NAME` brings one; with --print it says how to carry it by hand."
    )


def _row(
    model: "CatalogueModel", context: int, cores: int, memory: int, present: bool
) -> dict[str, object]:
    speed, needed = model.speed(cores), model.memory(min(context, model.context_tokens))
    return {
        "name": model.name,
        "title": model.title,
        "fits": needed <= memory,
        "imported": present,
        "size": model.size,
        "memory": needed,
        "reads_tokens_per_s": round(speed.reading, 1),
        "writes_tokens_per_s": round(speed.writing, 1),
        "measured": speed.measured,
        "context_tokens": model.context_tokens,
        "licence": model.licence,
        "repository": model.repository,
        "file": model.file,
        "revision": model.revision,
        "sha256": model.sha256,
        "use": model.use,
    }


def _cells(row: Mapping[str, object]) -> tuple[object, ...]:
    fits = Text("imported", "green") if row["imported"] else Text("yes", "green")
    if not row["fits"]:
        fits = Text("too large", "red")
    return (
        row["name"],
        fits,
        f"{int(str(row['size'])) / 1e9:.1f}",
        f"{int(str(row['memory'])) / 1e9:.1f}",
        f"{row['reads_tokens_per_s']}{'*' if row['measured'] else ''}",
        f"{row['writes_tokens_per_s']}{'*' if row['measured'] else ''}",
        f"{row['context_tokens']:,}",
        row["licence"],
        row["use"],
    )
