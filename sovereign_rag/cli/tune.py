"""`models tune`: how fast this machine computes the model, by each way of computing it."""

from typing import TYPE_CHECKING

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import print_json, table

if TYPE_CHECKING:
    from sovereign_rag.generation.tuning import Speeds

app = typer.Typer()


@command(app, "tune", examples=("sovereign-rag models tune",))
def tune(run: CommandRun) -> None:
    """Measure which way of computing the language model is fastest here, and keep it.

    Takes about 20 seconds and the time to load the model three times. The service does it by
    itself when nobody has asked for a while; what is kept holds from its next start on, and
    the settings generation.threads, waiting, repack and block_tokens pin each.
    """
    from sovereign_rag.generation.tuning import Tuning
    from sovereign_rag.models.inventory import verified_language_model

    header, sha256 = verified_language_model(run.settings)
    run.note(f"Measuring {header.path.name}; other work on this machine distorts it.")
    tried = Tuning.of(run.settings, header, sha256).measure() or ()
    rows = [_row(speeds, kept=speeds is tried[0]) for speeds in tried]
    if run.json:
        print_json({"model": header.path.name, "sha256": sha256, "tried": rows})
        return
    columns = (
        *("kept", "repacked", "threads wait", ">threads", ">in batches", ">block"),
        *(">reads tokens/s", ">writes alone", ">writes for 8"),
    )
    run.out.print(table(columns, ([_cell(value) for value in row.values()] for row in rows)))


def _row(speeds: "Speeds", *, kept: bool) -> dict[str, bool | str | int | float]:
    computing = speeds.choice.computing
    return {
        "kept": kept,
        "repack": computing.repack,
        "waiting": speeds.choice.waiting,
        "threads": computing.threads,
        "threads_batch": computing.threads_batch,
        "block_tokens": computing.block_tokens,
        "read_tokens_per_s": round(speeds.read, 1),
        "write_tokens_per_s": round(speeds.write, 1),
        "write_8_tokens_per_s": round(speeds.wide, 1),
    }


def _cell(value: bool | str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
