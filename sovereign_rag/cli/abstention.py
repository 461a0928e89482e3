"""`eval abstention`: what each setting of the points of refusal gives, from answered runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import percent, print_json, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.evaluation.abstention import Curve

app = typer.Typer()


@command(
    app,
    "abstention",
    examples=(
        "sovereign-rag eval abstention run.json",
        "sovereign-rag eval abstention run.json --most-wrong 0.05 --plot curve.svg",
    ),
)
def abstention(
    run: CommandRun,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Files that `eval answers --out` wrote."),
    ],
    most_wrong: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Most of the unanswerable questions that may be answered."
        ),
    ] = 0.15,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this SVG file.")] = None,
) -> None:
    """Show how many questions are answered, rightly and wrongly, at each confidence.

    There are two points: from answer.min_confidence on passages answer, from
    answer.near_confidence on the nearest are shown as not sure to. A question's confidence does
    not depend on them, so one run is enough to choose both: ask questions of your own, with some
    that your documents don't answer.
    """
    from sovereign_rag.evaluation.abstention import curves, read_judged
    from sovereign_rag.evaluation.curve_plot import risk_against_coverage

    found = curves([question for path in files for question in read_judged(path)])
    answer = run.settings.answer
    points = (answer.min_confidence, min(answer.near_confidence, answer.min_confidence))
    if plot is not None:
        try:
            plot.write_text(risk_against_coverage(found, points=points), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"Could not write {plot}: {error.strerror or error}.") from error
    if run.json:
        print_json({curve.name: _as_json(curve, points, most_wrong) for curve in found})
    else:
        _print(run, found, points, most_wrong)


def _as_json(curve: "Curve", points: tuple[float, float], most_wrong: float) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "answerable": curve.answerable,
        "unanswerable": curve.unanswerable,
        "separation": curve.separation,
        "now": asdict(curve.at(points[0])),
        "near": asdict(curve.at(points[1])),
        "within": asdict(curve.within(most_wrong)) if curve.unanswerable else None,
        "points": [asdict(each) for each in curve.points],
    }


def _print(
    run: CommandRun, found: "tuple[Curve, ...]", points: tuple[float, float], most_wrong: float
) -> None:
    columns = ("questions", ">answerable", ">others", ">separation")
    now = tuple(
        column
        for name, point in zip(("answered", "or near"), points, strict=True)
        for column in (f">{name} at {point:g} %", ">wrongly %")
    )
    wanted = (f">least for {most_wrong:.0%} wrong", ">answered %")
    rows = []
    for curve in found:
        here, near = map(curve.at, points)
        cells = (
            curve.name,
            curve.answerable,
            curve.unanswerable,
            "–" if curve.separation is None else f"{curve.separation:.2f}",
            percent(here.coverage),
            percent(here.risk),
            percent(near.coverage),
            percent(near.risk),
        )
        then = curve.within(most_wrong)
        there = (
            (f"{then.confidence:.3f}", percent(then.coverage)) if curve.unanswerable else ("", "")
        )
        rows.append((*cells, *there))
    run.out.print(table((*columns, *now, *wanted), rows))
    overall = found[-1]
    steps = [tenth / 10 for tenth in range(1, 10)]
    each = ((f"{step:.1f}", overall.at(step)) for step in steps)
    lines = ((name, percent(here.coverage), percent(here.risk)) for name, here in each)
    run.out.print(table(("from a confidence of", ">answered %", ">wrongly %"), lines))
