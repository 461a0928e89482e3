"""`ingest`: files and folders in, with a bar while it runs and a line for what went wrong."""

import logging
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner, parse_readers
from sovereign_rag.cli.app import INTERRUPTED, SOME_FAILED, CommandRun, command
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.catalog.records import TaskRecord
    from sovereign_rag.wiring import IngestProgress, IngestReport

app = typer.Typer()


@command(
    app,
    "ingest",
    examples=(
        "sovereign-rag ingest ~/Documents/contracts --readers group:legal,user:ana",
        "sovereign-rag ingest report.pdf minutes.docx --readers everyone",
        "sovereign-rag ingest locked.pdf --password",
    ),
)
def ingest(
    run: CommandRun,
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders with all that is in them.")
    ],
    readers: Annotated[
        str | None,
        typer.Option(
            metavar="group:A,user:B",
            help="Who may read them, or: everyone. Unless said, a known document keeps its "
            "readers and a new one is the owner's alone.",
        ),
    ] = None,
    level: Annotated[int | None, typer.Option(min=0, help="Clearance that a reader needs.")] = None,
    password: Annotated[
        bool,
        typer.Option("--password", help="Ask for the password that opens locked files."),
    ] = False,
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read that password from the first line of a file; - is standard input.",
        ),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Take documents in, so that they can be searched and quoted.

    What has not changed since the last time is left as it is. Hidden files and what symbolic
    links inside a folder lead to are left out. Ctrl-C stops after the documents at hand; the
    same command goes on from there. Exit code 6: some documents failed, the others are in.
    """
    labels = parse_readers(readers) if readers is not None else None
    secret = _password(password, password_file)
    with run.open() as service, progress_bar(run) as bar, interruptible(run) as stop:
        report = service.ingestion.ingest(
            paths,
            local_owner(tenant),
            readers=labels,
            level=level,
            password=secret,
            on_progress=bar.show,
            on_task=bar.tell,
            stop=stop,
        )
    if run.json:
        print_json(_report_to_dict(report))
    else:
        _print_summary(run, report)
    if stop.is_set():
        run.note(
            f"Stopped with {report.job.total - report.job.done} documents to go. The same "
            "command goes on from there, and so does `sovereign-rag worker`."
        )
        raise typer.Exit(INTERRUPTED)
    if any(task.state == "failed" for task in report.tasks):
        raise typer.Exit(SOME_FAILED)


def _password(ask: bool, file: Path | None) -> str | None:
    """The password; it never stands among the arguments, which every user of a machine sees."""
    if ask and file is not None:
        raise BadInput("Give --password or --password-file, not both.")
    if ask:
        found: str = typer.prompt("Password of the documents", hide_input=True, err=True)
        return found
    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read as a password: {error}.") from error
    if not (first := text.partition("\n")[0].removesuffix("\r")):
        raise BadInput(f"{file} has no password on its first line.")
    return first


class _Bar:
    """Progress on stderr: a bar on a terminal, and everywhere a line for each failure."""

    def __init__(self, run: CommandRun, progress: Progress) -> None:
        self._run, self._progress = run, progress
        self._task = progress.add_task("", total=None, count="Looking …", rate="", current="")

    def show(self, now: "IngestProgress") -> None:
        rate = f"{now.pages / now.seconds:.1f} pages/s" if now.pages and now.seconds else ""
        current = safe(", ".join(now.current), one_line=True)
        self._progress.update(
            self._task,
            completed=now.done,
            total=now.total,
            count=f"{now.done} of {now.total} documents, {now.pages} pages",
            rate=rate,
            current=current if len(current) <= 40 else current[:39] + "…",
        )

    def tell(self, task: "TaskRecord") -> None:
        if task.state in ("failed", "partial"):
            style = "red" if task.state == "failed" else "yellow"
            line = Text(f"{task.state.value}: ", style)
            line.append(f"{safe(task.name, one_line=True)}: ", "bold")
            line.append(safe(task.reason or "no reason was recorded", one_line=True))
            # Through the bar's own console, so that it is drawn below.
            self._progress.console.print(line)


@contextmanager
def progress_bar(run: CommandRun) -> Iterator[_Bar]:
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[current]}", style="dim", markup=False),
    )
    shown = run.err.is_terminal and not run.json
    failures = logging.getLogger("ingest.jobs.worker.failures")
    before, failures.disabled = failures.disabled, True  # the bar tells of each itself
    try:
        with Progress(*columns, console=run.err, transient=True, disable=not shown) as progress:
            yield _Bar(run, progress)
    finally:
        failures.disabled = before


@contextmanager
def interruptible(
    run: CommandRun,
    note: str = "Stopping after the documents at hand; Ctrl-C again stops at once.",
) -> Iterator[threading.Event]:
    """An event that SIGTERM and the first Ctrl-C set; the second Ctrl-C interrupts as usual."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        stop.set()
        if note:
            run.note(note)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report_to_dict(report: "IngestReport") -> dict[str, object]:
    return {
        "job_id": report.job.id,
        "documents": [
            {
                "uri": task.uri,
                "document_id": task.document_id,
                "status": task.state.value,
                "reason": task.reason,
                "pages": task.pages,
                "chunks": task.chunks,
            }
            for task in report.tasks
        ],
        "counts": _counts(report),
        "left_out": list(report.left_out),
        "seconds": report.seconds,
    }


def _counts(report: "IngestReport") -> dict[str, int]:
    """How many documents ended how; the four ends that scripts ask for are always there."""
    ends = dict.fromkeys(("indexed", "unchanged", "partial", "failed"), 0)
    return ends | Counter(task.state.value for task in report.tasks)


def _print_summary(run: CommandRun, report: "IngestReport") -> None:
    pages = sum(task.pages for task in report.tasks)
    chunks = sum(task.chunks for task in report.tasks)
    counts = [(state, n) for state, n in _counts(report).items() if n]
    run.out.print(table(("result", ">documents"), counts))
    run.out.print(Text(f"{pages} pages, {chunks} chunks, {report.seconds:.1f} s", "dim"))
    if report.left_out:
        named = ", ".join(safe(Path(path).name, one_line=True) for path in report.left_out[:3])
        more = ", …" if len(report.left_out) > 3 else ""
        run.note(
            f"{len(report.left_out)} hidden files, folders or links were left out: {named}{more}. "
            "A file that is named itself is taken."
        )
