"""`jobs`: what was asked of the ingestion, and how far it is."""

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import facts, print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.catalog.records import JobProgress, JobRecord, TaskRecord
    from sovereign_rag.wiring import Application

app = new_app("Follow, cancel and retry ingestion jobs.")

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="As `jobs list` prints it.")]
_MOST_TASKS: Final = 1_000  # asked for at a time
_LOOK_EVERY_S: Final = 1.0
_STYLES: Final = {
    "done": "green",
    "indexed": "green",
    "running": "cyan",
    "paused": "yellow",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "dim",
    "cancelling": "dim",
    "unchanged": "dim",
    "waiting": "dim",
}


@command(app, "list", examples=("sovereign-rag jobs list --limit 5",))
def list_(
    run: CommandRun,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs.")] = 50,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """List the latest jobs, newest first."""
    from sovereign_rag.services.serialization.jobs import JobOut

    with run.open() as service:
        found = service.jobs.list(local_owner(tenant), limit=limit)
    if run.json:
        print_json({"jobs": [JobOut.of(job).plain() for job in found]})
        return
    if not found:
        run.note("No jobs yet; `sovereign-rag ingest PATH` makes one.")
        return
    rows = (
        (
            job.id,
            _styled(job.state.value),
            f"{job.done} of {job.total}",
            ", ".join(f"{n} {state.value}" for state, n in job.counts.items() if n),
            job.submitted_by,
            f"{job.created:%Y-%m-%d %H:%M}",
        )
        for job in found
    )
    columns = ("id", "state", "documents", "of which", "submitted by", "created (UTC)")
    run.out.print(table(columns, rows))
    for job in found:
        if job.pause_reason is not None:
            run.out.print(_pause(job))


@command(
    app,
    "show",
    examples=("sovereign-rag jobs show 4b7e…", "sovereign-rag jobs show 4b7e… --follow"),
)
def show(
    run: CommandRun,
    job_id: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the progress until the job ends.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="List the failed alone.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Show a job, how far it is, and what became of each of its documents."""
    from sovereign_rag.services.serialization.jobs import JobProgressOut, TaskOut

    with run.open() as service:
        if follow:
            _follow(run, service, job_id, tenant)
        progress = service.jobs.progress(job_id, local_owner(tenant))
        tasks = _tasks(service, job_id, tenant, failed=failed)
    if run.json:
        body = JobProgressOut.of(progress).plain()
        print_json({**body, "tasks": [TaskOut.of(task).plain() for task in tasks]})
        return
    run.out.print(facts(_facts(progress)))
    if progress.job.pause_reason is not None:
        run.out.print(_pause(progress.job))
    rows = ((_styled(t.state.value), t.pages, t.chunks, t.name, t.reason) for t in tasks)
    run.out.print(table(("state", ">pages", ">chunks", "name", "reason"), rows))


@command(app, "cancel", examples=("sovereign-rag jobs cancel 4b7e…",))
def cancel(run: CommandRun, job_id: JobArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Cancel a job: documents in work stop within seconds, what is in stays in."""
    from sovereign_rag.services.serialization.jobs import JobOut

    with run.open() as service:
        job = service.jobs.cancel(job_id, local_owner(tenant))
    if run.json:
        print_json(JobOut.of(job).plain())
    elif not job.cancelled:
        run.note("The job had ended already; there was nothing to cancel.")
    else:
        run.note(f"Cancelled; {job.done} of {job.total} documents have ended.")


@command(app, "retry", examples=("sovereign-rag jobs retry 4b7e…",))
def retry(run: CommandRun, job_id: JobArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Put a job's failed and cancelled documents back in the queue, for the next worker."""
    from sovereign_rag.services.serialization.jobs import JobOut

    with run.open() as service:
        job = service.jobs.retry(job_id, local_owner(tenant))
    if run.json:
        print_json(JobOut.of(job).plain())
    else:
        waiting = job.total - job.done
        run.note(
            f"{waiting} documents wait. A running server takes them up, or `sovereign-rag worker`."
        )


def _tasks(service: "Application", job_id: str, tenant: str, *, failed: bool) -> "list[TaskRecord]":
    from sovereign_rag.catalog.records import TaskState

    states = (TaskState.FAILED,) if failed else None
    found: list[TaskRecord] = []
    after: int | None = None
    while True:
        page, after = service.jobs.documents(
            job_id, local_owner(tenant), after=after, limit=_MOST_TASKS, states=states
        )
        found += page
        if after is None:
            return found


def _follow(run: CommandRun, service: "Application", job_id: str, tenant: str) -> None:
    """Draw the progress on standard error until the job ends; Ctrl-C leaves it to itself."""
    progress = service.jobs.progress(job_id, local_owner(tenant))
    with Live(_drawn(progress), console=run.err, transient=True, auto_refresh=False) as live:
        while progress.job.finished is None:
            time.sleep(_LOOK_EVERY_S)
            progress = service.jobs.progress(job_id, local_owner(tenant))
            live.update(_drawn(progress), refresh=True)


def _drawn(progress: "JobProgress") -> Table:
    job = progress.job
    drawn = Table.grid(padding=(0, 1))
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        _styled(job.state.value),
        ProgressBar(total=max(job.total, 1), completed=job.done, width=30),
        Text(_rate(progress)),
    )
    drawn.add_row(bar)
    if job.pause_reason is not None:
        drawn.add_row(_pause(job))
    names = ", ".join(safe(task.name, one_line=True) for task in progress.current)
    drawn.add_row(Text(names if len(names) <= 100 else names[:99] + "…", "dim"))
    return drawn


def _facts(progress: "JobProgress") -> dict[str, object]:
    job = progress.job
    is_open = job.finished is None
    return {
        "id": job.id,
        "state": job.state.value,
        "submitted by": job.submitted_by,
        "created": f"{job.created:%Y-%m-%d %H:%M:%S} UTC",
        "finished": None if job.finished is None else f"{job.finished:%Y-%m-%d %H:%M:%S} UTC",
        "documents": f"{job.done} of {job.total} done",
        "pages": f"{progress.pages_done} of {progress.pages_known} known",
        "chunks": progress.chunks,
        "rate": _rate(progress) if is_open else None,
        "in work": ", ".join(task.name for task in progress.current),
    }


def _rate(progress: "JobProgress") -> str:
    job = progress.job
    said = f"{job.done} of {job.total} documents, {progress.pages_done} pages"
    if progress.documents_per_minute:
        said += f", {progress.documents_per_minute:g} documents a minute"
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        said += f", {minutes}:{seconds:02} left"
    return said


def _pause(job: "JobRecord") -> Text:
    again = "" if job.retry_at is None else f" Tried again at {job.retry_at:%H:%M:%S} UTC."
    reason = safe(job.pause_reason or "", one_line=True)
    return Text(f"paused: {reason}{again}", "yellow")


def _styled(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))
