"""What `reindex` prints: a plan, progress, and what became of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sovereign_rag.cli.app import CommandRun
from sovereign_rag.cli.output import facts, print_json, table

if TYPE_CHECKING:
    from sovereign_rag.catalog.indexes import IndexRecord
    from sovereign_rag.evaluation.compare import Comparison
    from sovereign_rag.wiring import Application, BuildProgress, Built, ReindexEstimate


def tell(run: CommandRun, built: "Built", compared: "Comparison | None", *, switched: bool) -> None:
    number = built.index.id
    if run.json:
        print_json(built_to_dict(built, compared) | {"switched": switched})
    elif switched:
        run.note(
            f"Index {number} is live: {built.coverage.current} documents, {built.coverage.written} "
            "chunks. Running services go over to it by themselves; the index before it is kept. "
            "`reindex back` returns to it, `reindex drop` removes it."
        )
    else:
        run.note(f"Index {number} is built. `sovereign-rag reindex switch` goes over to it.")


def tell_nothing(run: CommandRun) -> None:
    if run.json:
        print_json({"switched": False, "differences": {}})
    run.note("The live index is made as the settings want it; there is nothing to do.")


def print_plan(
    run: CommandRun,
    differences: Mapping[str, tuple[object, object]],
    begun: "IndexRecord | None",
    estimate: "ReindexEstimate",
    *,
    dry_run: bool,
) -> None:
    changed = {name: {"is": a, "wanted": b} for name, (a, b) in differences.items()}
    if run.json:
        plan = {name: getattr(estimate, name) for name in estimate.__dataclass_fields__}
        begun_ = None if begun is None else begun.id
        print_json({"dry_run": dry_run, "differences": changed, "resumes": begun_, **plan})
        return
    rows = ((name, a, b) for name, (a, b) in differences.items())
    run.out.print(table(("", "live index", "settings"), rows))
    told = {
        "goes on with": None if begun is None else f"index {begun.id}",
        "written already": estimate.present or None,
        "documents": estimate.documents,
        "chunks, about": estimate.chunks,
        "time, about": duration(estimate.seconds),
        "disk, about": f"{size(estimate.disk)} of {size(estimate.free)} that are free",
    }
    run.out.print(facts(told))


def index_to_dict(service: "Application", record: "IndexRecord") -> dict[str, object]:
    coverage = service.catalog.indexes.coverage(record.id)
    spec = record.spec
    return {
        "id": record.id,
        "state": record.state.value,
        "collection": record.collection,
        "model": None if spec is None else spec.model_id,
        "max_tokens": None if spec is None else spec.max_tokens,
        "min_tokens": None if spec is None else spec.min_tokens,
        "current": coverage.current,
        "documents": coverage.documents,
        "chunks": coverage.written,
        "created": f"{record.created:%Y-%m-%d %H:%M}",
        "switched": None if record.switched is None else f"{record.switched:%Y-%m-%d %H:%M}",
    }


def built_to_dict(built: "Built", compared: "Comparison | None" = None) -> dict[str, object]:
    from sovereign_rag.cli.compare import comparison_to_dict

    return {
        "index": built.index.id,
        "documents": built.coverage.documents,
        "current": built.coverage.current,
        "chunks": built.coverage.written,
        "written": built.written,
        "seconds": built.seconds,
        "stopped": built.stopped,
        "lacking": dict(built.lacking),
        "comparison": None if compared is None else comparison_to_dict(compared, failed=False),
    }


class Bar:
    """Progress on stderr."""

    def __init__(self, progress: Progress, doing: str) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, text=f"{doing} …")
        self._doing = doing

    def __call__(self, now: "BuildProgress") -> None:
        rate = f", {now.chunks / now.seconds:.1f} chunks/s" if now.seconds else ""
        text = f"{now.done} of {now.total} documents{rate}"
        self._progress.update(self._task, completed=now.done, total=now.total, text=text)

    def count(self, done: int, total: int) -> None:
        text = f"{self._doing}: {done} of {total}"
        self._progress.update(self._task, completed=done, total=total, text=text)


@contextmanager
def progress_bar(run: CommandRun, doing: str = "Looking") -> Iterator[Bar]:
    columns = (
        BarColumn(bar_width=30),
        TextColumn("{task.fields[text]}", markup=False),
        TimeRemainingColumn(),
    )
    shown = run.err.is_terminal and not run.json
    with Progress(*columns, console=run.err, transient=True, disable=not shown) as progress:
        yield Bar(progress, doing)


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{max(1, count >> 20)} MiB"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
