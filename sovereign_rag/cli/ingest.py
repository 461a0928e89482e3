"""`ingest`: files and folders in, with a bar while it runs and a line for what went wrong."""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, parse_readers
from sovereign_rag.cli.app import INTERRUPTED, SOME_FAILED, CommandRun, command, secret_line
from sovereign_rag.cli.identity import Asker, Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.access import Principal
    from sovereign_rag.catalog.records import TaskRecord
    from sovereign_rag.client.client import Client
    from sovereign_rag.services.serialization.jobs import TaskOut
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
    how = _How(
        parse_readers(readers) if readers is not None else None,
        level,
        _password(password, password_file),
    )
    asker = Asker(tenant=tenant)
    with (
        run.client(asker) as client,
        progress_bar(run) as bar,
        interruptible(run) as stop,
    ):
        if client is None:
            outcome = _taken_in(run, paths, how, asker.principal(), bar, stop)
        else:
            outcome = _handed_in(client, paths, how, bar, stop)
    also = ", and so does `sovereign-rag worker`" if client is None else ""
    end(run, outcome, is_stopped=stop.is_set(), also=also)


def end(run: CommandRun, outcome: "Outcome", *, is_stopped: bool, also: str) -> None:
    """Tell what became of the documents, and end with the code that says so.

    `also`: what else goes on where it was stopped.
    """
    if run.json:
        print_json(outcome.plain())
    else:
        _print_summary(run, outcome)
    if is_stopped:
        run.note(
            f"Stopped with {outcome.total - len(outcome.ended)} documents to go. The same "
            f"command goes on from there{also}."
        )
        raise typer.Exit(INTERRUPTED)
    if any(task.state == "failed" for task in outcome.tasks):
        raise typer.Exit(SOME_FAILED)


@dataclass(frozen=True, slots=True)
class _How:
    """What the options say of the documents."""

    readers: frozenset[str] | None
    level: int | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files, wherever they were taken in."""

    job_ids: Sequence[str]
    tasks: "Sequence[TaskOut]"
    total: int
    left_out: Sequence[str]
    seconds: float
    wrong: Sequence[tuple[str, str]] = ()  # files beside documents, and what is wrong with them

    @classmethod
    def of(cls, report: "IngestReport") -> "Outcome":
        """Of a job that was worked off here."""
        from sovereign_rag.services.serialization.jobs import TaskOut

        tasks = [TaskOut.of(task) for task in report.tasks]
        job = report.job
        wrong = [(one.key, one.problem) for one in report.wrong]
        return cls([job.id], tasks, job.total, report.left_out, report.seconds, wrong)

    @property
    def ended(self) -> "Sequence[TaskOut]":
        return [task for task in self.tasks if task.finished is not None]

    @property
    def counts(self) -> dict[str, int]:
        """How many documents ended how; the four ends that scripts ask for are always there."""
        ends = dict.fromkeys(("indexed", "unchanged", "partial", "failed"), 0)
        return ends | Counter(task.state.value for task in self.tasks)

    def plain(self) -> dict[str, object]:
        return {
            "job_id": self.job_ids[0] if self.job_ids else None,
            "job_ids": list(self.job_ids),
            "documents": [
                {
                    "uri": task.uri,
                    "document_id": task.document_id,
                    "status": task.state.value,
                    "reason": task.reason,
                    "pages": task.pages,
                    "chunks": task.chunks,
                }
                for task in self.tasks
            ],
            "counts": self.counts,
            "left_out": list(self.left_out),
            "wrong_metadata": [{"file": key, "problem": problem} for key, problem in self.wrong],
            "seconds": self.seconds,
        }


def _taken_in(
    run: CommandRun,
    paths: Sequence[Path],
    how: _How,
    principal: "Principal",
    bar: "_Bar",
    stop: threading.Event,
) -> Outcome:
    """Work here, over the data folder."""
    with run.open() as service:
        report = service.ingestion.ingest(
            paths,
            principal,
            readers=how.readers,
            level=how.level,
            password=how.password,
            on_progress=bar.show,
            on_task=bar.tell,
            stop=stop,
        )
    return Outcome.of(report)


def _handed_in(
    client: "Client", paths: Sequence[Path], how: _How, bar: "_Bar", stop: threading.Event
) -> Outcome:
    """Hand the files to a service, and wait until it has them."""
    from sovereign_rag.cli.upload import Upload

    upload = Upload(client, paths, on_progress=bar.show, stop=stop)
    tasks = []
    for task in upload.hand_in(how.readers, how.level, how.password):
        bar.tell(task)
        tasks.append(task)
    wrong = [(one.key, one.problem) for one in upload.wrong]
    return Outcome(upload.job_ids, tasks, upload.total, upload.left_out, upload.seconds, wrong)


def _password(ask: bool, file: Path | None) -> str | None:
    """The password; it never stands among the arguments, which every user of a machine sees."""
    if ask and file is not None:
        raise BadInput("Give --password or --password-file, not both.")
    if ask:
        found: str = typer.prompt("Password of the documents", hide_input=True, err=True)
        return found
    if file is None:
        return None
    return secret_line(file, "a password")


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

    def tell(self, task: "TaskRecord | TaskOut") -> None:
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


def _print_summary(run: CommandRun, report: Outcome) -> None:
    pages = sum(task.pages for task in report.tasks)
    chunks = sum(task.chunks for task in report.tasks)
    counts = [(state, n) for state, n in report.counts.items() if n]
    run.out.print(table(("result", ">documents"), counts))
    run.out.print(Text(f"{pages} pages, {chunks} chunks, {report.seconds:.1f} s", "dim"))
    for key, problem in report.wrong:
        run.note(f"{Path(key).name}: {problem}. Its document is there without it.", "red")
    if report.left_out:
        named = ", ".join(safe(Path(path).name, one_line=True) for path in report.left_out[:3])
        more = ", …" if len(report.left_out) > 3 else ""
        run.note(
            f"{len(report.left_out)} hidden files, folders or links were left out: {named}{more}. "
            "A file that is named itself is taken."
        )
