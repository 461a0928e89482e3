"""`eval compare`: what changed between two evaluations, and whether that is more than chance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.cli.app import BELOW_FLOOR, CommandRun, command
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.evaluation.compare import ChangedQuestion, Comparison, Difference

app = typer.Typer()


@command(
    app,
    "compare",
    examples=(
        "sovereign-rag eval compare before.json after.json --report comparison.html",
        "sovereign-rag eval compare main.json branch.json --fail-below -0.01",
    ),
)
def compare(
    run: CommandRun,
    before: Annotated[Path, typer.Argument(metavar="A", help="A result file, written with --out.")],
    after: Annotated[
        Path, typer.Argument(metavar="B", help="Another one, over the same questions.")
    ],
    measure: Annotated[
        str | None,
        typer.Option(
            help="The measure that decides and that questions are listed by: nDCG@10 unless "
            "said, of answers: right."
        ),
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(
            min=-1.0,
            max=1.0,
            help="Exit with 8 if the measure's difference B - A is below this, e.g. -0.01.",
        ),
    ] = None,
    worst: Annotated[
        int, typer.Option(min=0, help="How many of the questions that got worse are shown.")
    ] = 10,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with plots and all lists to this file.")
    ] = None,
) -> None:
    """Compare two evaluations question by question.

    Above 0, B is better. The interval holds the difference in 95 of 100 cases; p is how often
    chance alone would give one as large. Exit code 0 whatever is found, unless --fail-below
    is given.
    """
    from sovereign_rag.evaluation.compare import compare as paired
    from sovereign_rag.evaluation.page import comparison_page
    from sovereign_rag.evaluation.runs import read_run

    found = paired(read_run(before), read_run(after), measure=measure)
    failed = fail_below is not None and found.falls_below(fail_below)
    if report is not None:
        page = comparison_page(found, least=fail_below)
        try:
            report.write_text(page, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"Could not write {report}: {error.strerror or error}.") from error
    if run.json:
        print_json(comparison_to_dict(found, failed=failed))
    else:
        print_comparison(run, found, worst)
    if failed:
        run.note(f"{found.measure} fell below what --fail-below {fail_below} allows.", "red")
        raise typer.Exit(BELOW_FLOOR)


def print_comparison(run: CommandRun, found: "Comparison", worst: int) -> None:
    from sovereign_rag.evaluation.plots import signed

    rows = (*found.overall, *found.by_language)
    columns = ("measure", "language", ">questions", ">A", ">B", ">B - A", ">95 % interval", ">p")
    cells = (
        (
            row.measure,
            row.language,
            row.questions,
            f"{row.before:.3f}",
            f"{row.after:.3f}",
            signed(row.difference),
            f"{signed(row.low)} to {signed(row.high)}",
            f"{row.p:.4f}",
            f"{row.wins} / {row.losses} / {row.ties}",
        )
        for row in rows
    )
    run.out.print(table((*columns, ">better / worse / same"), cells))
    for side, missing in (("A", found.unpaired_before), ("B", found.unpaired_after)):
        if missing:
            run.note(f"Left out, being in {side} only: {len(missing)} of the questions.", "yellow")
    if found.changed_settings:
        run.out.print(Text("\nDifferent between the runs", "bold"))
        named = ((name, *values) for name, values in found.changed_settings.items())
        run.out.print(table(("name", "A", "B"), named))
    shown = found.regressions[:worst]
    if shown:
        title = f"\nWorse by {found.measure}: {len(found.regressions)} questions"
        run.out.print(Text(title, "bold"))
        lines = (
            (c.id, c.language, f"{c.before:.3f}", f"{c.after:.3f}", signed(c.difference), c.text)
            for c in shown
        )
        run.out.print(table(("id", "language", ">A", ">B", ">B - A", "question"), lines))


def comparison_to_dict(found: "Comparison", *, failed: bool) -> dict[str, object]:
    return {
        "kind": found.before.kind,
        "set": found.before.set_name,
        "a": str(found.before.path),
        "b": str(found.after.path),
        "measure": found.measure,
        "failed": failed,
        "deciding": _difference(found.deciding),
        "measures": [_difference(row) for row in found.overall],
        "languages": [_difference(row) for row in found.by_language],
        "regressions": [_change(change) for change in found.regressions],
        "improvements": [_change(change) for change in found.improvements],
        "unpaired": {"a": list(found.unpaired_before), "b": list(found.unpaired_after)},
        "ms": {"a": found.ms_before, "b": found.ms_after},
        "different": {
            name: {"a": first, "b": second}
            for name, (first, second) in found.changed_settings.items()
        },
    }


def _difference(row: "Difference") -> dict[str, object]:
    return {
        "measure": row.measure,
        "language": row.language,
        "questions": row.questions,
        "a": row.before,
        "b": row.after,
        "difference": row.difference,
        "interval": [row.low, row.high],
        "p": row.p,
        "wins": row.wins,
        "losses": row.losses,
        "ties": row.ties,
    }


def _change(change: "ChangedQuestion") -> dict[str, object]:
    return {
        "id": change.id,
        "language": change.language,
        "question": change.text,
        "a": change.before,
        "b": change.after,
        "difference": change.difference,
    }
