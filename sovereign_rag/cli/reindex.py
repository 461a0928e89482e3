"""`reindex`: another index, built beside the live one and switched to."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import (
    BELOW_FLOOR,
    INTERRUPTED,
    SOME_FAILED,
    CommandRun,
    command,
    default_command,
    new_app,
)
from sovereign_rag.cli.ingest import interruptible
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.cli.reindex_output import (
    built_to_dict,
    index_to_dict,
    print_plan,
    progress_bar,
    size,
    tell,
    tell_nothing,
)
from sovereign_rag.errors import BadInput, EnvironmentFault, NotFound

if TYPE_CHECKING:
    from sovereign_rag.catalog.indexes import IndexRecord
    from sovereign_rag.evaluation.compare import Comparison
    from sovereign_rag.wiring import Application, Built, LeaseHeartbeat, ReindexEstimate

app = new_app("Build another index beside the live one, and switch to it.")

_NICENESS: Final = 10  # of the process that builds: who asks comes first
_RESERVE: Final = 512 << 20  # bytes of disk that stay free
_CERTAIN: Final = 0.05  # p, below which a loss is taken for one

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@default_command(
    app,
    examples=(
        "sovereign-rag reindex --dry-run",
        "sovereign-rag reindex --questions our-questions.xlsx --report comparison.html",
        "sovereign-rag reindex --no-switch --yes",
    ),
)
def reindex(
    run: CommandRun,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Questions to compare the two indexes on: a spreadsheet or JSON lines as eval "
            "answers takes them, or a folder with queries.jsonl and qrels.tsv whose documents "
            "are named by URI.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit-queries", min=1, help="Only so many questions, evenly spread."),
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(
            min=-1.0,
            max=1.0,
            help="Do not switch, and exit with 8, if the deciding measure falls by more than "
            "this, e.g. -0.01. Unless said: if it falls and that is hardly chance "
            "(p < 0.05).",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the comparison as a page to this file.")
    ] = None,
    no_switch: Annotated[
        bool,
        typer.Option("--no-switch", help="Build and compare; `reindex switch` does the rest."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Build anew although the settings are as they were."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Build an index as the settings want it, beside the live one, and switch to it.

    For another embedding model, other chunks or another layout of the vectors. Questions are
    answered from the live index meanwhile; documents that come, change or go are caught up
    with. Nothing is parsed again. Ctrl-C stops after the documents at hand, and the same
    command goes on from there. The old index is kept: `reindex back`. Exit code 6: some
    documents could not be written, 8: the comparison fell below its floor; either way nothing
    was switched.
    """
    _check(questions, limit, fail_below, report)
    with run.open() as service, interruptible(run) as stop, _leased(service) as lease:
        wanted, differences = service.indexes.wanted(), service.indexes.differences()
        begun = service.reindexing.unfinished()
        if begun is not None and (begun.spec is None or begun.spec.differences(wanted)):
            run.note(f"Index {begun.id} was begun for other settings and will be removed.")
            begun = None
        if begun is None and not differences and not force:
            tell_nothing(run)
            return
        estimate = service.estimate(wanted, begun)
        if dry_run or not run.json:
            print_plan(run, differences, begun, estimate, dry_run=dry_run)
        if dry_run:
            return
        _require_room(estimate)
        run.confirm(f"Write {estimate.documents} documents into another index?", yes=yes)
        os.nice(_NICENESS)
        index = service.reindexing.begin(wanted)
        with progress_bar(run) as bar:
            built = service.reindexing.build(index, lease, on_progress=bar, stop=stop)
        _require_whole(run, built)
        compared = None
        if questions is not None:
            compared = _compare(run, service, index, questions, limit)
            _show(run, compared, report, fail_below)
            if _falls(compared, fail_below):
                _refuse(run, built, compared)
        if no_switch:
            tell(run, built, compared, switched=False)
            return
        _switch(run, service, index, lease, stop, built, compared)


@command(app, "switch", examples=("sovereign-rag reindex switch --yes",))
def switch(run: CommandRun, yes: Yes = False) -> None:
    """Switch to the index that was built; what has changed since is caught up with first."""
    with run.open() as service, interruptible(run) as stop, _leased(service) as lease:
        index = service.reindexing.unfinished()
        if index is None:
            raise NotFound("No index was built to switch to; `sovereign-rag reindex` does it.")
        run.confirm(f"Answer questions from index {index.id}?", yes=yes)
        _switch(run, service, index, lease, stop)


@command(app, "back", examples=("sovereign-rag reindex back --yes",))
def back(run: CommandRun, yes: Yes = False) -> None:
    """Go back to the index that was live before.

    What came or changed since the switch is written into it first, so that it is not behind;
    where nothing did, this takes a moment. What was deleted is gone from it already, and
    rights were changed in it at once. The index that is left is kept in turn. The settings
    stay as they are: set them back too, or the next `reindex` builds that index again.
    """
    with run.open() as service, interruptible(run) as stop, _leased(service) as lease:
        index = service.reindexing.previous()
        run.confirm(f"Answer questions from index {index.id} again?", yes=yes)
        _switch(run, service, index, lease, stop)


@command(app, "drop", examples=("sovereign-rag reindex drop --yes",))
def drop(run: CommandRun, yes: Yes = False) -> None:
    """Remove every index but the live one: the one kept for a way back, and one half built.

    Give services that run a minute after a switch: each goes over at its next question.
    """
    from sovereign_rag.catalog.index_rows import IndexState

    with run.open() as service, _leased(service):
        doomed = [r for r in service.catalog.indexes.all() if r.state is not IndexState.LIVE]
        if doomed:
            numbers = ", ".join(str(record.id) for record in doomed)
            run.confirm(f"Remove index {numbers}?", yes=yes)
        for record in doomed:
            service.reindexing.drop(record)
    if run.json:
        print_json({"dropped": [record.id for record in doomed]})
    else:
        run.note(f"Removed: {len(doomed)}" if doomed else "There is no other index.")


@command(app, "status", examples=("sovereign-rag reindex status", "… status --json"))
def status(run: CommandRun) -> None:
    """Show which indexes there are, how they were made, and how far one is that is built."""
    with run.open() as service:
        rows = [index_to_dict(service, record) for record in service.catalog.indexes.all()]
        differences = service.indexes.differences()
        busy = service.catalog.locks.holder("reindex") is not None
    if run.json:
        wanted = {name: {"is": a, "wanted": b} for name, (a, b) in differences.items()}
        print_json({"indexes": rows, "differences": wanted, "running": busy})
        return
    columns = ("index", "state", "model", ">max_tokens", ">documents", ">of", ">chunks", "made")
    names = ("id", "state", "model", "max_tokens", "current", "documents", "chunks", "created")
    run.out.print(table(columns, ([row[name] for name in names] for row in rows)))
    for name, (is_, wanted_) in differences.items():
        run.note(f"{name}: the live index has {is_}, the settings want {wanted_}.", "yellow")
    if differences:
        run.note("`sovereign-rag reindex` builds an index as the settings want it.")


@contextmanager
def _leased(service: "Application") -> Iterator["LeaseHeartbeat"]:
    with service.reindexing.lease() as lease:
        service.reindexing.finish_interrupted()
        yield lease


def _check(
    questions: Path | None, limit: int | None, fail_below: float | None, report: Path | None
) -> None:
    if questions is None and (limit, fail_below, report) != (None, None, None):
        raise BadInput("--limit-queries, --fail-below and --report are for --questions.")
    if questions is not None and not questions.exists():
        raise BadInput(f"{questions} is not there.")
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        raise BadInput(f"--report {report}: give a file in a folder that is there.")


def _require_room(estimate: "ReindexEstimate") -> None:
    if estimate.disk + _RESERVE > estimate.free:
        raise EnvironmentFault(
            f"The index needs about {size(estimate.disk)} of disk and {size(estimate.free)} are "
            "free. Make room first; nothing was changed. `sovereign-rag reindex drop` removes an "
            "index that is kept."
        )


def _require_whole(run: CommandRun, built: "Built") -> None:
    """Ends the command where a build was stopped, or documents are lacking."""
    if built.stopped:
        if run.json:
            print_json(built_to_dict(built))
        run.note(
            f"Stopped with {built.coverage.current} of {built.coverage.documents} documents in "
            f"index {built.index.id}. The same command goes on from there; questions are answered "
            "from the live index."
        )
        raise typer.Exit(INTERRUPTED)
    if built.lacking:
        if run.json:
            print_json(built_to_dict(built))
        for uri, reason in built.lacking.items():
            run.note(f"failed: {uri}: {reason}", "red")
        run.note("Nothing was switched; mend these and run the same command.")
        raise typer.Exit(SOME_FAILED)


def _switch(
    run: CommandRun,
    service: "Application",
    index: "IndexRecord",
    lease: "LeaseHeartbeat",
    stop: threading.Event,
    before: "Built | None" = None,
    compared: "Comparison | None" = None,
) -> None:
    """Switch, and tell of it together with what was built `before` that."""
    with progress_bar(run) as bar:
        built = service.reindexing.switch(index, local_owner(), lease, on_progress=bar, stop=stop)
    if before is not None:
        built = replace(
            built, written=before.written + built.written, seconds=before.seconds + built.seconds
        )
    _require_whole(run, built)
    tell(run, built, compared, switched=True)


def _compare(
    run: CommandRun,
    service: "Application",
    index: "IndexRecord",
    questions: Path,
    limit: int | None,
) -> "Comparison":
    from sovereign_rag.cli.index_comparison import compare_indexes

    with progress_bar(run, "Asking") as bar:
        return compare_indexes(service, index, questions, limit=limit, on_progress=bar.count)


def _falls(compared: "Comparison", fail_below: float | None) -> bool:
    if fail_below is not None:
        return compared.falls_below(fail_below)
    deciding = compared.deciding
    return deciding.difference < 0 and deciding.p < _CERTAIN


def _show(
    run: CommandRun, compared: "Comparison", report: Path | None, fail_below: float | None
) -> None:
    from sovereign_rag.cli.compare import print_comparison
    from sovereign_rag.evaluation.page import comparison_page

    if report is not None:
        try:
            page = comparison_page(compared, least=fail_below)
            report.write_text(page, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"Could not write {report}: {error.strerror or error}.") from error
    if not run.json:
        run.out.print(Text("A: the live index, B: the new one", "bold"))
        print_comparison(run, compared, worst=10)


def _refuse(run: CommandRun, built: "Built", compared: "Comparison") -> None:
    if run.json:
        print_json(built_to_dict(built, compared) | {"switched": False})
    run.note(
        f"{compared.measure} fell, so nothing was switched. Index {built.index.id} is kept: "
        "`reindex switch` goes over to it all the same, `reindex drop` removes it.",
        "red",
    )
    raise typer.Exit(BELOW_FLOOR)
